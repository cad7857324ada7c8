"""What the machine itself must have before anything is downloaded; a fault is one line: what is missing, what to do."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

APT = "sudo apt-get install"
NUMA = "libnuma.so.1"  # vLLM's CPU kernels fall away with a warning where it is missing, and the engine dies later
GIB = 2**30
GIB_OF_CPU_BUILD = 4  # .venv with torch's CPU build, bytecode included
GIB_OF_CUDA_BUILD = 8
GIB_OF_GPU = 14  # vLLM's own kernels beside torch's


def problems(root: Path, *, has_uv: bool) -> Iterator[str]:
    """Why .venv can't be made in the checkout `root`; nothing if it can."""
    if not has_uv and not has_venv_module():
        yield f"this Python can't make virtual environments: {APT} python3-venv"
    if has_gpu():
        if missing := missing_for_gpu():
            yield missing
    elif not has_library(NUMA):
        yield f"the library {NUMA} is missing, without which vLLM has no CPU kernels: {APT} libnuma1"
    if reason := why_unwritable(root):
        yield f"can't write .venv into the checkout {str(root)!r} ({reason}): make it writable, or clone it anew"
    elif short := lack_of_room(root, GIB_OF_GPU if has_gpu() else GIB_OF_CPU_BUILD):
        yield short


def has_gpu() -> bool:
    """Whether an NVIDIA driver is installed."""
    return shutil.which("nvidia-smi") is not None


def has_venv_module() -> bool:
    """Debian ships `venv` without the half that installs pip; ensurepip is that half."""
    return importlib.util.find_spec("venv") is not None and importlib.util.find_spec("ensurepip") is not None


def has_library(name: str) -> bool:
    """Whether the loader finds this shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def missing_for_gpu() -> str:
    """Triton builds the launchers of its GPU kernels at run time, in C; "" when it can."""
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if any(shutil.which(compiler) for compiler in ("cc", "gcc", "clang")) and header.is_file():
        return ""
    return f"a C compiler or Python.h is missing, with which GPU kernels are launched: {APT} gcc libc6-dev python3-dev"


def why_unwritable(folder: Path) -> str:
    """Really writes: permission bits don't tell what a mount will do. "" if it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as unnamed:
            unnamed.write(b"x")
    except OSError as problem:
        return problem.strerror or str(problem)
    return ""


def lack_of_room(folder: Path, needed_gib: float) -> str:
    """ "" when `needed_gib` are free on the disk of `folder`."""
    free = shutil.disk_usage(folder).free / GIB
    if free >= needed_gib:
        return ""
    numbers = f"about {needed_gib} GiB and the disk of {str(folder)!r} has {free:.1f} GiB left"
    return f"the installation needs {numbers}: make room"
