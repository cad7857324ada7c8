"""What a runner is: a module of this room with three functions. `RUNNER=FlinkRunner` selects `flink.py`.

The light half, `facts` and `problems`, says what can be known before anything is staged; it is imported wherever a
recipe is read, so it imports no Beam. The heavy half, `graph`, runs what is built in its block. Callers ask for facts
and never for a runner's name. `tests/contracts/runner.py` holds each of them to what is said here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, cast

from florenz.pipeline.jobs.settings import ROOM, BeamSettings, DataflowSettings
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.workers.lists import remove_lists
from florenz.pipeline.workers.waiting_packs import packs_folder, remove_packs
from florenz.recipes.kinds import load_kind

SPREAD_AT_MOST = 8  # processes of some 0.4 GiB: what one writes down in the end, the others wait for

if TYPE_CHECKING:
    import apache_beam as beam


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where and how the graphs of a run are run.

    out: as in the recipe. workers: processes on this machine, for a runner that starts them itself. most_workers: what
    `spread` may make of one.
    """

    out: str
    workers: int = 1
    most_workers: int = 1
    beam: BeamSettings = field(default_factory=BeamSettings)
    dataflow: DataflowSettings = field(default_factory=DataflowSettings)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What holds of the workers of a runner with these settings."""

    is_on_this_machine: bool = False
    """They see the files of the launcher under its relative paths, and reach its servers and sockets on loopback."""

    shares_memory: bool = False
    """They are threads of the launcher: a model that it has loaded is loaded for them too."""

    holds_shuffle: bool = False
    """What is shuffled stands in the launcher's memory until the step that gets it has ended."""

    starts_workers: bool = False
    """It starts processes on this machine, as many as `Running.workers` says; with one there is none but this."""

    may_share_folders: bool = False
    """They may have folders of the launcher's machine mounted under the same absolute paths."""

    gpu_hints: Mapping[str, str] = field(default_factory=dict)
    """Beam's resource hints for a step that asks a model which runs at the worker; empty where the engine has none."""


class RunnerKind(Protocol):
    """A module of this room."""

    def facts(self, running: Running) -> Facts: ...

    def problems(self, running: Running) -> Iterable[str]:
        """What would stop a graph, as far as it can be known in seconds; one line each, with what to do."""

    def graph(self, running: Running, step: str, progress: ProgressAddress) -> AbstractContextManager[beam.Pipeline]:
        """A pipeline that has been run, to its end, when the block ends.

        step: read, caption, translate, again, rephrase, score or assemble. An error in the block runs nothing.
        progress: who is to be told what Beam's metrics say.

        Raises:
            What the code in the graph raised, as `jobs.errors` says. KeyboardInterrupt: the job is cancelled, or its
            workers end with this process.
        """


def runner_of(running: Running) -> RunnerKind:
    """The module; its heavy half is not imported."""
    return cast(RunnerKind, load_kind(ROOM, running.beam.kind))


def facts_of(running: Running) -> Facts:
    return runner_of(running).facts(running)


def spread(running: Running, parts: int) -> Running:
    """For a graph that computes and asks no model: a process for each core, as far as there is work for them.

    parts: how often the work is worth another process, which imports Beam and loads what the graph needs. A number that
    the user has chosen stays.
    """
    if running.workers > 1 or not facts_of(running).starts_workers:
        return running
    cores = len(os.sched_getaffinity(0))
    return replace(running, workers=max(1, min(parts, cores, running.most_workers, SPREAD_AT_MOST)))


def graph(running: Running, step: str, progress: ProgressAddress = None) -> AbstractContextManager[beam.Pipeline]:
    """`RunnerKind.graph` of the runner that the recipe names."""
    if facts_of(running).is_on_this_machine:
        return runner_of(running).graph(running, step, None)  # its workers tell the launcher's socket themselves
    return _with_lists(runner_of(running).graph(running, step, progress), running.out)


@contextlib.contextmanager
def _with_lists(opened: AbstractContextManager[beam.Pipeline], out: str) -> Iterator[beam.Pipeline]:
    """What is handed to its workers lies in OUT meanwhile."""
    remove_lists(out)
    with opened as pipeline:
        yield pipeline
    remove_lists(out)


@contextlib.contextmanager
def packs_waiting(running: Running) -> Iterator[str]:
    """Where the packs of a graph that is run in this block wait; "" for a runner that shuffles elsewhere."""
    if not facts_of(running).holds_shuffle:
        yield ""
        return
    remove_packs(running.out)
    yield packs_folder(running.out)
    remove_packs(running.out)


def workers_progress(running: Running, progress: ProgressAddress) -> ProgressAddress:
    """What workers are told of the launcher's socket: nothing where they can't reach it, and Beam's metrics serve."""
    return progress if facts_of(running).is_on_this_machine else None
