"""`florenz doctor`: what this machine and this installation have, one line each, with what to do about the rest.

In a checkout it is `make doctor`, which knows how .venv is made; here stands what an installed wheel can say of itself.
Both run on the standard library alone: a package that is missing is what they are asked about.

Exit codes: 0 all is right; 1 something is not; 2 a word that is not understood.
"""

from __future__ import annotations

import ctypes
import importlib
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from florenz.console import REFUSED, STOPPED, fail

USAGE = """usage: florenz doctor

Says what this machine and this installation have, and what to do about each thing that is not right.
In a checkout this is make doctor, which also knows how .venv was made."""
MODULES = (
    "apache_beam", "fasttext", "httpx", "jinja2", "numpy", "obstore", "pdqhash", "PIL", "py3langid", "pyarrow",
    "safetensors", "simplejpeg", "tokenizers", "torch", "torchvision", "transformers", "webdataset",
)  # fmt: skip
HERE = Path(__file__).resolve().parent  # in a wheel recipes and models lie within, in a checkout beside it
NUMA = "libnuma.so.1"  # without it vLLM has no CPU kernels, which it tells in a warning alone
Finding = tuple[str, str, str]  # name, what there is, what to do ("" where it is right)


def main(arguments: Sequence[str]) -> int:
    if any(word in ("--help", "-h") for word in arguments):
        print(USAGE)
        return 0
    if arguments:
        return fail(USAGE.splitlines()[0], REFUSED)
    if (HERE.parent / "installation" / "doctor.py").is_file():
        sys.path.insert(0, str(HERE.parent))
        return int(importlib.import_module("installation.doctor").main())
    wrong = 0
    for name, detail, advice in findings():
        wrong += bool(advice)
        print(f"{'!!' if advice else 'ok'}  {name:<20} {detail}" + (f": {advice}" if advice else ""))
    return STOPPED if wrong else 0


def findings() -> Iterator[Finding]:
    version = sys.version_info[:2]
    right = (3, 11) <= version <= (3, 13)
    yield "python", f"{platform.python_version()} ({sys.executable})", "" if right else "install 3.11, 3.12 or 3.13"
    missing = [module for module in MODULES if find_spec(module) is None]
    yield "packages", f"{len(MODULES) - len(missing)} of {len(MODULES)}", _install(missing)
    has_gpu = shutil.which("nvidia-smi") is not None
    has_vllm = find_spec("vllm") is not None
    extra = "florenz[gpu]" if has_gpu else "florenz[cpu]"
    advice = f"pip install '{extra}' (docs/install.md), or name a server with ENDPOINT=..."
    yield "vllm", "installed" if has_vllm else "missing", "" if has_vllm else advice
    if not has_gpu:
        yield NUMA, *(("there", "") if _has_library(NUMA) else ("missing", "sudo apt-get install libnuma1"))
    for name, path in (("recipes", HERE / "configs"), ("playground's models", HERE / "playground" / "models")):
        is_there = path.is_dir() and any(path.iterdir())
        yield name, str(path), "" if is_there else "missing: install Florenz again"


def _install(missing: Sequence[str]) -> str:
    return f"{', '.join(missing)} missing: pip install florenz again" if missing else ""


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
