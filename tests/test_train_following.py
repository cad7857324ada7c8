"""A dataset that grows while it is trained on: taken up at an epoch's end, and exact after a stop."""

import dataclasses
import json
from pathlib import Path

import pytest
import shards_dataset
from shards_dataset import write_dataset
from training_examples import metrics, one_build, recipe_in, train_quietly, write_recipe

from florenz.shards.manifest import read_manifest, write_manifest
from florenz.train.__main__ import main
from florenz.train.checkpoint import newest_record
from florenz.train.log import StepRecord, TrainingLog
from florenz.train.recipe import Recipe

NEWER = "fedcba9876543210"
LONGER = ("steps = 3\nimages = false", "steps = 9\nimages = false")


class Killed(BaseException):
    """As sudden as a kill: no code of ours catches it."""


def grow(folder: Path) -> None:
    """A newer build of the same OUT, of forty pictures; the one before stays, as KEEP_BUILDS has it."""
    before = (folder / "data" / "manifest.json").read_bytes()
    (folder / "data" / "builds").mkdir(exist_ok=True)
    (folder / "data" / "builds" / f"{shards_dataset.BUILD}.manifest.json").write_bytes(before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards_dataset, "BUILD", NEWER)
        write_dataset(str(folder / "data"), 40)


def train_while_it_grows(recipe: Recipe, folder: Path, *, kill_after: int = 0) -> list[str]:
    """The newer build is there from the second step on."""
    write = TrainingLog.write

    def note(log: TrainingLog, record: StepRecord) -> None:
        write(log, record)
        if record.step == 2 and read_manifest(recipe.data).build != NEWER:
            grow(folder)
        if record.step == kill_after:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingLog, "write", note)
        return train_quietly(recipe)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Recipe]:
    folder = tmp_path_factory.mktemp("whole")
    with one_build():
        recipe = recipe_in(folder, LONGER, FOLLOW="1")
        return train_while_it_grows(recipe, folder), recipe


def test_a_newer_build_is_taken_up_at_the_end_of_the_epoch(whole: tuple[list[str], Recipe]) -> None:
    said, recipe = whole
    (line,) = [line for line in said if "with build" in line]
    assert f"stage text: from step 3 on with build {NEWER}" in line  # nine pictures in batches of four
    epochs = [line["epoch"] for line in metrics(recipe.out)[:9]]
    per_epoch = -(-sum(one.samples for one in read_manifest(recipe.data).shards_of("train")) // 4)
    assert epochs == pytest.approx([1 / 3, 2 / 3, 1] + [1 + step / per_epoch for step in range(1, 7)], abs=1e-3)
    newest = newest_record(recipe.out)
    assert newest is not None and newest.segment["build"] == NEWER


@pytest.mark.parametrize("step", [3, 5])
def test_a_training_that_goes_on_reads_what_it_read(whole: tuple[list[str], Recipe], tmp_path: Path, step: int) -> None:
    """From the checkpoint of step 2, in the old build, though the newer one is there; and from that of step 4."""
    with one_build():
        recipe = recipe_in(tmp_path, LONGER, FOLLOW="1")
        with pytest.raises(Killed):
            train_while_it_grows(recipe, tmp_path, kill_after=step)
        train_quietly(recipe)
    assert metrics(recipe.out) == metrics(whole[1].out)


def test_a_build_that_is_gone_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with one_build():
        recipe = recipe_in(tmp_path, LONGER, FOLLOW="1")
        with pytest.raises(Killed):
            train_while_it_grows(recipe, tmp_path, kill_after=3)
    (tmp_path / "data" / "builds" / f"{shards_dataset.BUILD}.manifest.json").unlink()
    assert main([str(write_recipe(tmp_path, LONGER)), "FOLLOW=1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"has no build {shards_dataset.BUILD} any more" in err and "KEEP_BUILDS=2" in err


def test_a_build_in_other_languages_is_left_alone(tmp_path: Path) -> None:
    with one_build():
        recipe = recipe_in(tmp_path, LONGER, FOLLOW="1")
        write = TrainingLog.write

        def note(log: TrainingLog, record: StepRecord) -> None:
            write(log, record)
            if record.step == 2:
                grow(tmp_path)
                manifest = read_manifest(recipe.data)
                write_manifest(recipe.data, dataclasses.replace(manifest, languages=(*manifest.languages, "it")))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainingLog, "write", note)
            said = train_quietly(recipe)
    assert any(f"warning: build {NEWER} is in" in line for line in said)
    newest = newest_record(recipe.out)
    assert newest is not None and newest.segment["build"] == shards_dataset.BUILD


@pytest.mark.parametrize(
    ("variables", "words"),
    [(("FOLLOW=yes",), "FOLLOW must be 0 or 1"), (("FOLLOW=1", "DATA=a,b"), "is for one dataset")],
)
def test_what_is_refused(
    variables: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(write_recipe(tmp_path)), *variables]) == 2
    assert words in capsys.readouterr().err
    assert json.loads((tmp_path / "data" / "manifest.json").read_text())["build"] == shards_dataset.BUILD
