"""Each process captions on a GPU of its own, as long as there is one, and leaves it however it ends."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from captioner_examples import save_miniature, settings_of
from pipeline_examples import ROOT

from florenz.captioners.contract import CaptionerError
from florenz.captioners.florence2.model import Florence, _device
from florenz.stores.gpus import take_place

GPUS = ("uuid-a", "uuid-b")
HOLDER = """
import sys
from pathlib import Path
from florenz.stores.gpus import take_place
place = take_place(sys.argv[2:], Path(sys.argv[1]))
print(place.gpu, flush=True)
sys.stdin.read()
"""


def test_each_takes_one_that_no_other_has_and_then_second_places_are_taken(tmp_path: Path) -> None:
    places = [take_place(GPUS, tmp_path / "own") for _ in range(5)]
    assert [place.gpu for place in places] == [1, 0, 1, 0, 1], "a server begins with the first"
    places[1].leave()
    places[1].leave()
    assert take_place(GPUS, tmp_path / "own").gpu == 0, "what was left is the next one's"


def test_another_process_is_seen_and_one_that_is_killed_leaves_its_place(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "own"), *GPUS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        ours = take_place(GPUS, tmp_path / "own")
        holder.kill()
        holder.wait()
    assert ours.gpu == 0 and take_place(GPUS, tmp_path / "own").gpu == 1


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
    assert [device for device, _ in taken] == ["cuda:1", "cuda:0", "cuda:1", "cpu"]
    assert [place is not None for _, place in taken] == [True, True, False, False]
    first = taken[0][1]
    assert first is not None
    first.leave()
    assert _device("auto")[0] == "cuda:1"


def test_a_folder_of_somebody_else_is_told_in_one_line(two_gpus: None, tmp_path: Path) -> None:
    (tmp_path / f"florenz-{os.getuid()}").mkdir()
    (tmp_path / f"florenz-{os.getuid()}").chmod(0o777)
    with pytest.raises(CaptionerError, match="^[^\\n]*set TMPDIR to another place$"):
        _device("auto")


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


def test_free_memory_is_the_gpu_s_and_what_batches_have_left_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch as it answers for a GPU: 100 bytes of weights, of 700 that this process has reserved there."""
    florence = Florence(settings_of(save_miniature(tmp_path)))
    assert florence.free_bytes is None, "it is on the CPU"
    asked: list[object] = []
    monkeypatch.setattr(florence, "_device", "cuda:1")
    monkeypatch.setattr(florence, "_weight_bytes", 100)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: asked.append(device) or (4000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: asked.append(device) or 700)
    assert florence.free_bytes == 4600
    assert set(asked) == {"cuda:1"}
