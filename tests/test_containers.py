"""The worker images, as far as it can be seen without building one: this machine needs no Docker."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from florenz.pipeline.runners import dataflow
from florenz.pipeline.runners.contract import Running

ROOT = Path(__file__).resolve().parents[1]
IMAGES = sorted((ROOT / "containers").glob("*.Dockerfile"))


@pytest.fixture(params=IMAGES, ids=lambda path: path.stem)
def image(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_each_kind_of_worker_has_an_image() -> None:
    assert [path.name for path in IMAGES] == ["worker-cpu.Dockerfile", "worker-gpu.Dockerfile"]
    for path in IMAGES:
        assert dataflow.image(Running(out=""), path.stem.removeprefix("worker-")).endswith(f"{path.stem}:0.1.0")


def test_it_has_the_locked_beam_and_a_python_that_we_support(image: Path) -> None:
    text = image.read_text()
    kind = image.stem.removeprefix("worker-")
    (locked,) = re.findall(r"^apache-beam==(\S+)", (ROOT / "requirements" / f"{kind}.txt").read_text(), re.MULTILINE)
    assert f"ARG BEAM={locked}\n" in text and locked == version("apache-beam")
    (python,) = re.findall(r"ARG PYTHON=(\S+)", text)
    supported = re.search(r'requires-python = ">=(\d+\.\d+),<(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert supported is not None
    low, high = (tuple(map(int, word.split("."))) for word in supported.groups())
    assert low <= tuple(map(int, python.split("."))) < high


def test_all_that_it_copies_is_there_and_every_lock_is_its_own(image: Path) -> None:
    text = image.read_text()
    kind = image.stem.removeprefix("worker-")
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE)
    assert copied and all((ROOT / name).exists() for name in copied)
    named = set(re.findall(r"requirements/\w+\.txt", text))
    assert named == {"requirements/uv.txt", "requirements/torch.txt", f"requirements/{kind}.txt"}
    assert all((ROOT / name).is_file() for name in named) and "--require-hashes" in text


def test_the_first_lines_say_how_it_is_built(image: Path) -> None:
    comment = image.read_text().split("ARG")[0]
    assert f"docker build -f containers/{image.name} -t " in comment and f"{image.stem}:{version('florenz')}" in comment


def test_nothing_of_a_user_goes_into_an_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "data", "tests"} <= set(ignored)
