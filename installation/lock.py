"""Writes the locks: `make lock`, after a change of pyproject.toml's dependencies or to take newer versions.

requirements/cpu.txt and gpu.txt name every package with version and checksum, for Python 3.11 to 3.13 on x86-64 Linux,
and name no index. torch and torchvision are left out (requirements/torch.txt says why), and in the CPU lock the CUDA
libraries that only they ask for.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from installation.__main__ import REQUIREMENTS, ROOT, install_uv, uv_on_path

HEADER = "# Made by `make lock`; not edited by hand.\n"
COMPILE = ["pip", "compile", "--universal", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]


def main() -> int:
    uv = uv_on_path() or install_uv()
    torch = _compile(uv, [str(REQUIREMENTS / "torch.txt")])
    cuda = [name for name in _names(torch) if re.match(r"nvidia-|cuda-|triton", name)]
    lock(uv, "cpu", leave_out=["torch", "torchvision", *cuda])
    lock(uv, "gpu", leave_out=["torch", "torchvision"])
    _write("uv", _compile(uv, ["--generate-hashes", str(REQUIREMENTS / "uv.in")]))
    return 0


def lock(uv: str, hardware: str, *, leave_out: list[str]) -> None:
    extras = [f"--extra={extra}" for extra in (hardware, "train", "dev")]
    options = [f"--no-emit-package={name}" for name in leave_out]
    overrides = f"--overrides={REQUIREMENTS / 'overrides.txt'}"
    _write(hardware, _compile(uv, ["--upgrade", "--generate-hashes", overrides, *extras, *options, "pyproject.toml"]))


def _compile(uv: str, words: list[str]) -> str:
    return subprocess.run([uv, *COMPILE, *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _names(lines: str) -> list[str]:
    return re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lines, flags=re.MULTILINE)


def _write(name: str, lines: str) -> None:
    path: Path = REQUIREMENTS / f"{name}.txt"
    path.write_text(HEADER + lines)
    print(f"{path.relative_to(ROOT)}: {len(_names(lines))} packages")


if __name__ == "__main__":
    sys.exit(main())
