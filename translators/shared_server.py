"""One vLLM server for all processes of a machine, for workers that are not on the launcher's machine.

Whichever process needs it first starts it, the others find it, and it ends when the last of them has: each holds a
shared lock on a file, the server's guard ends with the last such lock, and the system drops a lock with its process,
however that ends. So no process owns the server, and none of them can leave it behind or take it from the others.
(Beam's `MultiProcessShared` gives it an owner: when that is killed, the next one starts a second server beside it.)

Three files in a folder of the user's own, all used for their locks: `users` (shared: I use it), `starting` (I look
whether it lives, and start it), `server` (the guard has it as long as the server runs).
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

from florenz.recipes.fingerprints import fingerprint
from florenz.stores.own_folder import own_folder
from florenz.translators.crash import crash_reason
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.kernels import check_kernels
from florenz.translators.server import (
    GUARD,
    HOST,
    LOOK_EVERY_S,
    STOP_WITHIN_S,
    free_port,
    require_vllm,
    server_environment,
    vllm_command,
)
from florenz.translators.settings import ServedSettings


class SharedServer:
    """This machine's server for these settings. `command` (port -> argv) stands in for vLLM in tests.

    A process uses it from the first `endpoint` to its own end, or to `release`.
    """

    def __init__(
        self,
        settings: ServedSettings,
        *,
        folder: Path | None = None,
        command: Callable[[int], Sequence[str]] | None = None,
    ) -> None:
        self.settings = settings
        name = fingerprint(dataclasses.asdict(settings))
        try:
            self.folder = own_folder(folder) / f"server-{name}"
        except PermissionError as problem:
            raise ServerError(str(problem)) from problem
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.log = self.folder / "server.log"
        self._command = command
        self._users: int | None = None
        self._gate = threading.Lock()

    def endpoint(self) -> str:
        """Base URL of the server, which answers and serves the model: found, waited for or started.

        Raises:
            ServerError: it can't be started, or has died too often (`max_server_restarts`).
        """
        with self._gate, _locked(self.folder / "starting"):
            is_first = self._join()
            state = self._state()
            port = state["port"]
            # One that is found may be at its end: its guard sees the death, or that nobody uses it, a moment later.
            if not (self._is_alive() and self._is_ready(port)):
                port = self._launch(0 if is_first else state["starts"])
                if not self._is_ready(port):
                    reason = crash_reason(self.log) or "it wrote nothing"
                    raise ServerError(
                        f"the translation server of this machine died: {reason}; the whole log is {self.log}"
                    )
            check_endpoint(f"http://{HOST}:{port}/v1", self.settings.model)  # a stranger on the port is healthy as well
            return f"http://{HOST}:{port}/v1"

    def release(self) -> None:
        """This process needs it no more; the server ends if nobody else does."""
        with self._gate:
            users, self._users = self._users, None
            if users is not None:
                os.close(users)

    def stop(self) -> None:
        """`release`, and wait for its end, so that another may have its memory; not for long: others may use it on."""
        self.release()
        deadline = time.monotonic() + STOP_WITHIN_S
        while self._is_alive() and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)

    def _join(self) -> bool:
        """Hold the users' lock; whether nobody held it before, so that deaths noted here are of old times."""
        if self._users is not None:
            return False
        users = os.open(self.folder / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_first = True
        except BlockingIOError:  # others use it, or its guard is about to end it
            is_first = False
        fcntl.flock(users, fcntl.LOCK_SH)
        self._users = users
        return is_first

    def _is_alive(self) -> bool:
        """Whether a guard has the server's lock."""
        with (self.folder / "server").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _launch(self, starts: int) -> int:
        """Start a server under a guard that has the server's lock from us; its port."""
        if starts > self.settings.max_server_restarts:
            problem = f"the translation server of this machine died again after {starts - 1} restarts"
            raise ServerError(f"{problem}: {crash_reason(self.log)}; the whole log is {self.log}")
        if self._command is None:
            require_vllm()
            check_kernels()
        port = free_port()
        (self.folder / "state.json").write_text(json.dumps({"port": port, "starts": starts + 1}))
        command = self._command(port) if self._command else vllm_command(self.settings, port)
        with (self.folder / "server").open("a") as held, self.log.open("ab") as log:
            fcntl.flock(held, fcntl.LOCK_EX)
            subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(self.folder / "users"), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=server_environment(self.settings, os.environ),
                start_new_session=True,
                pass_fds=(held.fileno(),),  # the lock goes on with the guard, which gives it to no child
            )
        return port

    def _is_ready(self, port: int) -> bool:
        """Wait until it answers; False when it has died. ServerError when it takes too long."""
        deadline = time.monotonic() + self.settings.startup_timeout_s
        with httpx.Client(trust_env=False, timeout=5.0) as http:
            while not _is_healthy(http, port):
                if not self._is_alive():
                    return False
                if time.monotonic() > deadline:
                    late = f"was not ready after {self.settings.startup_timeout_s:g} s"
                    raise ServerError(f"the translation server of this machine {late}; its log is {self.log}")
                time.sleep(LOOK_EVERY_S)
        return True

    def _state(self) -> dict[str, int]:
        try:
            found = json.loads((self.folder / "state.json").read_text())
        except (FileNotFoundError, ValueError):
            return {"port": 0, "starts": 0}
        return {"port": int(found["port"]), "starts": int(found["starts"])}


def _is_healthy(http: httpx.Client, port: int) -> bool:
    try:
        return http.get(f"http://{HOST}:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
