"""Makes .venv-readers, the environment of `make test-readers`: `python -m installation.readers`, or `... lock`.

In the same two steps as .venv: torch by version, then the lock with checksums and without resolving. Like there, the
stamp is written last. `lock` resolves requirements/readers/readers.in anew.

Exit codes: 0 done; 1 an installer failed and said why; 130 Ctrl-C.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from installation.__main__ import REQUIREMENTS, ROOT, InstallationError, install_uv, run, say, torch_build, uv_on_path
from installation.lock import COMPILE, HEADER

VENV = ROOT / ".venv-readers"
FOLDER = REQUIREMENTS / "readers"
LOCK = FOLDER / "lock.txt"
OLDER = FOLDER / "older.txt"  # what one reader wants below the others' versions; `with_older` of the tests finds it


def main(arguments: Sequence[str]) -> int:
    uv = uv_on_path() or install_uv()
    try:
        if list(arguments) == ["lock"]:
            lock(uv)
        elif not is_finished():
            install(uv)
    except InstallationError as problem:
        say(f"{problem}; run the same command to try again")
        return 1
    except KeyboardInterrupt:
        say("interrupted; run the same command to go on")
        return 130
    return 0


def stamp() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in (REQUIREMENTS / "torch.txt", LOCK, OLDER):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_finished() -> bool:
    path = VENV / "florenz-stamp"
    return path.is_file() and path.read_text().strip() == stamp()


def install(uv: str) -> None:
    started = time.monotonic()
    say("setting up .venv-readers, once")
    run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], "can't make .venv-readers")
    into_venv = [uv, "pip", "install", "--python", str(VENV / "bin" / "python")]
    torch = ["--requirements", str(REQUIREMENTS / "torch.txt"), "--constraints", str(LOCK)]
    run([*into_venv, *torch, *torch_build([*into_venv, *torch])], "torch could not be installed")
    run([*into_venv, "--no-deps", "--require-hashes", "--requirement", str(LOCK)], "the readers could not be installed")
    older = ["--no-deps", "--require-hashes", "--requirement", str(OLDER), "--target", str(VENV / "older")]
    run([*into_venv, *older], "the older readers could not be installed")
    (VENV / "florenz-stamp").write_text(stamp() + "\n")
    say(f".venv-readers is ready ({time.monotonic() - started:.0f} s)")


def lock(uv: str) -> None:
    """torch and what only it asks for are left out, as in the lock of .venv."""
    overrides = f"--overrides={REQUIREMENTS / 'overrides.txt'}"
    torch = _compile(uv, str(REQUIREMENTS / "torch.txt"))
    names = [line.split("==")[0] for line in torch.splitlines() if line.startswith(("nvidia-", "cuda-", "triton"))]
    left_out = [f"--no-emit-package={name}" for name in ("torch", "torchvision", *names)]
    lines = _compile(uv, "--generate-hashes", overrides, *left_out, str(FOLDER / "readers.in"))
    older = _compile(uv, "--no-deps", "--generate-hashes", str(FOLDER / "older.in"))
    for path, text in ((LOCK, lines), (OLDER, older)):
        path.write_text(HEADER.replace("make lock", "python -m installation.readers lock") + text)
        say(f"{path.relative_to(ROOT)} is written")


def _compile(uv: str, *words: str) -> str:
    command = [uv, *COMPILE, "--python-platform=x86_64-manylinux_2_28", *words]
    command.remove("--universal")
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationError(f"the readers can't be resolved: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
