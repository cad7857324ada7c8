"""A graph as a job of an engine: hand it in, say where it runs, show how far it is, wait, and cancel it if we must end.

The launcher waits in a thread, so that a Ctrl-C is its own and cancels the job; what the workers have counted comes
from Beam's metrics and goes to the launcher's own progress bar.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from florenz.pipeline.jobs.errors import faults_of_graphs
from florenz.pipeline.progress import ProgressAddress, advance, num_done

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.runners.runner import PipelineResult, PipelineRunner

LOOK_EVERY_S = 1.0
CANCELLED_WITHIN_S = 30.0
MAX_CHARS = 500


class JobError(OSError):
    """The job did not end as it should (cancelled, out of time); what was answered is in the ledger."""


@contextlib.contextmanager
def remote_graph(
    runner: PipelineRunner,
    options: Sequence[str],
    *,
    step: str,
    progress: ProgressAddress,
    timeout_s: float | None,
    log: Path,
    say_where: Callable[[PipelineResult], None],
    engine_errors: tuple[type[Exception], ...] = (),
) -> Iterator[beam.Pipeline]:
    """A pipeline that is run by this runner, with these options, when the block ends.

    log: takes the tracebacks of Beam's own threads, which die when a job server goes away.
    engine_errors: what the engine's own library raises, beside Beam's RuntimeError, for a job that failed.

    Raises:
        What the code in the graph raised. JobError: cancelled by somebody, or not done after `timeout_s`.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(list(options)))
    yield pipeline
    try:
        with _thread_errors_to(log), faults_of_graphs():
            result = pipeline.run()
            say_where(result)
            try:
                _wait(result, step, progress, timeout_s)
            except engine_errors as problem:
                raise RuntimeError(str(problem)) from problem
            except BaseException:
                _cancel(result)
                raise
    except RuntimeError as problem:
        if type(problem) is not RuntimeError:  # one of ours, which says what to do
            raise
        words = str(problem).strip().splitlines() or [type(problem).__name__]
        raise JobError(f"the job of step {step} failed: {words[-1].strip()[:MAX_CHARS]}") from problem


@contextlib.contextmanager
def _thread_errors_to(log: Path) -> Iterator[None]:
    """Not back to the screen after an error, and never for a connection that broke: such threads end later than the
    job, and those of workers in this process when their job server ends.
    """
    import grpc

    before = threading.excepthook

    def note(arguments: threading.ExceptHookArgs) -> None:
        with contextlib.suppress(OSError):
            log.parent.mkdir(exist_ok=True)
            with log.open("a") as file:
                traceback.print_exception(arguments.exc_value, file=file)

    def note_broken(arguments: threading.ExceptHookArgs) -> None:
        is_broken = issubclass(arguments.exc_type, grpc.RpcError)
        (note if is_broken else before)(arguments)

    threading.excepthook = note
    yield
    threading.excepthook = note_broken


def _wait(result: PipelineResult, step: str, progress: ProgressAddress, timeout_s: float | None) -> None:
    """Until the job has ended; what workers have counted since the last look goes to the progress bar."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    executor = ThreadPoolExecutor(1)
    ended = executor.submit(result.wait_until_finish)
    executor.shutdown(wait=False)
    shown = 0
    while wait([ended], timeout=LOOK_EVERY_S).not_done:
        shown = _show(result, step, progress, shown)
        if deadline is not None and time.monotonic() > deadline:
            raise JobError(
                f"the job of step {step} was not done after {timeout_s:g} s (job_timeout_s in [beam]) and is cancelled"
            )
    state = ended.result()
    _show(result, step, progress, shown)
    if str(state) not in ("DONE", "DRAINED"):
        raise JobError(f"the job of step {step} ended as {state}: somebody or something else has stopped it")


def _show(result: PipelineResult, step: str, progress: ProgressAddress, shown: int) -> int:
    if progress is None:
        return shown
    done = num_done(result, step)
    if done > shown:
        advance(progress, step, done - shown)
    return max(done, shown)


def _cancel(result: Any) -> None:
    """Ask for it, and don't let an engine that no longer answers keep us."""
    executor = ThreadPoolExecutor(1)
    wait([executor.submit(result.cancel)], timeout=CANCELLED_WITHIN_S)
    executor.shutdown(wait=False)
