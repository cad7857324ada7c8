"""A job server that we start for one graph (Prism, Beam's for Flink), and that never outlives us.

Beam starts them itself too, and ends them when the interpreter exits in the ordinary way; a launcher that was killed,
or that leaves at once after a Ctrl-C, would leave them running. Ours stand under the guard that keeps translation
servers.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from florenz.limits.table import LOG_BYTES
from florenz.translators.server import GUARD, STOP_WITHIN_S, free_port

HOST = "127.0.0.1"
LOOK_EVERY_S = 0.2
LAST_LINES = 3


class JobServerError(OSError):
    """The job server can't be started, or can't be reached; one line with what to do."""


@contextlib.contextmanager
def job_server(command: Sequence[str], log: Path, *, port: int, ready_within_s: float = 120.0) -> Iterator[str]:
    """host:port of a job server, which has ended when the block has. `command` makes it listen on `port`.

    Raises:
        JobServerError: it ended, or did not answer in time; with the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_ready(process, f"{HOST}:{port}", log, ready_within_s)
        yield f"{HOST}:{port}"
    finally:
        _stop(process)


def reach(endpoint: str, within_s: float) -> bool:
    """Whether a gRPC server answers there."""
    import grpc

    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=within_s)
        except grpc.FutureTimeoutError:
            return False
    return True


def _wait_ready(process: subprocess.Popen[bytes], endpoint: str, log: Path, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not reach(endpoint, LOOK_EVERY_S):
        if process.poll() is not None:
            raise JobServerError(f"the job server ended with status {process.returncode}: {_end_of(log)}")
        if time.monotonic() > deadline:
            raise JobServerError(f"the job server was not ready after {within_s:g} s: {_end_of(log)}")


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
        text = file.read(LOG_BYTES).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{' | '.join(lines[-LAST_LINES:]) or 'it wrote nothing'}; the whole log is {log}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=STOP_WITHIN_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    process.wait()


__all__ = ["HOST", "JobServerError", "free_port", "job_server", "reach"]
