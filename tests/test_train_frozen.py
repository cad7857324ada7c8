"""frozen_weights = "bfloat16": parts that no stage trains take half, and everything else is as it was."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from test_train_plan import path_of
from training_examples import losses, metrics, one_build, recipe_in, train_quietly

from florenz.recipes.recipe_file import RecipeError
from florenz.train import loop
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.model.florenz import Florenz
from florenz.train.model.parts import PARTS, parts_of
from florenz.train.plan import need_of, work_of
from florenz.train.recipe import Recipe, load_recipe
from florenz.train.training import Training

ROUNDED = {"vision", "text_encoder", "encoder_embeddings", "cross_attention", "gates"}  # of training_examples.RECIPE
KEYS = 'precision = "bfloat16"\nfrozen_weights = "bfloat16"'


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    recipe = recipe_in(tmp_path_factory.mktemp("frozen"), ('precision = "float32"', KEYS))
    with one_build():
        train_quietly(recipe)
        yield recipe


def test_losses_are_near_those_of_float32_and_checkpoints_are_float32(finished: Recipe, tmp_path: Path) -> None:
    whole = dataclasses.replace(finished.compute, frozen_weights="float32")
    other = dataclasses.replace(finished, out=str(tmp_path / "out"), compute=whole)
    train_quietly(other)
    assert losses(finished.out) == pytest.approx(losses(other.out), rel=0.02) and losses(finished.out) != losses(
        other.out
    )
    first, second = (newest_checkpoint(one.out, pytest.fail) for one in (finished, other))
    assert first is not None and second is not None and first.identity == second.identity
    rounded, exact = first.weights(), second.weights()
    assert {tensor.dtype for tensor in rounded.values() if tensor.is_floating_point()} == {torch.float32}
    name = "encoder.text_encoder.layers.0.fc1.weight"
    assert torch.equal(rounded[name], exact[name].bfloat16().float()) and not torch.equal(rounded[name], exact[name])


def test_only_what_no_stage_trains_is_held_so(
    finished: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[dict[str, set[tuple[torch.dtype, bool]]]] = []
    prepare = loop.prepare

    def look(model: Florenz, this: Training) -> torch.nn.Module:
        held.append({part: {(one.dtype, one.ndim > 1) for _, one in found} for part, found in parts_of(model).items()})
        return prepare(model, this)

    monkeypatch.setattr(loop, "prepare", look)
    with one_build():
        train_quietly(dataclasses.replace(finished, out=str(tmp_path / "out")))
    assert len(held) == 2
    for part in PARTS:
        wanted = {(torch.bfloat16 if part in ROUNDED else torch.float32, True), (torch.float32, False)}
        assert all(of_stage[part] <= wanted for of_stage in held), part


def test_going_on_gives_the_same_bit_for_bit(finished: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    halted = dataclasses.replace(finished, out=str(out), stages=finished.stages)
    train_quietly(halted)
    for path in (out / "checkpoints").iterdir():
        if path.name > "step-00000004":
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    with one_build():
        train_quietly(halted)
    assert metrics(out) == metrics(finished.out)
    weights = [(Path(one) / "model" / "model.safetensors").read_bytes() for one in (out, finished.out)]
    assert weights[0] == weights[1]


def test_it_wants_bfloat16_arithmetic(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_in(tmp_path, ('precision = "float32"', 'precision = "float32"\nfrozen_weights = "bfloat16"'))
    (line,) = caught.value.problems
    assert "frozen_weights is bfloat16 and precision float32" in line and 'set precision = "bfloat16"' in line


def test_the_plan_counts_what_it_saves() -> None:
    """Whatever is frozen but norms and biases."""
    whole = load_recipe(path_of("0.4b"))
    rounded = dataclasses.replace(whole, compute=dataclasses.replace(whole.compute, frozen_weights="bfloat16"))
    stage = whole.stages[0]
    work, less = work_of(whole, stage), work_of(rounded, stage)
    assert (work.rounded, less.rounded) == (0, pytest.approx(work.parameters - work.trained, rel=0.01))
    needs = [need_of(one, stage, of, num_gpus=8, peak=1e15, mfu=0.5) for one, of in ((whole, work), (rounded, less))]
    saved = (needs[0].memory - needs[1].memory) * 2**30
    assert saved == pytest.approx(4 * less.rounded)  # half of the weights, and the copies for bfloat16 arithmetic
    json.dumps(rounded.identity())
    assert rounded.identity() == whole.identity()
