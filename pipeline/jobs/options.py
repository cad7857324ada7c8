"""Options of Beam's own, as a recipe names them: a slip is told before anything is staged.

Beam itself drops a word that it does not know with a warning, and a job then runs for hours without what was asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

from florenz.pipeline.jobs.settings import BeamSettings

# Set by us, under names of our own: option -> what to write instead.
OURS = {
    "runner": "runner (RUNNER)",
    "project": "project (PROJECT) in [dataflow]",
    "region": "region (REGION) in [dataflow]",
    "flink_job_server_jar": "flink_jar (FLINK_JAR)",
    "temp_location": "temp in [dataflow]",
    "staging_location": "temp in [dataflow]",
    "sdk_container_image": "worker_image in [dataflow]",
    "direct_num_workers": "workers (WORKERS) at the top",
}


def option_problems(beam: BeamSettings, *, engine_has_more: bool = False) -> Iterator[str]:
    """A line for each option that Beam does not know; with `engine_has_more` only for those that look like a slip."""
    for word in beam.options:
        name = word.removeprefix("--").partition("=")[0]
        if name in OURS:
            yield f"[beam] {name}: write it as {OURS[name]}"
        elif name not in beam_options():
            near = difflib.get_close_matches(name, beam_options(), n=1, cutoff=0.8)
            if near:
                yield f"[beam] unknown key or option {name!r}: did you mean {near[0]!r}?"
            elif not engine_has_more:
                yield f"[beam] unknown key or option {name!r}: see the options of the runner in Beam's documentation"


@cache
def beam_options() -> frozenset[str]:
    """Names of all options that Beam's Python half knows."""
    import argparse

    from apache_beam.options.pipeline_options import PipelineOptions

    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    for kind in _below(PipelineOptions):
        kind._add_argparse_args(parser)
    return frozenset(
        word.removeprefix("--") for action in parser._actions for word in action.option_strings if word[:2] == "--"
    )


def _below(kind: Any) -> Iterator[Any]:
    for one in kind.__subclasses__():
        if "_add_argparse_args" in vars(one):
            yield one
        yield from _below(one)
