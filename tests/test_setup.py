"""The set-up: locks that fit, packages that don't collide, and what is said where something is missing."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from installation import __main__ as installation
from installation import machine

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
WORKER_IMPORTS = (
    "apache_beam", "webdataset", "transformers", "vllm", "PIL", "fasttext", "pyarrow", "torch", "torchvision",
    "fsspec", "httpx", "numpy", "safetensors", "tokenizers", "tqdm",
)  # fmt: skip


def pinned(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if re.match("[A-Za-z]", line)]


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    return [
        Requirement(line) for line in [*project["dependencies"], *(one for name in extras for one in optional[name])]
    ]


@pytest.mark.parametrize("hardware", ["cpu", "gpu"])
@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_fit_the_project(hardware: str, python: str) -> None:
    place = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux",
             "platform_machine": "x86_64", "platform_system": "Linux"}  # fmt: skip
    lines = [*pinned(hardware), *pinned("torch")]
    locked = {canonicalize_name(line.name): line for line in lines if not line.marker or line.marker.evaluate(place)}
    for want in wanted(hardware, "train", "dev"):
        found = locked.get(canonicalize_name(want.name))
        assert found is not None, f"{want} is in no lock: run make lock"
        (version,) = (one.version for one in found.specifier)
        assert want.specifier.contains(version), f"{found} is locked, {want} is wanted: run make lock"


@pytest.mark.parametrize("hardware", ["cpu", "gpu", "uv"])
def test_every_locked_package_has_a_checksum_and_no_index_is_named(hardware: str) -> None:
    text = (ROOT / "requirements" / f"{hardware}.txt").read_text()
    pins = re.split(r"\n(?=[a-z])", text)[1:]
    assert pins and all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    assert not {"torch", "torchvision"} & {line.name for line in pinned(hardware)}


def test_what_is_installed_is_what_is_locked() -> None:
    hardware = "gpu" if machine.has_gpu() else "cpu"
    for line in pinned(hardware):
        if line.marker is None or line.marker.evaluate():
            version = importlib.metadata.version(line.name)
            assert line.specifier.contains(version, prereleases=True), f"{line} is locked, {version} is installed"


def test_no_two_distributions_own_the_same_file() -> None:
    owners = defaultdict(set)
    for distribution in importlib.metadata.distributions():
        name = distribution.name
        for line in (distribution.read_text("RECORD") or "").splitlines():  # `files` makes an object of each: 40 s
            file = line.partition(",")[0]
            if "__pycache__" not in file:
                owners[file].add(name)
    assert {file: names for file, names in owners.items() if len(names) > 1} == {}
    assert owners["fasttext/__init__.py"] == {"fasttext-community"}


@pytest.mark.slow
def test_a_worker_can_import_all_that_it_needs() -> None:
    code = ";".join(f"import {name}" for name in WORKER_IMPORTS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_bytecode_was_compiled_at_installation() -> None:
    """Of the largest import alone: this machine may be one where Python writes none."""
    import torch

    folder = Path(torch.__file__).parent
    compiled = {path.name.split(".")[0] for path in (folder / "__pycache__").glob("*.pyc")}
    assert compiled >= {path.stem for path in folder.glob("*.py")}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What setup_venv.sh needs of a checkout, without a .venv."""
    for name in ("setup_venv.sh", "pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("installation", "requirements", "florenz", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def setup(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PYTHON": sys.executable, **environment}
    return subprocess.run(["./setup_venv.sh"], cwd=checkout, env=given, capture_output=True, text=True, timeout=600)


