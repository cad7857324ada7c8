"""RUNNER=PortableRunner JOB_ENDPOINT=host:port: any engine with a job server of Beam's that runs already (as Spark).

Workers are a pool beside each of the engine's machines, on port 50000, unless [beam] says otherwise by Beam's own
`environment_type` and `environment_config`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from florenz.console import say
from florenz.pipeline.jobs.job_server import reach
from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.jobs.options import option_problems
from florenz.pipeline.jobs.settings import BeamSettings
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.runners.contract import Facts, Running

if TYPE_CHECKING:
    import apache_beam as beam

POOL = "localhost:50000"  # of a worker machine: where the engine there looks for its pool
REACHED_WITHIN_S = 10.0


def facts(running: Running) -> Facts:
    return Facts(may_share_folders=True)


def problems(running: Running) -> Iterator[str]:
    yield from option_problems(running.beam, engine_has_more=True)
    endpoint = running.beam.job_endpoint
    if not endpoint:
        yield "PortableRunner needs a job server: give JOB_ENDPOINT=host:port"
    elif not reach(endpoint, REACHED_WITHIN_S):
        late = f"does not answer within {REACHED_WITHIN_S:g} s"
        yield f"JOB_ENDPOINT {endpoint!r} {late}: start the job server, or name another"


@contextlib.contextmanager
def graph(running: Running, step: str, progress: ProgressAddress = None) -> Iterator[beam.Pipeline]:
    with job_of(running.beam.job_endpoint, running, step, progress, environment(running.beam)) as pipeline:
        yield pipeline


@contextlib.contextmanager
def job_of(
    endpoint: str, running: Running, step: str, progress: ProgressAddress, options: Sequence[str]
) -> Iterator[beam.Pipeline]:
    """A job for the job server at `endpoint`, for this kind and for others that start one themselves."""
    from apache_beam.runners.portability.portable_runner import PortableRunner

    from florenz.pipeline.jobs.remote import remote_graph

    words = [f"--job_endpoint={endpoint}", *options, *running.beam.options]
    with remote_graph(
        PortableRunner(),
        words,
        step=step,
        progress=progress,
        timeout_s=running.beam.job_timeout_s,
        log=local_log(running.out, "jobs"),
        say_where=lambda result: say(f"job        {step}: {result._job_id} at {endpoint}"),
    ) as pipeline:
        yield pipeline


def environment(beam: BeamSettings) -> list[str]:
    """Where the engine finds workers, unless the recipe says it."""
    if beam.option("environment_type"):
        return []
    return ["--environment_type=EXTERNAL", f"--environment_config={POOL}"]
