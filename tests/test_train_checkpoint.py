"""Checkpoints are complete or absent, whatever happens while and after they are written."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from florenz.train.checkpoint import (
    FOLDER,
    Checkpoint,
    Position,
    identity_of_newest,
    newest_checkpoint,
    read_checkpoint,
    remove_unfinished,
    save_checkpoint,
)

IDENTITY = {"size": "playground", "text.parts": ["decoder"], "text.peak_rate": 0.001}


def save(out: Path, step: int, keep: int = 3) -> Path:
    return save_checkpoint(
        str(out),
        position=Position(stage=1, stage_step=step - 2, step=step, micro_batch=4 * step),
        identity=IDENTITY,
        weights={"weight": torch.full((3, 2), step / 3), "gate": torch.tensor(0.5)},
        optimizer_state={"weight:exp_avg": torch.full((3, 2), -step / 7), "weight:step": torch.tensor(float(step))},
        keep=keep,
    )


def newest(out: Path) -> tuple[Checkpoint | None, list[str]]:
    warnings: list[str] = []
    return newest_checkpoint(str(out), warnings.append), warnings


def step_of(checkpoint: Checkpoint | None) -> int | None:
    return checkpoint.position.step if checkpoint else None


def test_what_comes_back_is_what_was_saved_bit_for_bit(tmp_path: Path) -> None:
    save(tmp_path, 5)
    found, warnings = newest(tmp_path)
    assert found is not None and not warnings
    assert found.position == Position(stage=1, stage_step=3, step=5, micro_batch=20)
    assert found.identity == IDENTITY == identity_of_newest(str(tmp_path))
    assert torch.equal(found.weights()["weight"], torch.full((3, 2), 5 / 3)) and found.weights()["gate"].shape == ()
    assert torch.equal(found.optimizer_state()["weight:exp_avg"], torch.full((3, 2), -5 / 7))
    assert read_checkpoint(str(tmp_path), 5) == found


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert newest(tmp_path) == (None, []) and identity_of_newest(str(tmp_path)) is None


def test_the_newest_stay_and_the_others_go(tmp_path: Path) -> None:
    for step in (2, 4, 6, 100_000_0):
        save(tmp_path, step, keep=2)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["step-00000006", "step-01000000"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "removed", "emptied"])
def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path: Path, name: str, damage: str) -> None:
    save(tmp_path, 4)
    path = save(tmp_path, 6) / name
    content = path.read_bytes()
    place = content.index(b"sha256") if name.endswith("json") else len(content) - 5
    damaged = {"cut": content[:-3], "emptied": b"", "flipped": content[:place] + b"\xff" + content[place + 1 :]}
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(damaged[damage])
    found, (warning,) = newest(tmp_path)
    assert step_of(found) == 4
    assert "step-00000006 is damaged" in warning and "\n" not in warning


def test_if_all_are_damaged_training_begins_anew(tmp_path: Path) -> None:
    for step in (4, 6):
        (save(tmp_path, step) / "model.safetensors").unlink()
    found, warnings = newest(tmp_path)
    assert found is None and len(warnings) == 2


def test_one_in_a_format_from_the_future_is_passed_over(tmp_path: Path) -> None:
    path = save(tmp_path, 4) / "checkpoint.json"
    record = json.loads(path.read_text()) | {"format": 2}
    del record["checksum"]
    path.write_text(json.dumps(record))
    found, (warning,) = newest(tmp_path)
    assert found is None and "format is 2" in warning


def test_a_damaged_one_is_replaced_when_training_comes_to_its_step_again(tmp_path: Path) -> None:
    (save(tmp_path, 4) / "model.safetensors").write_bytes(b"")
    save(tmp_path, 4)
    assert step_of(newest(tmp_path)[0]) == 4


class Cut(BaseException):
    """Ends a save as a kill would: nothing in the code catches it."""


@dataclasses.dataclass
class FileOperations:
    """An audit hook (it can't be removed) that raises `Cut` before the n-th file operation below a folder."""

    folder: str = "\0"
    left: int = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and self.folder in str(arguments[0]):
            self.left -= 1
            if self.left == 0:
                raise Cut


OPERATIONS = FileOperations()
sys.addaudithook(OPERATIONS)


@contextmanager
def cut_before(operation: int, folder: Path) -> Iterator[None]:
    OPERATIONS.folder, OPERATIONS.left = str(folder), operation
    try:
        yield
    finally:
        OPERATIONS.folder = "\0"


def test_a_save_that_is_cut_off_anywhere_leaves_the_one_before_or_the_whole_new_one(tmp_path: Path) -> None:
    operation = 0
    steps: set[int | None] = set()
    while True:
        operation += 1
        out = tmp_path / str(operation)
        save(out, 2, keep=1)
        try:
            with cut_before(operation, out):
                save(out, 4, keep=1)
        except Cut:
            found, warnings = newest(out)
            assert step_of(found) in (2, 4) and not warnings
            steps.add(step_of(found))
            remove_unfinished(str(out))
            save(out, 6, keep=1)
            assert [path.name for path in (out / FOLDER).iterdir()] == ["step-00000006"]
        else:
            break
    assert steps == {2, 4} and operation > 8