def stand_in(folder: Path, name: str, script: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


@pytest.mark.parametrize("python", ["no-such-python", "old"])
def test_a_missing_or_old_python_is_told_in_one_line(checkout: Path, python: str) -> None:
    if python == "old":
        python = stand_in(checkout / "bin", "python3", "exit 1")
    done = setup(checkout, PYTHON=python)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "Python 3.11 to 3.13" in done.stderr
    assert not (checkout / ".venv").exists()


FAULTS = {
    "has_library": (lambda name: False, "libnuma.so.1 is missing, without which vLLM has no CPU kernels"),
    "has_venv_module": (lambda: False, "can't make virtual environments: sudo apt-get install python3-venv"),
    "why_unwritable": (lambda folder: "Read-only file system", "(Read-only file system)"),
}  # fmt: skip


@pytest.mark.parametrize("check", FAULTS)
def test_what_a_machine_lacks_is_one_line_with_its_remedy(
    check: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, words = FAULTS[check]
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(machine, check, answer)
    monkeypatch.setattr(installation, "uv_on_path", lambda: "")
    monkeypatch.setattr(installation, "install", lambda stamp: pytest.fail("something was installed"))
    assert installation.main(["stamp"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and words in error


def test_too_little_disk_says_how_much_is_needed(tmp_path: Path) -> None:
    assert machine.lack_of_room(tmp_path, 0) == ""
    line = machine.lack_of_room(tmp_path, 10**9)
    assert "needs about 1000000000 GiB" in line and "GiB left: make room" in line


def test_a_library_that_is_not_there_is_noticed() -> None:
    assert machine.has_library("libc.so.6") and not machine.has_library("libno-such-thing.so.9")


def test_a_gpu_without_a_compiler_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "sudo apt-get install gcc" in machine.missing_for_gpu()


def test_an_installation_that_fails_never_looks_finished(checkout: Path) -> None:
    """The installer is a stand-in that makes .venv and then breaks off, at the second package step."""
    broken = """
case "$*" in
  --version) echo "uv 99.0" ;;
  venv*) mkdir -p .venv/bin && cp /bin/true .venv/bin/python ;;
  *dry-run*) exit 0 ;;
  *require-hashes*) echo "error: no space" >&2; exit 2 ;;
esac"""
    stand_in(checkout / "bin", "uv", broken)
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    for _ in range(2):
        done = setup(checkout, PATH=path)
        assert done.returncode == 1 and "the locked packages could not be installed" in done.stderr, done.stderr
        assert "error: no space" in done.stderr and "run the same command to try again" in done.stderr
        assert not (checkout / ".venv" / "florenz-stamp").exists()
    stand_in(checkout / "bin", "uv", broken.replace("exit 2", "exit 0"))
    assert setup(checkout, PATH=path).returncode == 0
    assert (checkout / ".venv" / "florenz-stamp").is_file()
    assert setup(checkout, PATH="/usr/bin:/bin").stderr == "", "with .venv in place nothing is asked of the installer"


def test_where_torchs_index_is_out_of_reach_the_ordinary_build_is_taken_and_its_size_is_said(checkout: Path) -> None:
    calls = checkout / "calls"
    script = f"""
case "$*" in
  --version) echo "uv 99.0" ;;
  venv*) mkdir -p .venv/bin && cp /bin/true .venv/bin/python ;;
  *dry-run*) echo "error: Failed to fetch" >&2; exit 1 ;;
esac
echo "$*" >>{calls}"""
    stand_in(checkout / "bin", "uv", script)
    done = setup(checkout, PATH=f"{checkout / 'bin'}:{os.environ['PATH']}")
    assert done.returncode == 0 and "out of reach" in done.stderr and "8 GiB" in done.stderr
    torch = next(line for line in calls.read_text().splitlines() if "torch.txt" in line)
    assert "--torch-backend" not in torch


@pytest.mark.parametrize(
    ("goal", "typed", "meant"),
    [
        ("dataset", "OUTPUT=elsewhere", "OUT"), ("dataset", "LANGUAGES=de", "LANGS"), ("dataset", "LANG=de", "LANGS"),
        ("dataset", "IMAGE=x", "IMAGES"), ("retry", "REASONS=x", "REASON"), ("train", "STEP=3", "STEPS"),
        ("verify", "OUTS=x", "OUT"),
    ],
)  # fmt: skip
def test_a_variable_typed_wrong_is_refused_before_anything_is_touched(
    checkout: Path, goal: str, typed: str, meant: str
) -> None:
    before = sorted(path.name for path in checkout.iterdir())
    done = subprocess.run(
        ["make", goal, typed, f"PYTHON={sys.executable}"], cwd=checkout, capture_output=True, text=True, timeout=600
    )
    name = typed.partition("=")[0]
    assert done.returncode == 2 and f"florenz: unknown variable {name}: did you mean '{meant}'?" in done.stderr
    assert sorted(path.name for path in checkout.iterdir()) == before


def test_only_what_is_typed_counts_and_what_the_environment_holds_is_told() -> None:
    environment = {**os.environ, "COUNT": "3", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs these tests
        environment.pop(name, None)
    done = subprocess.run(
        ["make", "--dry-run", "dataset", "OUT=a b'c"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0
    last = done.stdout.splitlines()[-1]
    assert last.endswith("""OUT='a b'\\''c'""") and "COUNT" not in last and "LANG" not in last
    assert "COUNT of the environment is not looked at" in done.stdout


def test_the_language_model_is_the_one_that_its_licence_file_names() -> None:
    import hashlib

    from florenz.languages.identification import find_model

    model = Path(find_model())
    assert f"`{hashlib.sha256(model.read_bytes()).hexdigest()}`" in model.with_suffix(".md").read_text()
