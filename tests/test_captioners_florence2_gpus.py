"""Each process captions on a GPU of its own, as long as there is one, and leaves it however it ends."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pipeline_examples import ROOT

from florenz.captioners.contract import CaptionerError
from florenz.captioners.florence2.gpus import take_place
from florenz.captioners.florence2.model import _device

GPUS = ("uuid-a", "uuid-b")
HOLDER = """
import sys
from pathlib import Path
from florenz.captioners.florence2.gpus import take_place
place = take_place(sys.argv[2:], Path(sys.argv[1]))
print(place.gpu, flush=True)
sys.stdin.read()
"""


def test_each_takes_one_that_no_other_has_and_then_second_places_are_taken(tmp_path: Path) -> None:
    places = [take_place(GPUS, tmp_path / "own") for _ in range(5)]
    assert [place.gpu for place in places] == [0, 1, 0, 1, 0]
    places[1].leave()
    places[1].leave()
    assert take_place(GPUS, tmp_path / "own").gpu == 1, "what was left is the next one's"


def test_another_process_is_seen_and_one_that_is_killed_leaves_its_place(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "own"), *GPUS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "0\n"
        ours = take_place(GPUS, tmp_path / "own")
        holder.kill()
        holder.wait()
    assert ours.gpu == 1 and take_place(GPUS, tmp_path / "own").gpu == 0


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="not this user's own folder"):
        take_place(GPUS, tmp_path)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As torch tells of them."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda gpu: SimpleNamespace(uuid=GPUS[gpu]))


def test_what_the_recipe_leaves_open_is_a_gpu_of_its_own(two_gpus: None) -> None:
    taken = [_device(name) for name in ("auto", "cuda", "cuda:1", "cpu")]
    assert [device for device, _ in taken] == ["cuda:0", "cuda:1", "cuda:1", "cpu"]
    assert [place is not None for _, place in taken] == [True, True, False, False]
    first = taken[0][1]
    assert first is not None
    first.leave()
    assert _device("auto")[0] == "cuda:0"


@pytest.mark.parametrize(
    ("count", "name", "told"),
    [(0, "cuda", "torch sees no GPU here"), (0, "cuda:0", "no GPU here"), (2, "cuda:2", "2 GPUs, cuda:0 to cuda:1")],
)
def test_a_gpu_that_is_not_there_is_told_in_one_line(
    count: int, name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(CaptionerError) as refused:
        _device(name)
    assert told in str(refused.value) and f"device = {name!r}" in str(refused.value) and "auto" in str(refused.value)
    assert "\n" not in str(refused.value)
    if not count:
        assert _device("auto") == ("cpu", None)
