"""The loop on a real model in miniature: what a step is, what a stage trains, what is left behind."""

import dataclasses
from pathlib import Path

import pytest
import torch
from shards_dataset import break_first_sample
from torch import nn
from training_examples import losses, metrics, recipe_in, train_quietly

from florenz.train import building, loop, preflight
from florenz.train.building import make_optimizer
from florenz.train.checkpoint import Position, newest_checkpoint
from florenz.train.data.processor import Processor
from florenz.train.distributed import has_bfloat16, repeated_layers
from florenz.train.model.florenz import Florenz
from florenz.train.model.loading import load
from florenz.train.model.parts import parts_of, train_only
from florenz.train.recipe import Recipe
from florenz.train.settings.stages import OptimizerSettings
from florenz.train.step import Batch, take_step
from florenz.train.training import Training

pytestmark = pytest.mark.usefixtures("one_build")


def training(recipe: Recipe) -> Training:
    manifest, place = preflight.check(recipe)
    return Training(recipe=recipe, manifest=manifest, place=place, log=None, say=pytest.fail)


def model_of(this: Training) -> tuple[Florenz, Processor]:
    return building.load_model(this.recipe, this.manifest, None)


def batches_of(this: Training, processor: Processor, number: int, stage: int = 1) -> list[Batch]:
    batches = building.make_stream(this, this.recipe.stages[stage], processor).batches()
    return [next(batches) for _ in range(number)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A training of three steps of text and three of vision that nothing disturbed."""
    recipe = recipe_in(tmp_path_factory.mktemp("finished"))
    train_quietly(recipe)
    return recipe


def test_a_training_leaves_a_line_per_step_checkpoints_and_a_model_that_loads(finished: Recipe) -> None:
    out = Path(finished.out)
    lines = metrics(out)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["stage"] for line in lines] == ["text"] * 3 + ["vision"] * 3
    assert all(line["images"] == 0 for line in lines[:3]) and all(2 <= line["images"] <= 4 for line in lines[3:])
    assert [line["epoch"] for line in lines[3:]] == [0.4, 0.8, 1.2]  # nine pictures in batches of two
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-00000004", "step-00000006"]
    model, processor = load(str(out / "model"))
    checkpoint = newest_checkpoint(finished.out, pytest.fail)
    assert checkpoint is not None and processor.image_px == 96
    weights = checkpoint.weights()
    assert torch.equal(model.lm_head.weight, weights["decoder.embed_tokens.weight"])
    assert set(dict(model.named_parameters())) <= set(weights)


def test_a_stage_trains_its_parts_and_nothing_else(finished: Recipe) -> None:
    start, _ = model_of(training(finished))
    end, _ = load(str(Path(finished.out) / "model"))
    trained = {part for stage in finished.stages for part in stage.parts}
    final = dict(end.named_parameters())
    for part, parameters in parts_of(start).items():
        for name, parameter in parameters:
            is_same = torch.equal(parameter, final[name])
            assert is_same == (part not in trained), name


def test_the_loss_of_a_step_is_the_mean_over_all_its_tokens_however_they_are_split(tmp_path: Path) -> None:
    """Micro-batches of other lengths: a mean of means would be another number."""
    this = training(recipe_in(tmp_path))
    model, processor = model_of(this)
    train_only(model, ["latents"])
    batches = batches_of(this, processor, 3)
    counts = [int((batch["labels"] != -100).sum()) for batch in batches]
    assert len(set(counts)) > 1
    sums = []
    for batch, count in zip(batches, counts, strict=True):
        loss = model(**batch).loss
        (loss * count / sum(counts)).backward()
        sums.append(float(loss) * count)
    wanted = [parameter.grad.clone() for parameter in model.encoder.latents.parameters()]
    model.zero_grad()
    caught: list[torch.Tensor] = []
    optimizer = make_optimizer(model, this.recipe.optimizer)
    optimizer.register_step_pre_hook(
        lambda *_: caught.extend(parameter.grad.clone() for parameter in model.encoder.latents.parameters())
    )
    unclipped = dataclasses.replace(this.recipe, optimizer=OptimizerSettings(clip_norm=1e9))
    outcome = take_step(dataclasses.replace(this, recipe=unclipped), model, optimizer, Position(stage=1), 1e-4, batches)
    assert float(outcome.loss) == pytest.approx(sum(sums) / sum(counts), rel=1e-5)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(caught, wanted, strict=True))
    norm = torch.cat([gradient.flatten() for gradient in wanted]).norm()
    assert float(outcome.gradient_norm) == pytest.approx(float(norm), rel=1e-4)
    assert outcome.totals.tolist() == [sum(counts), sum(len(batch["pixel_values"]) for batch in batches), 0]


def test_a_long_gradient_is_clipped(tmp_path: Path) -> None:
    this = training(recipe_in(tmp_path, ("clip_norm = 1.0", "clip_norm = 0.01")))
    model, processor = model_of(this)
    train_only(model, ["decoder"])
    optimizer = make_optimizer(model, this.recipe.optimizer)
    norms: list[float] = []
    optimizer.register_step_pre_hook(
        lambda *_: norms.append(
            float(torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None]).norm())
        )
    )
    outcome = take_step(this, model, optimizer, Position(), 1e-4, batches_of(this, processor, 1))
    assert float(outcome.gradient_norm) > 0.1 and norms == pytest.approx([0.01], rel=1e-3)


def test_weight_decay_is_for_matrices_alone() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2, bias=False))
    model[2].requires_grad_(False)
    decayed, others = make_optimizer(model, OptimizerSettings(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert [parameter.shape for parameter in decayed["params"]] == [(4, 3)]
    assert [parameter.shape for parameter in others["params"]] == [(4,), (4,), (4,)]


def test_the_loss_falls(tmp_path: Path) -> None:
    recipe = recipe_in(
        tmp_path,
        ("steps = 3\nimages = false", "steps = 40\nimages = false"),
        ("checkpoint_every_steps = 2", "checkpoint_every_steps = 100"),
    )
    train_quietly(dataclasses.replace(recipe, stages=recipe.stages[:1]))
    found = losses(recipe.out)
    assert sum(found[-5:]) < 0.5 * sum(found[:5])


def test_activation_checkpointing_changes_no_loss(finished: Recipe, tmp_path: Path) -> None:
    compute = dataclasses.replace(finished.compute, activation_checkpointing=True)
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"), compute=compute)
    train_quietly(recipe)
    assert losses(recipe.out) == pytest.approx(losses(finished.out), rel=1e-5)


def test_compile_is_for_every_repeated_layer(tmp_path: Path) -> None:
    """That the losses are the same was seen once by hand: compiling takes minutes on a CPU."""
    this = training(recipe_in(tmp_path, ("[records]", "compile = true\n[records]")))
    model, _ = model_of(this)
    runner = building.prepare(model, this)
    compiled = [module for module in runner.modules() if module._compiled_call_impl is not None]
    assert compiled == repeated_layers(model) and len(compiled) > 4


@pytest.mark.slow
def test_bfloat16_is_near_float32_and_keeps_weights_in_float32(finished: Recipe, tmp_path: Path) -> None:
    compute = dataclasses.replace(finished.compute, precision="bfloat16")
    recipe = dataclasses.replace(finished, out=str(tmp_path / "out"), compute=compute)
    said = train_quietly(recipe)
    assert any("bfloat16 is many times slower" in line for line in said) != has_bfloat16(torch.device("cpu"))
    assert losses(recipe.out) == pytest.approx(losses(finished.out), rel=0.05)
    assert losses(recipe.out) != losses(finished.out)
    checkpoint = newest_checkpoint(recipe.out, pytest.fail)
    assert checkpoint is not None
    state = checkpoint.weights() | checkpoint.optimizer_state()
    assert {tensor.dtype for tensor in state.values() if tensor.is_floating_point()} == {torch.float32}


def test_a_loss_that_is_no_number_stops_the_training_and_no_checkpoint_follows(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path, ("peak_rate = 1e-3", "peak_rate = 1e30"))
    with pytest.raises(ValueError, match=r"step \d: the loss is .*: lower the peak_rate"):
        train_quietly(recipe)
    checkpoint = newest_checkpoint(recipe.out, pytest.fail)
    assert checkpoint is None or all(tensor.isfinite().all() for tensor in checkpoint.weights().values())


def test_skipped_samples_are_counted_and_told(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path, ("workers = 0", "workers = 0\nmax_skips = 30"))
    break_first_sample(tmp_path / "data", "train-000000.tar")
    said = train_quietly(recipe)
    assert sum("1 samples could not be read" in line for line in said) == 2  # once in each stage


def test_tensorboard_gets_the_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = recipe_in(tmp_path, ("tensorboard = false", "tensorboard = true"))
    train_quietly(recipe)
    events = EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    assert [point.step for point in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [point.value for point in events.Scalars("loss")] == pytest.approx(losses(recipe.out))


def test_without_tensorboard_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "has_tensorboard", lambda: False)
    said = train_quietly(recipe_in(tmp_path, ("tensorboard = false", "tensorboard = true")))
    assert "no TensorBoard" in said[0] and "pip install florenz[train]" in said[0]
    assert not (tmp_path / "out" / "tensorboard").exists()
