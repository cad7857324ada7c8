"""Going on after a stop of any kind is as not stopping: the same losses and the same weights, bit for bit."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from shards_dataset import break_first_sample
from training_examples import losses, metrics, recipe_in, train_quietly

from florenz.stores.seals import SEAL
from florenz.train import building
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.data.processor import Processor
from florenz.train.data.stream import StreamError
from florenz.train.log import METRICS, StepRecord, TrainingLog, cut_log
from florenz.train.model.florenz import Florenz
from florenz.train.preflight import RULES
from florenz.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_build")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A training of three steps of text and three of vision that nothing disturbed."""
    recipe = recipe_in(tmp_path_factory.mktemp("finished"))
    train_quietly(recipe)
    return recipe


def test_a_finished_training_trains_nothing_when_it_is_started_again(finished: Recipe) -> None:
    before = (Path(finished.out) / "metrics.jsonl").read_bytes()
    assert train_quietly(finished) == []
    assert (Path(finished.out) / "metrics.jsonl").read_bytes() == before


class Killed(BaseException):
    """As sudden as a kill: no code of ours catches it."""


@pytest.mark.parametrize("step", [2, 3, 5])
@pytest.mark.slow
def test_going_on_from_any_step_gives_the_losses_of_an_undisturbed_run_bit_for_bit(
    finished: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"), workers=1)
    write = TrainingLog.write

    def kill_after(log: TrainingLog, record: StepRecord) -> None:
        write(log, record)
        if record.step == step:
            raise Killed

    monkeypatch.setattr(TrainingLog, "write", kill_after)
    with pytest.raises(Killed):
        train_quietly(recipe)
    monkeypatch.undo()
    assert len(metrics(recipe.out)) == step
    train_quietly(dataclasses.replace(recipe, workers=0))
    assert metrics(recipe.out) == metrics(finished.out)
    weights = [(Path(one.out) / "model" / "model.safetensors").read_bytes() for one in (recipe, finished)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_only_the_steps_since_the_one_before(
    finished: Recipe, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"))
    train_quietly(recipe)
    weights = Path(recipe.out) / "checkpoints" / "step-00000006" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    warning, stage = train_quietly(recipe)
    assert "step-00000006 is damaged" in warning and "stage vision from step 1:" in stage
    assert metrics(recipe.out) == metrics(finished.out)


@pytest.mark.slow
def test_dropout_too_is_the_same_after_going_on(
    finished: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = building.build

    def with_dropout(*arguments: object, **options: object) -> tuple[Florenz, Processor]:
        model, processor = build(*arguments, **options)  # type: ignore[arg-type]
        for module in model.modules():
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = 0.3
        return model, processor

    monkeypatch.setattr(building, "build", with_dropout)
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"))
    train_quietly(recipe)
    undisturbed = losses(recipe.out)
    assert undisturbed != losses(finished.out)
    (Path(recipe.out) / "checkpoints" / "step-00000006" / "checkpoint.json").unlink()
    train_quietly(recipe)
    assert losses(recipe.out) == undisturbed


def test_the_log_is_cut_to_whole_lines_of_the_steps_that_are_done(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    lines = [json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in (2, 4, 6, 8)]
    path.write_text("".join(lines) + lines[0][:9])
    cut_log(path, 6)
    assert path.read_text() == "".join(lines[:3])
    cut_log(path, 0)
    assert path.read_text() == ""


def test_a_training_that_an_earlier_version_began_goes_on_and_is_told_apart(finished: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished.out, out)
    shutil.rmtree(out / "checkpoints" / "step-00000006")
    record = out / "checkpoints" / "step-00000004" / "checkpoint.json"
    content = json.loads(record.read_text())
    assert content["identity"].pop("rules") == RULES
    record.write_text(json.dumps({name: value for name, value in content.items() if name != SEAL}))
    said = train_quietly(dataclasses.replace(finished, out=str(out)))
    assert sum("begun by an earlier version" in line for line in said) == 1
    assert losses(out) == losses(finished.out)
    assert not any("earlier version" in line for line in train_quietly(dataclasses.replace(finished, out=str(out))))


def test_skips_and_cut_texts_of_before_a_stop_count_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that may skip a few samples must not get as many again each time it is started."""
    longer = "steps = 3\nimages = false", "steps = 8\nimages = false"
    changes = ("workers = 0", "workers = 0\nmax_skips = 100"), longer
    whole = recipe_in(tmp_path, *changes, OUT=str(tmp_path / "whole"))
    break_first_sample(tmp_path / "data", "train-000000.tar")
    cut_at_nine(monkeypatch)
    told = [line for line in train_quietly(whole) if line.startswith("warning: stage text")]
    skips, cuts = told
    num_skipped = int(skips.split()[3])
    assert num_skipped >= 2 and "could not be read" in skips and "examples were cut, to 112 tokens" in cuts
    part = recipe_in(tmp_path, *changes, OUT=str(tmp_path / "part"))
    write = TrainingLog.write

    def kill_after(log: TrainingLog, record: StepRecord) -> None:
        write(log, record)
        if record.step == 5:
            raise Killed

    monkeypatch.setattr(TrainingLog, "write", kill_after)
    with pytest.raises(Killed):
        train_quietly(part)
    monkeypatch.setattr(TrainingLog, "write", write)
    assert [line for line in train_quietly(part) if line.startswith("warning: stage text")] == told
    kept = newest_checkpoint(part.out, pytest.fail)
    assert kept is not None and set(kept.counts) == {"skipped", "truncated", "examples"}
    few = ("workers = 0", f"workers = 0\nmax_skips = {num_skipped - 1}"), longer
    stopped = recipe_in(tmp_path, *few, OUT=str(tmp_path / "few"))
    for _ in range(2):  # the second time it goes on, and may still not skip more
        with pytest.raises(StreamError, match=f"{num_skipped - 1} skips are allowed"):
            train_quietly(stopped)


def cut_at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of the miniature datasets end after nine tokens."""
    build = building.build

    def with_short_texts(*arguments: object, **options: object) -> tuple[Florenz, Processor]:
        model, processor = build(*arguments, **options)  # type: ignore[arg-type]
        processor.settings = dataclasses.replace(processor.settings, max_text_tokens=9)
        return model, processor

    monkeypatch.setattr(building, "build", with_short_texts)
