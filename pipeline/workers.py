"""Where graphs run: in a thread of this process, or in worker processes of their own.

A thread, because Beam would otherwise run user code in the main thread and turn a Ctrl-C there into one more failed
element. Worker processes start through this file instead of Beam's own entry: what they print (the traceback of every
error that they pass on) goes to a log, and they end with the run, however that ends; Beam's would finish their batch
first.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.faults import faults_of_graphs
from pipeline.recipe import Recipe

LOOK_EVERY_S = 0.5


@contextlib.contextmanager
def local_graph(recipe: Recipe) -> Iterator[beam.Pipeline]:
    """A pipeline that is run, on `recipe.workers` processes, when the block ends.

    Raises:
        What the code in the graph raised, as `faults_of_graphs` says. KeyboardInterrupt: at once, with the graph still
        running; the process should end.
    """
    environment = _worker_processes(recipe) if recipe.workers > 1 else None
    options = PipelineOptions([f"--direct_num_workers={recipe.workers}"])
    pipeline = beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options)
    yield pipeline
    executor = ThreadPoolExecutor(1)
    try:
        with faults_of_graphs():
            executor.submit(lambda: pipeline.run().wait_until_finish()).result()
    finally:
        executor.shutdown(wait=False)


def local_log(out: str, name: str) -> Path:
    """A local file: in OUT, or, where OUT is an object store, in the working folder."""
    if "://" in out:
        return Path(f"{name}-{os.getpid()}.log").absolute()
    return Path(out).absolute() / "logs" / f"{name}.log"


def _worker_processes(recipe: Recipe) -> SubprocessSDKEnvironment:
    log = local_log(recipe.out, "workers")
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "pipeline.workers", str(os.getpid()), str(log)]
    return SubprocessSDKEnvironment.from_command_string(f"exec {shlex.join(words)}")  # Beam hands it to a shell


def work(parent_pid: int, log: Path) -> None:
    """What a worker process does: serve Beam, quietly, as long as its parent lives."""
    from apache_beam.runners.worker import sdk_worker_main

    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of us, and the parent answers it
    threading.Thread(target=_end_with, args=(parent_pid,), daemon=True).start()
    sdk_worker_main.main([])


def _end_with(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(LOOK_EVERY_S)
    os._exit(1)


if __name__ == "__main__":
    work(int(sys.argv[1]), Path(sys.argv[2]))
