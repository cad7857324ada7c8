"""Makes .venv: `python -m installation STAMP`, called by setup_venv.sh.

Two steps, because no single one can be exact and still fit the machine. torch comes first, pinned by version, and uv
picks the build (CPU, or the CUDA that fits the driver). Everything else follows from a lock with checksums and without
resolving, since vLLM's own pins name builds that the package index does not have.

Exit codes: 0 done; 1 an installer failed and said why; 2 the machine lacks something; 130 Ctrl-C. Whatever happens,
.venv gets its stamp last.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from installation import machine

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
OWN_UV = ROOT / ".uv"
REQUIREMENTS = ROOT / "requirements"
OLDEST_UV = (0, 8)  # the first that has all options used here


class InstallationError(RuntimeError):
    """An installer failed; it has said why itself."""


def main(arguments: Sequence[str]) -> int:
    (stamp,) = arguments
    found = list(machine.problems(ROOT, has_uv=bool(uv_on_path())))
    for problem in found:
        print(f"florenz: {problem}", file=sys.stderr)
    if found:
        return 2
    try:
        with (ROOT / ".venv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two commands in two terminals: the second waits and finds it done
            if not is_finished(stamp):
                install(stamp)
    except InstallationError as problem:
        say(f"{problem}; run the same command to try again")
        return 1
    except KeyboardInterrupt:
        say("interrupted; run the same command to go on")
        return 130
    return 0


def is_finished(stamp: str) -> bool:
    path = VENV / "florenz-stamp"
    return path.is_file() and path.read_text().strip() == stamp


def install(stamp: str) -> None:
    """Each step says what it does; uv shows its own progress. Downloads that were finished before are not repeated."""
    started = time.monotonic()
    say("setting up .venv, once (1 to 6 minutes; what is downloaded is kept and not downloaded again)")
    lock = REQUIREMENTS / ("gpu.txt" if machine.has_gpu() else "cpu.txt")
    uv = uv_on_path() or install_uv()
    (VENV / "florenz-stamp").unlink(missing_ok=True)
    run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], "can't make .venv")
    # Bytecode is not left to Python: where PYTHONDONTWRITEBYTECODE is set, each process of each run would compile anew.
    into_venv = [uv, "pip", "install", "--compile-bytecode", "--python", str(VENV / "bin" / "python")]
    torch = ["--requirements", str(REQUIREMENTS / "torch.txt"), "--constraints", str(lock)]
    say("step 1 of 3: torch, the build for this machine")
    run([*into_venv, *torch, *torch_build([*into_venv, *torch])], "torch could not be installed")
    say(f"step 2 of 3: everything else, from {lock.relative_to(ROOT)}")
    # Of Beam and of num2words a package each comes as source only, in pure Python: built by the setuptools of the lock.
    built = [f"--no-build-isolation-package={name}" for name in ("google-apitools", "docopt")]
    exact = ["--no-deps", "--require-hashes", *built]
    run([*into_venv, *exact, "--requirements", str(lock)], "the locked packages could not be installed")
    say("step 3 of 3: florenz itself, from this checkout")
    run(
        [*into_venv, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
        "florenz is not installed",
    )
    (VENV / "florenz-stamp").write_text(stamp + "\n")
    say(f".venv is ready ({time.monotonic() - started:.0f} s)")


def torch_build(install_torch: Sequence[str]) -> list[str]:
    """The option that makes uv pick the build for this machine; none where the place of these builds is out of reach.

    Raises:
        InstallationError: the ordinary build, several GiB larger, has no room.
    """
    option = ["--torch-backend=auto"]
    tried = subprocess.run([*install_torch, *option, "--dry-run"], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return option
    needed = machine.GIB_OF_CUDA_BUILD
    reason = " ".join(tried.stderr.split())[:200] or f"uv ended with {tried.returncode}"
    say(f"torch's own index is out of reach: taking the ordinary build, with CUDA libraries ({needed} GiB in all)")
    say(f"  uv says: {reason}")
    if short := machine.lack_of_room(ROOT, needed):
        raise InstallationError(short)
    return []


def uv_on_path() -> str:
    """A uv that is new enough; "" without one."""
    uv = shutil.which("uv")
    if not uv:
        return ""
    asked = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    words = asked.stdout.split()
    try:
        version = tuple(int(number) for number in words[1].split(".")[:2])
    except (IndexError, ValueError):
        return ""
    return uv if asked.returncode == 0 and version >= OLDEST_UV else ""


def install_uv() -> str:
    """uv by pip, in a place of its own, so that neither the user's Python nor .venv is touched."""
    uv = OWN_UV / "bin" / "uv"
    wanted = REQUIREMENTS / "uv.txt"
    mark = OWN_UV / "florenz-stamp"
    if uv.is_file() and mark.is_file() and mark.read_bytes() == wanted.read_bytes():
        return str(uv)
    say("step 0: uv, the installer")
    run([sys.executable, "-m", "venv", "--clear", str(OWN_UV)], "can't make a place for uv")
    pip = [str(OWN_UV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--requirement", str(wanted)], "uv could not be installed")
    mark.write_bytes(wanted.read_bytes())
    return str(uv)


def run(command: Sequence[str], failure: str) -> None:
    """Raises InstallationError when it fails. Its output is the progress, less the names of 250 packages."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith((" + ", " - ", " ~ ")):
                print(f"  {line.strip()}", file=sys.stderr, flush=True)
    if process.returncode:
        raise InstallationError(f"{failure} ({Path(command[0]).name} ended with {process.returncode})")


def say(text: str) -> None:
    print(f"florenz: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
