"""A small program in vLLM's place, for tests and for the processes that they start: they load no pytest with it."""

import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from florenz.translators.settings import TranslatorSettings

SETTINGS = TranslatorSettings(model="m", prompt="playground", startup_timeout_s=300)

# Answers /health and /v1/models, and has a child of its own as vLLM does; both say their process ids.
FAKE = """
import os, signal, subprocess, sys
from benchmarks.stand_in_server import StandInServer
if "deaf" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
print("pids", os.getpid(), child.pid, flush=True)
server = StandInServer("m", port=int(sys.argv[1])); server.start(); server.wait()
"""


def fake(program: str = FAKE, *args: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-c", textwrap.dedent(program), str(port), *args]


def pids_in(log: Path) -> list[int]:
    return [int(pid) for line in log.read_text().splitlines() if line.startswith("pids") for pid in line.split()[1:]]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def all_gone_soon(pids: list[int]) -> bool:
    """As soon as a busy machine allows: the children would live for ever."""
    deadline = time.monotonic() + 60
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_running, pids))
