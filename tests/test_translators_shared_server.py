"""One server for a machine: shared by processes that know nothing of each other, ended with the last of them."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers_examples import SETTINGS, all_gone_soon, fake, is_running, pids_in

from florenz.translators import shared_server
from florenz.translators.endpoint import ServerError, list_models
from florenz.translators.shared_server import SharedServer

ROOT = Path(__file__).resolve().parents[1]

# A worker process: says the endpoint, and uses it until its standard input ends.
WORKER = """
import sys
from pathlib import Path
from florenz.translators.endpoint import ServerError
from florenz.translators.settings import TranslatorSettings
from florenz.translators.shared_server import SharedServer
from servers_examples import SETTINGS, fake
server = SharedServer(SETTINGS, folder=Path(sys.argv[1]), command=fake())
for line in sys.stdin:
    try:
        print(server.endpoint(), flush=True)
    except ServerError as problem:
        print("failed:", problem, flush=True)
"""


class Worker:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), str(folder)],
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def endpoint(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "machine"


@pytest.fixture
def workers(folder: Path) -> Iterator[tuple[Worker, Worker]]:
    two = Worker(folder), Worker(folder)
    yield two
    for worker in two:
        worker.kill()


def log_of(folder: Path) -> Path:
    return SharedServer(SETTINGS, folder=folder).log


def test_two_processes_share_one_server_which_ends_with_the_last_of_them(
    folder: Path, workers: tuple[Worker, Worker]
) -> None:
    for worker in workers:
        worker.ask()
    first, second = (worker.endpoint() for worker in workers)
    assert first == second and list_models(first) == ["m"]
    pids = pids_in(log_of(folder))
    assert len(pids) == 2, "one server, with its child"
    workers[0].end()
    workers[1].ask()
    assert workers[1].endpoint() == first and all(map(is_running, pids))
    workers[1].end()
    assert all_gone_soon(pids)


def test_the_server_outlives_the_kill_of_the_process_that_started_it(
    folder: Path, workers: tuple[Worker, Worker]
) -> None:
    starter, other = workers
    starter.ask()
    endpoint = starter.endpoint()
    other.ask()
    assert other.endpoint() == endpoint
    starter.kill()
    other.ask()
    assert other.endpoint() == endpoint and list_models(endpoint) == ["m"]
    pids = pids_in(log_of(folder))
    assert len(pids) == 2, "no second server was started"
    other.kill()
    assert all_gone_soon(pids)


def test_a_process_that_is_killed_while_the_server_starts_leaves_it_to_the_next(
    folder: Path, workers: tuple[Worker, Worker]
) -> None:
    starter, other = workers
    starter.ask()
    log = log_of(folder)
    deadline = threading.Event()
    while not (log.exists() and pids_in(log)):  # launched; whether it answers already is chance
        assert not deadline.wait(0.02) and starter.process.poll() is None
    starter.kill()
    other.ask()
    assert list_models(other.endpoint()) == ["m"]
    assert sum(map(is_running, pids_in(log))) == 2, "one server lives"


def test_a_server_that_died_is_started_again_and_not_for_ever(folder: Path, workers: tuple[Worker, Worker]) -> None:
    worker, _ = workers
    log = log_of(folder)
    for _ in range(SETTINGS.max_server_restarts + 1):
        worker.ask()
        endpoint = worker.endpoint()
        assert list_models(endpoint) == ["m"]
        pids = [pid for pid in pids_in(log) if is_running(pid)]
        os.kill(pids[0], signal.SIGKILL)
        assert all_gone_soon(pids)
    worker.ask()
    assert worker.endpoint().startswith("failed: the translation server of this machine died again after 2 restarts")


def test_a_server_whose_guard_has_not_seen_its_death_yet_is_started_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, look = SharedServer(SETTINGS, folder=folder, command=fake()), shared_server._is_healthy
    server.endpoint()
    server.stop()
    with (server.folder / "server").open("a") as guard:  # its lock is held, and nobody answers
        fcntl.flock(guard, fcntl.LOCK_EX)

        def looked(http: httpx.Client, port: int) -> bool:
            is_healthy = look(http, port)
            guard.close()
            return is_healthy

        monkeypatch.setattr(shared_server, "_is_healthy", looked)
        assert list_models(server.endpoint()) == [SETTINGS.model]
    server.stop()


def test_a_new_run_is_not_charged_with_the_deaths_of_an_old_one(folder: Path) -> None:
    server = SharedServer(SETTINGS, folder=folder, command=fake())
    (server.folder / "state.json").write_text(json.dumps({"port": 1, "starts": 99}))
    assert list_models(server.endpoint()) == ["m"]
    server.release()
    assert all_gone_soon(pids_in(server.log))


def test_a_server_that_dies_at_once_is_reported_with_its_words(folder: Path) -> None:
    server = SharedServer(SETTINGS, folder=folder, command=fake("raise MemoryError('no room for the model')"))
    with pytest.raises(ServerError, match="died: MemoryError: no room for the model; the whole log is"):
        server.endpoint()
    server.release()


def test_a_folder_that_others_can_write_to_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ServerError, match="is not this user's own folder"):
        SharedServer(SETTINGS, folder=folder)
