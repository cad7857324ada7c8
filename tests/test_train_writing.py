"""Checkpoints are written beside the training: it goes on, what it changes is not written, a kill costs one."""

import dataclasses
import json
import threading
from pathlib import Path

import forked_runs
import pytest
import torch
from safetensors.torch import load_file
from training_examples import metrics, recipe_in, train_quietly, write_recipe

from florenz.train import writing
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.distributed import find_place
from florenz.train.log import StepRecord, TrainingLog
from florenz.train.writing import Writer

pytestmark = pytest.mark.usefixtures("one_build")
WAIT_S = 60


def start(writer: Writer, folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    writer.start(folder, {"file": tensors}, begin=folder.mkdir, finish=(folder / "done").touch)


def test_what_changes_after_the_start_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_write, write = threading.Event(), writing.write_pieces

    def later(*arguments: object) -> None:
        assert may_write.wait(WAIT_S)
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "write_pieces", later)
    trained, frozen = torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.ones(2), requires_grad=False)
    with Writer(find_place("cpu")) as writer:
        for number in range(2):  # copies are used again
            folder = tmp_path / str(number)
            start(writer, folder, {"trained": trained, "frozen": frozen, "moment": trained.detach() + number})
            with torch.no_grad():
                trained += 1
            assert not (folder / "done").exists()
            may_write.set()
            writer.wait()
            found = load_file(folder / "file")
            assert found["trained"].tolist() == [number] * 3 and found["moment"].tolist() == [2 * number] * 3
            assert found["frozen"].tolist() == [1, 1] and (folder / "done").exists()


def test_a_training_takes_steps_while_a_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes after step 2 are held back until step 3 is logged; a training that waited would wait for ever."""
    is_further, write_bytes, write_line = threading.Event(), writing.write_pieces, TrainingLog.write
    held: list[bool] = []

    def hold(*arguments: object) -> None:
        if not held:
            held.append(is_further.wait(WAIT_S))
        write_bytes(*arguments)  # type: ignore[arg-type]

    def note(log: TrainingLog, record: StepRecord) -> None:
        write_line(log, record)
        if record.step == 3:
            is_further.set()

    monkeypatch.setattr(writing, "write_pieces", hold)
    monkeypatch.setattr(TrainingLog, "write", note)
    recipe = recipe_in(tmp_path)
    train_quietly(recipe)
    assert held == [True]
    found = newest_checkpoint(recipe.out, pytest.fail)
    assert found is not None and found.position.step == 6


KILLED = """
import os, sys
from florenz.train import loop, writing
from florenz.train.recipe import load_recipe
write = writing.write_pieces
calls = []
def half(path, pieces):
    calls.append(path)
    if len(calls) > {calls}:
        write(path, dict(list(pieces.items())[:2]))
        os._exit(9)
    write(path, pieces)
writing.write_pieces = half
loop.train(load_recipe(sys.argv[1], {{"OUT": sys.argv[2]}}), print)
"""


def test_a_kill_in_the_middle_of_the_bytes_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    recipe = recipe_in(tmp_path, OUT=str(tmp_path / "killed"))
    whole = dataclasses.replace(recipe, out=str(tmp_path / "whole"))
    train_quietly(whole)
    done = forked_runs.run("-c", KILLED.format(calls=3), str(path), recipe.out)  # in the second file of the second
    assert done.returncode == 9, done.stderr
    left = sorted(one.name for one in (tmp_path / "killed" / "checkpoints").iterdir())
    assert left == [".step-00000003.partial", "step-00000002"]
    found = newest_checkpoint(recipe.out, pytest.fail)
    assert found is not None and found.position.step == 2
    train_quietly(recipe)
    assert metrics(recipe.out) == metrics(whole.out)
    weights = [(Path(one.out) / "model" / "model.safetensors").read_bytes() for one in (recipe, whole)]
    assert weights[0] == weights[1]
    assert not list((tmp_path / "killed" / "checkpoints").glob(".*"))


def test_a_full_disk_stops_the_training_and_leaves_the_checkpoint_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = writing.write_pieces, []

    def full(path: Path, pieces: object) -> None:
        calls.append(path)
        if "step-00000003" in str(path):
            raise OSError(28, "No space left on device")
        write(path, pieces)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "write_pieces", full)
    recipe = recipe_in(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        train_quietly(recipe)
    found = newest_checkpoint(recipe.out, pytest.fail)
    assert found is not None and found.position.step == 2
    assert json.loads((Path(recipe.out) / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 3
