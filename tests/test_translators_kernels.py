"""vLLM's CPU kernels are proved before captions are made, without importing vLLM."""

import os
from pathlib import Path

import forked_runs
import pytest

from florenz.translators import kernels
from florenz.translators.endpoint import ServerError
from florenz.translators.kernels import check_kernels

ROOT = Path(__file__).resolve().parents[1]


def fake_packages(folder: Path, library: bytes) -> None:
    """Packages vllm and torch with libraries of this content."""
    for path in ("vllm/__init__.py", "torch/__init__.py"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).touch()
    (folder / "torch" / "lib").mkdir()
    (folder / "vllm" / "_C_AVX2.abi3.so").write_bytes(library)


def test_the_installed_kernels_load() -> None:
    check_kernels()


def test_kernels_that_cannot_be_loaded_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages(tmp_path, b"no library")
    monkeypatch.setattr(kernels, "_folder_of", lambda package: tmp_path / package)
    with pytest.raises(ServerError, match=r"vLLM's CPU kernels can't be loaded \(.*\): make doctor") as refused:
        check_kernels()
    assert "\n" not in str(refused.value)


def test_a_missing_libnuma_is_named_with_its_package() -> None:
    reason = "libnuma.so.1: cannot open shared object file: No such file or directory"
    assert kernels._advice(reason) == "sudo apt-get install libnuma1"


def test_the_kernels_of_a_gpu_are_left_to_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages(tmp_path, b"no library")
    (tmp_path / "vllm" / "_C_AVX2.abi3.so").rename(tmp_path / "vllm" / "_C.abi3.so")
    monkeypatch.setattr(kernels, "_folder_of", lambda package: tmp_path / package)
    check_kernels()


@pytest.mark.slow
def test_a_run_is_refused_before_a_caption_is_made(tmp_path: Path) -> None:
    """A real run, whose vllm has kernels that don't load."""
    fake_packages(tmp_path / "modules", b"no library")
    (tmp_path / "modules" / "torch" / "__init__.py").unlink()  # torch stays the real one
    (tmp_path / "modules" / "torch" / "lib").rmdir()
    (tmp_path / "modules" / "torch").rmdir()
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "modules"), str(ROOT)])}
    words = ["-m", "pipeline", "configs/playground.toml", "COUNT=2", f"OUT={tmp_path / 'out'}"]
    done = forked_runs.run(*words, environment=environment)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "vLLM's CPU kernels can't be loaded" in done.stderr
    assert not (tmp_path / "out" / "ledger" / "captions").exists()
