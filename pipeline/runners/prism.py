"""RUNNER=PrismRunner: Beam's engine for tests, on this machine, everything in memory.

It is to Florenz what a second compiler is to a program: jobs and workers speak the protocol of Flink and Dataflow.
Its binary is not downloaded: `go install` makes it (2 minutes), into a folder of the user's cache. Workers are threads
of the launcher, or, with `environment_type = "EXTERNAL"` in [beam], a pool of processes. Prism waits for ever for a
worker that has died: `job_timeout_s` in [beam] ends that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from florenz.pipeline.jobs.job_server import free_port, job_server
from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.jobs.loopback import workers_in_this_process
from florenz.pipeline.jobs.options import option_problems
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.runners.contract import Facts, Running
from florenz.pipeline.runners.portable import job_of

if TYPE_CHECKING:
    import apache_beam as beam

SOURCE = "github.com/apache/beam/sdks/v2/go/cmd/prism"


def facts(running: Running) -> Facts:
    has_threads = _has_threads(running)
    return Facts(is_on_this_machine=has_threads, shares_memory=has_threads, may_share_folders=True)


def problems(running: Running) -> Iterator[str]:
    yield from option_problems(running.beam)
    path = prism_path(running)
    if not os.access(path, os.X_OK):
        install = f"GOBIN={path.parent} go install {SOURCE}@v{version('apache-beam')}"
        yield f"PrismRunner: there is no program {str(path)!r}: make it by {install}"


@contextlib.contextmanager
def graph(running: Running, step: str, progress: ProgressAddress = None) -> Iterator[beam.Pipeline]:
    port = free_port()
    command = [str(prism_path(running)), f"--job_port={port}", "--serve_http=false"]
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(job_server(command, local_log(running.out, "prism"), port=port))
        options = []
        if _has_threads(running):
            workers = stack.enter_context(workers_in_this_process())
            options = ["--environment_type=EXTERNAL", f"--environment_config={workers}"]
        yield stack.enter_context(job_of(endpoint, running, step, progress, options))


def prism_path(running: Running) -> Path:
    """The program: `prism_location` in [beam], or where the command above puts it."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    default = f"{cache}/florenz/prism-{version('apache-beam')}/prism"
    return Path(running.beam.option("prism_location") or default).expanduser()


def _has_threads(running: Running) -> bool:
    return running.beam.option("environment_type") in (None, "LOOPBACK")
