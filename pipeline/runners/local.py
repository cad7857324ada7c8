"""Without RUNNER: graphs run in a thread of this process, or in worker processes of their own.

A thread, because Beam would otherwise run user code in the main thread and turn a Ctrl-C there into one more failed
element. Worker processes start through this file instead of Beam's own entry: what they print (the traceback of every
error that they pass on) goes to a log, and they end with the run, however that ends; Beam's would finish their batch
first. The other way round, a worker that dies (for want of memory, say) ends the run: Beam would wait for it for ever.

Both notice the other's death by a connection between them, which the system closes for the dead. A worker that ends
because it was told to says so there first: the last of several may take long to follow, and nobody has died.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from florenz.pipeline.jobs.errors import faults_of_graphs
from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.jobs.options import option_problems
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.runners.contract import Facts, Running
from florenz.stores import files

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

HOST = "127.0.0.1"
GRACE_S = 10.0  # for the workers to end what they are about, once it is known that the graph has failed
IN_ORDER = b"!"  # a worker's last word
BEAMS_STARTER = "run_worker"  # the name of Beam's thread that starts a worker and waits for it


def facts(running: Running) -> Facts:
    return Facts(
        is_on_this_machine=True,
        shares_memory=running.workers == 1,
        holds_shuffle=True,
        starts_workers=True,
        may_share_folders=True,
    )


def problems(running: Running) -> Iterator[str]:
    yield from option_problems(running.beam)


@contextlib.contextmanager
def graph(running: Running, step: str, progress: ProgressAddress = None) -> Iterator[beam.Pipeline]:
    """A pipeline that is run, on so many worker processes, when the block ends; their log lies in OUT.

    Raises:
        What the code in the graph raised, as `faults_of_graphs` says. KeyboardInterrupt: at once, with the graph still
        running; the process should end.
    """
    import apache_beam as beam

    from florenz.pipeline.jobs import late_workers  # noqa: F401  (Beam's handler of worker processes is replaced)
    from florenz.pipeline.jobs.told_runner import ToldRunner
    from florenz.pipeline.jobs.views import Options

    out, workers = running.out, running.workers
    options = Options([f"--direct_num_workers={workers}", *running.beam.options])
    with contextlib.ExitStack() as stack:
        bond = stack.enter_context(Bond()) if workers > 1 else None
        environment = _worker_processes(out, bond) if bond else None
        runner = ToldRunner(default_environment=environment)
        pipeline = beam.Pipeline(runner=runner, options=options)
        yield pipeline
        executor = ThreadPoolExecutor(1)
        stack.callback(executor.shutdown, wait=False)
        run = executor.submit(lambda: pipeline.run().wait_until_finish())
        if bond:
            stack.enter_context(_thread_errors_to(local_log(out, "workers"), bond))
            wait([run, runner.failed, bond.broken], return_when=FIRST_COMPLETED)
            if not run.done():
                wait([run], timeout=GRACE_S)
        with faults_of_graphs():
            if run.done() or not bond:
                run.result()
            elif runner.failed.done():
                runner.failed.result()
            else:
                fewer = "fewer WORKERS, or [limits] workers = 1"
                raise ChildProcessError(f"a worker process died (killed, or out of memory: try {fewer})")


class Bond:
    """Connections of the worker processes to us; `broken` is done as soon as one of them has ended unasked."""

    def __init__(self) -> None:
        self.broken: Future[None] = Future()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Bond:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        for connection in (self._listener, *self._connections):
            with contextlib.suppress(OSError):  # the other end has gone already
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits at it, which closing does not
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed: the graph has ended
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection: socket.socket) -> None:
        if wait_for_end(connection) != IN_ORDER:
            self.tell()

    def tell(self) -> None:
        """A worker has died."""
        with contextlib.suppress(InvalidStateError):  # and another one before it
            self.broken.set_result(None)


def wait_for_end(connection: socket.socket) -> bytes:
    """Returns when the process at the other end has ended or closed it, with its last word; nothing else is sent."""
    with contextlib.suppress(OSError):
        return connection.recv(1)
    return b""


@contextlib.contextmanager
def _thread_errors_to(log: Path, bond: Bond) -> Iterator[None]:
    """Beam's own threads die of a worker's death with tracebacks, which the user is told in one line instead.

    The thread that started a worker also tells of one that ended before it had connected to us.
    """
    before = threading.excepthook

    def note(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == BEAMS_STARTER:
            bond.tell()
        with contextlib.suppress(OSError), log.open("a") as file:
            traceback.print_exception(arguments.exc_value, file=file)

    threading.excepthook = note
    yield
    threading.excepthook = (
        before  # not after an error or a Ctrl-C: workers are then still to end, and the process with them
    )


def _worker_processes(out: str, bond: Bond) -> SubprocessSDKEnvironment:
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    log = local_log(out, "workers")
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "florenz.pipeline.runners.local", str(bond.port), str(log), out]
    return SubprocessSDKEnvironment.from_command_string(f"exec {shlex.join(words)}")  # Beam hands it to a shell


class LogFile(io.FileIO):
    """Drops what a full or lost disk does not take: Beam prints an error before it passes it on, and where printing
    failed the run would wait for ever.
    """

    def write(self, block: Any) -> int:
        try:
            return super().write(block)
        except OSError:
            return len(block)


def work(port: int, log: Path, out: str) -> None:
    """What a worker process does: serve Beam, quietly, as long as its parent lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of us, and the parent answers it
    try:
        connection = socket.create_connection((HOST, port))  # first of all: if we die now, the parent knows
    except ConnectionRefusedError:  # the parent ended while we started
        os._exit(1)
    from apache_beam.runners.worker import sdk_worker_main

    with contextlib.suppress(OSError), log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = io.TextIOWrapper(LogFile(2, "wb", closefd=False), errors="backslashreplace", write_through=True)
    threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
    with files.pinned(out):
        sdk_worker_main.main([])
    with contextlib.suppress(OSError):  # the parent has gone before us
        connection.send(IN_ORDER)
    os._exit(0)  # all is in the ledger; what the interpreter and its libraries do at their end takes seconds under load


def _end_with_parent(connection: socket.socket) -> None:
    wait_for_end(connection)
    os._exit(1)


if __name__ == "__main__":
    work(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
