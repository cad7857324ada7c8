"""Commands in processes of their own that begin where `python -m` would after some five seconds of importing.

One process imports what runs and trainings import, once, and forks for each of them; a fork then does what `python
WORDS...` does: its own environment, folder, output and exit code, signals and death. It differs in this alone: what is
imported was imported before, after `quiet_libraries`. What a test is to say about that belongs into an ordinary
subprocess.
"""

from __future__ import annotations

import array
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parents[1]
LENGTH_BYTES = 4


class ForkedRun:
    """What `subprocess.Popen` gives, as far as it is needed, with what is written to the screen kept in files."""

    def __init__(self, answers: socket.socket, output: IO[bytes], errors: IO[bytes], alive: IO[bytes]) -> None:
        self._answers, self._output, self._errors, self._alive = answers, output, errors, alive
        self.pid: int = _receive(answers)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = _receive(self._answers)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Output and errors when it has ended, and what it forked itself too: that holds its locks."""
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(["forked run"], timeout or 0)
            self.poll()
        if not select.select([self._alive], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(["forks of a forked run"], timeout or 0)
        return _text_of(self._output), _text_of(self._errors)


def start(*words: str, environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> ForkedRun:
    """`python words...` in this folder, where the words begin with -m or -c. environment: beside ours."""
    requests = _forks()
    own, its = socket.socketpair()
    ends, lives = os.pipe()  # nobody writes; it is at its end when the last process has closed it
    with its, os.fdopen(lives, "wb") as alive:
        output, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - the run's, to its end
        environment = {**os.environ, **(environment or {})}
        wanted = {"words": words, "environment": environment, "folder": str(folder)}
        request = json.dumps(wanted).encode()
        descriptors = [its.fileno(), output.fileno(), errors.fileno(), alive.fileno()]
        socket.send_fds(requests, [len(request).to_bytes(LENGTH_BYTES)], descriptors)
        requests.sendall(request)
    return ForkedRun(own, output, errors, os.fdopen(ends, "rb"))


def run(
    *words: str,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """As `start`, to its end."""
    running = start(*words, environment=environment, folder=folder)
    try:
        output, errors = running.communicate(timeout)
    finally:
        running.kill()
    assert running.returncode is not None
    return subprocess.CompletedProcess(words, running.returncode, output, errors)


@functools.cache
def _forks() -> socket.socket:
    """To the process that forks, which is started with the first run and ends with this process."""
    requests, its = socket.socketpair()
    with its:
        command = [sys.executable, str(Path(__file__).resolve()), str(its.fileno())]
        subprocess.Popen(command, cwd=ROOT, pass_fds=[its.fileno()])
    return requests


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _receive(answers: socket.socket) -> int:
    numbers = array.array("i")
    block = answers.recv(numbers.itemsize, socket.MSG_WAITALL)
    assert block, "the process that forks has died"
    numbers.frombytes(block)
    return numbers[0]


# -- the process that forks -------------------------------------------------------------------------------------------


def serve(requests: socket.socket) -> None:
    """Fork for each request until the other end is closed. A fork leaves this function by raising `SystemExit`."""
    running: dict[int, socket.socket] = {}
    wakes, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: for the tests to take
    while True:
        ready = select.select([requests, wakes], [], [])[0]
        if wakes in ready:
            os.read(wakes, 1024)
            _tell_of_ended(running)
        if requests not in ready:
            continue
        head, descriptors, _, _ = socket.recv_fds(requests, LENGTH_BYTES, 4)
        if not head:
            return
        wanted = json.loads(requests.recv(int.from_bytes(head), socket.MSG_WAITALL))
        answers = socket.socket(fileno=descriptors[0])
        if (pid := os.fork()) == 0:
            for one in (requests, answers, *running.values()):
                one.close()
            signal.set_wakeup_fd(-1)
            os.close(wakes), os.close(wake)
            become(**wanted, output=descriptors[1], errors=descriptors[2])
        running[pid] = answers
        for descriptor in descriptors[1:]:  # the last one stays open in the fork, and in what that forks
            os.close(descriptor)
        _send(answers, pid)


def _tell_of_ended(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as answers:
                _send(answers, os.waitstatus_to_exitcode(status))


def _send(answers: socket.socket, number: int) -> None:
    try:
        answers.sendall(array.array("i", [number]).tobytes())
    except BrokenPipeError:  # nobody waits for it any more
        return


def become(words: Sequence[str], environment: Mapping[str, str], folder: str, output: int, errors: int) -> NoReturn:
    """What `python words...` is."""
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, standard in ((output, 1), (errors, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    kind, what, *arguments = words
    its, ours = (one.get("PYTHONPATH", "").split(os.pathsep) for one in (environment, before))
    sys.path[:] = [folder, *filter(None, its), *(path for path in sys.path[1:] if path not in ours)]
    sys.argv = [kind, *arguments]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(what, vars(sys.modules["__main__"]))  # noqa: S102 - as python does it
    sys.exit(0)


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = str(ROOT)
    from benchmarks.torture import preload

    preload()
    import florenz.train.loop
    import florenz.train.scores.finished  # noqa: F401

    gc.freeze()  # what there is now no fork looks through: looking would copy it
    serve(requests)


if __name__ == "__main__":
    main()
