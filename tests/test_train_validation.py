"""Validation on the way: figures that scoring would give too, on images that are neither trained on nor reported."""

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from model_examples import miniature
from safetensors.torch import save_file
from shards_dataset import edit_listing, edit_samples, write_dataset
from training_examples import metrics, recipe_in, train_quietly, write_recipe
from transformers.modeling_outputs import Seq2SeqLMOutput

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest
from florenz.train import validating
from florenz.train import validation as validating_module
from florenz.train.__main__ import main
from florenz.train.best import Best, begin_best, best_weights, finish_best, read_best
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.distributed import Place
from florenz.train.model.florenz import IGNORED
from florenz.train.model.loading import load
from florenz.train.recipe import Recipe, load_recipe
from florenz.train.scores.asking import Asking
from florenz.train.scores.scoring import evaluate
from florenz.train.scores.sets import dataset
from florenz.train.settings.stages import Stage
from florenz.train.validation import PairLoss, Validation, chosen_by, figures, texts_at_once

pytestmark = pytest.mark.usefixtures("one_build")

PLACE = Place(rank=0, world_size=1, device=torch.device("cpu"))
STAGE = '[[stages]]\nname = "text"'
VALIDATED = (STAGE, f'[validation]\nevery_steps = 1\nkeep = "best"\n{STAGE}')
NUM_IMAGES = 80


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    write_dataset(str(folder), num_images=NUM_IMAGES)
    return str(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("validated")
    write_dataset(str(folder / "data"), num_images=NUM_IMAGES)
    recipe = recipe_in(folder, VALIDATED)
    train_quietly(recipe)
    return recipe


def keys(folder: str, use: dataset.Use) -> list[str]:
    one = dataset.Set(folder=folder, use=use)
    return list(dict.fromkeys(item.image for part in one.parts() for item in one.items(part)))


def test_what_chooses_is_not_reported(data: str) -> None:
    every, report, choose = (keys(data, use) for use in ("all", "report", "choose"))
    assert sorted(report + choose) == sorted(every) and not set(report) & set(choose)
    assert 0.1 < len(choose) / len(every) < 0.4
    assert dataset.Set(folder=data, use="report").parts() == {"val": len(report), "heldout": len(report)}


def test_a_split_of_its_own_for_choosing_leaves_val_whole(tmp_path: Path) -> None:
    """Here the first shard of train is made one; it has no withheld captions, which nothing is chosen by."""
    write_dataset(str(tmp_path))
    edit_listing(tmp_path, "train-000000.tar", lambda info: dataclasses.replace(info, split="choose"))
    manifest = read_manifest(str(tmp_path))
    every, report = (dataset.Set(folder=str(tmp_path), use=use) for use in ("all", "report"))
    assert report.parts() == every.parts() and list(report.items("val")) == list(every.items("val"))
    (shard,) = manifest.shards_of("choose")
    choose = dataset.Set(folder=str(tmp_path), use="choose")
    assert choose.parts() == {"choose": shard.samples}
    assert not any(item.is_held_out for item in choose.items("choose"))
    assert {item.image for item in choose.items("choose")}.isdisjoint(item.image for item in report.items("val"))


def test_held_out_captions_of_val_can_be_watched_and_choose_nothing(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    edit_listing(tmp_path, "train-000000.tar", lambda info: dataclasses.replace(info, split="choose"))
    watched = dataset.Set(folder=str(tmp_path), use="choose", watches=True)
    report = dataset.Set(folder=str(tmp_path), use="report")
    assert list(watched.parts()) == ["choose", "heldout"]
    assert list(watched.items("heldout")) == list(report.items("heldout"))
    model, processor = miniature("florence")
    found = Validation(watched, processor, PLACE, image_px=32, max_images=100).measure(
        model, contextlib.nullcontext, None
    )
    assert found["caption/fr"].is_held_out and not found["caption/de"].is_held_out
    covered = {pair: one for pair, one in found.items() if pair != "caption/fr"}
    assert chosen_by(found, list(found)) == chosen_by(covered, list(covered))


@pytest.fixture(scope="module")
def validation(data: str) -> Validation:
    _, processor = miniature("florence")
    return Validation(dataset.Set(folder=data, use="choose"), processor, PLACE, image_px=32, max_images=100)


def test_its_figures_are_those_of_scoring(data: str, validation: Validation) -> None:
    model, processor = miniature("florence")
    pairs = validation.measure(model, contextlib.nullcontext, None)
    scored = evaluate(model, processor, dataset.Set(folder=data, use="choose"), asking=Asking(max_new_tokens=50)).pairs
    assert {f"{one.task}/{one.language}" for one in scored} == set(pairs)
    for one in scored:
        found = pairs[f"{one.task}/{one.language}"]
        assert found.cross_entropy == pytest.approx(one.cross_entropy, rel=1e-4)
        assert found.is_held_out == one.is_held_out


def test_a_large_vocabulary_is_asked_a_few_texts_at_a_time(
    data: str, validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As few that their logits fit into what a plan leaves free; the figures are those of large batches."""
    model, processor = miniature("florence")
    shapes: list[torch.Size] = []

    def look(module: torch.nn.Module, given: object, outcome: Seq2SeqLMOutput) -> None:
        shapes.append(outcome.logits.shape)

    model.register_forward_hook(look)
    whole = validation.measure(model, contextlib.nullcontext, None)
    assert max(shape[0] for shape in shapes) > 16
    most = max(shape.numel() for shape in shapes) // 8
    monkeypatch.setattr(validating_module, "LOGITS_AT_ONCE", most)
    few = Validation(dataset.Set(folder=data, use="choose"), processor, PLACE, image_px=32, max_images=100)
    shapes.clear()
    found = few.measure(model, contextlib.nullcontext, None)
    assert max(shape.numel() for shape in shapes) <= most
    for pair, of_pair in whole.items():
        assert found[pair].cross_entropy == pytest.approx(of_pair.cross_entropy, rel=1e-5)
        assert found[pair].exact == of_pair.exact
    monkeypatch.undo()
    vocabulary = SimpleNamespace(settings=processor.settings, decoder_tokenizer=range(256_000))
    assert texts_at_once(vocabulary) * processor.settings.max_text_tokens * 256_000 <= 1 << 27  # type: ignore[arg-type]


def test_a_text_is_exact_if_each_of_its_tokens_is_the_likeliest() -> None:
    labels_BT = torch.tensor([[1, 2, IGNORED], [1, 2, 3], [IGNORED, 2, 3]])
    logits_BTV = torch.zeros(3, 3, 4)
    for row, likeliest in enumerate([(1, 2, 0), (1, 0, 3), (3, 2, 3)]):
        for place, token in enumerate(likeliest):
            logits_BTV[row, place, token] = 2.0
    loss, tokens, exact, texts = figures(logits_BTV, labels_BT).unbind(1)
    assert exact.tolist() == [1, 0, 1] and tokens.tolist() == [2, 3, 2] and texts.tolist() == [1, 1, 1]
    hit = float(torch.logsumexp(torch.tensor([2.0, 0.0, 0.0, 0.0]), 0)) - 2.0
    assert loss.tolist() == pytest.approx([2 * hit, 3 * hit + 2.0, 2 * hit], rel=1e-5)


def test_the_model_is_left_in_its_mode(validation: Validation) -> None:
    model, _ = miniature("florence")
    model.train()
    model.encoder.vision_tower.eval()
    validation.measure(model, contextlib.nullcontext, None)
    assert model.decoder.training and model.training and not model.encoder.vision_tower.training


def test_held_out_pairs_have_no_say() -> None:
    covered = PairLoss(cross_entropy=2.0, exact=0.0, is_held_out=False)
    for held_out in (0.0, 9.0):
        other = PairLoss(cross_entropy=held_out, exact=0.0, is_held_out=True)
        assert chosen_by({"caption/en": covered, "caption/fr": other}, {"caption/en", "caption/fr"}) == 2.0


def test_pairs_that_nothing_learns_have_no_say_beside_others() -> None:
    learned, left_out = (PairLoss(cross_entropy=loss, exact=0.0, is_held_out=False) for loss in (2.0, 9.0))
    pairs = {"caption/en": learned, "translation/fr": left_out}
    assert chosen_by(pairs, ["caption/en"]) == 2.0 and chosen_by(pairs, []) == 5.5


def test_a_stage_learns_what_it_sees_and_is_not_told_to_leave_out() -> None:
    stage = Stage(name="all", steps=1, batch_size=1, peak_rate=1e-3, images=True, parts=("decoder",), mix={})
    assert stage.learns("caption/de") and stage.learns("translation/fr")
    assert not dataclasses.replace(stage, leave_out=("translation/fr",)).learns("translation/fr")
    assert not dataclasses.replace(stage, mix={"caption/de": 1.0}).learns("caption/en")
    assert not dataclasses.replace(stage, images=False).learns("caption/de")


def test_every_pair_stands_in_the_log(finished: Recipe) -> None:
    lines = [line for line in metrics(finished.out) if "pairs" in line]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert set(lines[0]["pairs"]) == {"translation/de", "translation/fr"}  # no pictures in that stage
    covered = {"caption/en", "caption/de", "translation/de", "translation/fr"}
    assert set(lines[-1]["pairs"]) == {*covered, "caption/fr"} and lines[-1]["pairs"]["caption/fr"]["is_held_out"]
    mean = sum(lines[-1]["pairs"][pair]["cross_entropy"] for pair in covered) / 4
    assert lines[-1]["chosen_by"] == pytest.approx(mean)


def test_the_model_has_the_weights_of_the_best_validation_of_the_last_stage(finished: Recipe) -> None:
    lines = [line for line in metrics(finished.out) if "pairs" in line and line["stage"] == "vision"]
    best = min(lines, key=lambda line: (line["chosen_by"], line["step"]))
    assert json.loads((Path(finished.out) / "best" / "best.json").read_text())["step"] == best["step"]
    model, processor = load(str(Path(finished.out) / "model"))
    asked = dataset.Set(folder=finished.data, use="choose")
    pairs = Validation(asked, processor, PLACE, image_px=96, max_images=200).measure(
        model, contextlib.nullcontext, None
    )
    assert chosen_by(pairs, pairs) == pytest.approx(best["chosen_by"], rel=1e-5)


def test_a_worse_validation_after_the_best_one_changes_nothing(
    finished: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, counting = iter([9.0, 9.0, 9.0, 3.0, 1.0, 2.0]), []

    def choose(pairs: Mapping[str, PairLoss], learned: Sequence[str]) -> float:
        counting.append(set(learned))
        return next(scores)

    monkeypatch.setattr(validating, "chosen_by", choose)
    stages = tuple(dataclasses.replace(stage, leave_out=("translation/de",)) for stage in finished.stages)
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"), stages=stages)
    said = train_quietly(recipe)
    assert counting[-1] == {"caption/en", "caption/de", "caption/fr", "translation/fr"}
    assert any("kept the weights after step 5" in line for line in said)
    kept, last = best_weights(recipe.out), newest_checkpoint(recipe.out, pytest.fail)
    assert last is not None
    model, _ = load(str(tmp_path / "out" / "model"))
    saved = dict(model.named_parameters())
    assert all(torch.equal(saved[name], kept[name]) for name in saved)
    assert any(not torch.equal(saved[name], last.weights()[name]) for name in saved)


def test_validating_changes_no_step(finished: Recipe, tmp_path: Path) -> None:
    silent = dataclasses.replace(finished.validation, every_steps=0, keep="last")
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"), validation=silent)
    train_quietly(recipe)
    steps = [line for line in metrics(finished.out) if "pairs" not in line]
    assert metrics(recipe.out) == steps


def keep_best(out: str, best: Best, weight: float) -> None:
    save_file({"x": torch.full((2,), weight)}, begin_best(out) / "model.safetensors")
    finish_best(out, best, identity={"seed": 0})


def test_the_earlier_of_two_equal_ones_is_kept(tmp_path: Path) -> None:
    keep_best(str(tmp_path), Best(step=7, score=1.0), 0.0)
    found = read_best(str(tmp_path), {"seed": 0})
    assert found == Best(step=7, score=1.0)
    assert found.is_beaten_by(1.0, 5) and found.is_beaten_by(0.9, 9)
    assert not found.is_beaten_by(1.0, 7) and not found.is_beaten_by(1.0, 9)
    assert read_best(str(tmp_path), {"seed": 1}) is None
    keep_best(str(tmp_path), Best(step=9, score=0.5), 1.0)
    assert torch.equal(best_weights(str(tmp_path))["x"], torch.ones(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best"]


def test_best_weights_that_are_gone_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"best weights of the training, cannot be read .*: remove .*checkpoints"):
        best_weights(str(tmp_path))


def test_a_dataset_with_nothing_to_choose_by_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, VALIDATED)
    edit_samples(tmp_path / "data", "val-000000.tar", lambda samples: samples[:0])
    assert main([str(recipe)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "validation" in error and "every_steps = 0" in error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("every_steps = 1", "every_steps = 0"), 'keep = "best" needs something to choose from'),
        (('keep = "best"', 'keep = "bset"'), "keep is 'bset': choose last or best"),
        (('every_steps = 1\nkeep = "best"', "watch_held_out = true"), "watch_held_out is for validation on the way"),
        (('keep = "best"', 'split = "train"'), "split is 'train': choose one that is neither trained on nor reported"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = write_recipe(tmp_path, VALIDATED, change)
    with pytest.raises(RecipeError, match=words):
        load_recipe(str(path))
