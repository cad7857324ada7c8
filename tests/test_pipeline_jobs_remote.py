"""Waiting for a job of an engine: its end, its time limit, a Ctrl-C, somebody else's hand."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
import pytest
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState
from pipeline_examples import ROOT

from florenz.pipeline.jobs import remote
from florenz.pipeline.jobs.job_server import JobServerError, free_port, job_server
from florenz.pipeline.jobs.remote import JobError, remote_graph


class Engine(PipelineRunner):  # type: ignore[misc]
    """Runs nothing: its job ends as the test says, or when it is cancelled."""

    def __init__(self, end: Any = None) -> None:
        self.end, self.cancelled = end, threading.Event()

    def run_pipeline(self, pipeline: Any, options: Any) -> PipelineResult:
        engine = self

        class Result(PipelineResult):  # type: ignore[misc]
            def wait_until_finish(self, duration: Any = None) -> Any:
                if engine.end is None:
                    engine.cancelled.wait()
                    return PipelineState.CANCELLED
                if isinstance(engine.end, Exception):
                    raise engine.end
                return engine.end

            def cancel(self) -> None:
                engine.cancelled.set()

        return Result(PipelineState.RUNNING)


@contextmanager
def job(engine: Engine, timeout_s: float | None = None, log: Path = Path("/dev/null"), **more: Any) -> Iterator[None]:
    where = remote_graph(
        engine,
        [],
        step="caption",
        progress=None,
        timeout_s=timeout_s,
        log=log,
        say_where=lambda result: None,
        **more,
    )
    with where as pipeline:
        _ = pipeline | beam.Create([1])
        yield


def test_a_job_that_ends_well_is_not_cancelled() -> None:
    engine = Engine(PipelineState.DONE)
    with job(engine):
        pass
    assert not engine.cancelled.is_set()


def test_a_job_that_takes_too_long_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LOOK_EVERY_S", 0.01)
    engine = Engine()
    with pytest.raises(JobError, match=r"the job of step caption was not done after 0\.05 s"), job(engine, 0.05):
        pass
    assert engine.cancelled.is_set()


def test_a_ctrl_c_cancels_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(remote, "wait", interrupted)
    monkeypatch.setattr(remote, "_cancel", lambda result: result.cancel())
    engine = Engine()
    with pytest.raises(KeyboardInterrupt), job(engine):
        pass
    assert engine.cancelled.is_set()


def test_a_job_that_somebody_cancelled_is_no_success() -> None:
    with pytest.raises(JobError, match="the job of step caption ended as CANCELLED"), job(Engine("CANCELLED")):
        pass


def test_an_engine_that_fails_is_told_in_one_line() -> None:
    with (
        pytest.raises(JobError, match="^the job of step caption failed: no slots left$"),
        job(Engine(RuntimeError("Traceback ...\n  at org.apache\nno slots left\n"))),
    ):
        pass


def test_what_an_engines_own_library_raises_is_told_too() -> None:
    class Quota(Exception):
        pass

    engine = Engine(Quota("quota exceeded"))
    with pytest.raises(JobError, match="failed: quota exceeded"), job(engine, engine_errors=(Quota,)):
        pass


def test_what_breaks_off_when_the_job_server_ends_goes_to_the_log_and_all_else_to_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of workers in this process read on until then."""

    class Broken(grpc.RpcError):
        pass

    def fail(fault: Exception) -> None:
        raise fault

    shown: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    for number in range(2):  # one graph after the other
        with job(Engine(PipelineState.DONE), log=tmp_path / f"jobs-{number}.log"):
            pass
        for fault in (Broken("socket closed"), KeyError("ours")):
            thread = threading.Thread(target=fail, args=(fault,))
            thread.start()
            thread.join()
        assert "Broken: socket closed" in (tmp_path / f"jobs-{number}.log").read_text()
    assert [one.exc_type for one in shown] == [KeyError, KeyError]


def test_a_job_server_that_ends_at_once_is_told_with_its_words(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such cluster; exit 3"]
    with (
        pytest.raises(JobServerError, match=r"ended with status 3: no such cluster; the whole log is"),
        job_server(command, tmp_path / "log", port=free_port()),
    ):
        pass


def test_a_job_server_that_never_answers_is_given_up_and_gone(tmp_path: Path) -> None:
    command = ["sh", "-c", f"touch {tmp_path / 'lives'}; sleep 600; touch {tmp_path / 'outlived'}"]
    with (
        pytest.raises(JobServerError, match="was not ready after 0.5 s"),
        job_server(command, tmp_path / "log", port=free_port(), ready_within_s=0.5),
    ):
        pass
    assert not (tmp_path / "outlived").exists() and ROOT.is_dir()
