"""The training, top to bottom: for each stage and step a batch, the loss, a step, the log, a checkpoint.

A step is the same whatever runs it: its micro-batches are given by the stream, each seeds its own dropout, and the loss
is the mean over all target tokens of the step. One rank that takes four micro-batches and four ranks that take one each
do the same arithmetic, up to the order of sums. What is given up is the free choice of the micro-batch in a running
training: it belongs to the recipe, as the batch does.

Every stage starts by building the model anew and loading the last checkpoint into it, so going on after a crash is no
special case, and nothing that a stage froze, sharded or compiled stays on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import Manifest
from florenz.stores.lock import lock_out
from florenz.train import preflight
from florenz.train.best import Best, best_weights, read_best, save_best
from florenz.train.checkpoint import (
    Checkpoint,
    Position,
    newest_checkpoint,
    read_checkpoint,
    remove_unfinished,
    save_checkpoint,
)
from florenz.train.data.processor import Processor
from florenz.train.data.stream import Stream
from florenz.train.distributed import (
    Place,
    gradient_sync,
    has_bfloat16,
    process_group,
    repeated_layers,
    spread,
    sum_over_ranks,
    value_of_first,
    whole,
)
from florenz.train.features import PictureCache
from florenz.train.log import StepRecord, TrainingLog, has_tensorboard
from florenz.train.model.florenz import Florenz
from florenz.train.model.loading import LANGUAGES, build
from florenz.train.model.parts import set_modes, train_only
from florenz.train.recipe import Recipe
from florenz.train.schedule import learning_rate
from florenz.train.scores.sets import dataset
from florenz.train.settings import OptimizerSettings, Stage
from florenz.train.state import (
    gather,
    load_optimizer_state,
    load_weights,
    optimizer_state_of,
    trained_parameters,
    weights_of,
)
from florenz.train.validation import Validation, ValidationRecord, chosen_by

IGNORED = -100  # the label that the loss leaves out
MODEL_FOLDER = "model"
SESSIONS = "sessions.jsonl"
NONE = -1
EARLIER_RULES = (
    "warning: this training was begun by an earlier version, whose mix counted texts and not images and whose frozen "
    "parts were in training mode: what is left of it goes by today's rules"
)
GIB = 1 << 30

Say = Callable[[str], None]
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Training:
    """What all stages share. log: None on all ranks but the first."""

    recipe: Recipe
    manifest: Manifest
    place: Place
    log: TrainingLog | None
    say: Say

    @property
    def is_bfloat16(self) -> bool:
        precision = self.recipe.compute.precision
        return has_bfloat16(self.place.device) if precision == "auto" else precision == "bfloat16"

    def write(self, record: StepRecord) -> None:
        if self.log is not None:
            self.log.write(record)

    def advance(self, stage: Stage) -> None:
        if self.log is not None:
            self.log.advance(stage.name)

    @property
    def identity(self) -> dict[str, object]:
        return preflight.identity_of(self.recipe, self.manifest)


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What a step gave, over all ranks, still on the device: asking for the numbers makes the device wait."""

    loss: torch.Tensor
    gradient_norm: torch.Tensor
    totals: torch.Tensor  # target tokens, images


def train(recipe: Recipe, say: Say) -> Path:
    """Train to the end of the last stage, from the newest good checkpoint; the folder of the finished model.

    Raises:
        RecipeError, OutInUse: nothing was started. OSError, ValueError: stopped; checkpoints are whole, run again.
    """
    manifest, place = preflight.check(recipe)
    if recipe.compute.cpu_threads is not None:
        torch.set_num_threads(recipe.compute.cpu_threads)
    with contextlib.ExitStack() as stack:
        if place.is_first:
            stack.enter_context(lock_out(recipe.out))
            remove_unfinished(recipe.out)
        stack.enter_context(process_group(place))
        checkpoint = find_checkpoint(recipe.out, place, say)
        log = stack.enter_context(open_log(recipe, checkpoint, say)) if place.is_first else None
        if place.is_first:
            stack.enter_context(timed(recipe.out, checkpoint))
        this = Training(recipe=recipe, manifest=manifest, place=place, log=log, say=say)
        if this.is_bfloat16 and not has_bfloat16(place.device):
            say("warning: bfloat16 is many times slower than float32 on this machine: set precision to auto")
        is_begun = checkpoint is not None and not checkpoint.position.has_finished(*last_of(recipe))
        if is_begun and checkpoint and not preflight.follows_todays_rules(checkpoint.identity):
            say(EARLIER_RULES)
        for number in range(len(recipe.stages)):
            if checkpoint is None or not checkpoint.position.has_finished(number, recipe.stages[number].steps):
                checkpoint = train_stage(this, number, checkpoint)
        assert checkpoint is not None
        if place.is_first:
            save_model(recipe, manifest, checkpoint, say)
    return Path(recipe.out) / MODEL_FOLDER


def last_of(recipe: Recipe) -> tuple[int, int]:
    """The last stage and its steps."""
    return len(recipe.stages) - 1, recipe.stages[-1].steps


@contextlib.contextmanager
def timed(out: str, checkpoint: Checkpoint | None) -> Iterator[None]:
    """A line in OUT/sessions.jsonl at the end of the block, however it ends: how long this process trained, and from
    which step. A killed one leaves none."""
    since = time.monotonic()
    try:
        yield
    finally:
        session = {"from_step": checkpoint.position.step if checkpoint else 0, "seconds": time.monotonic() - since}
        with (Path(out) / SESSIONS).open("a") as file:
            file.write(json.dumps(session) + "\n")


def train_stage(this: Training, number: int, checkpoint: Checkpoint | None) -> Checkpoint:
    """Train one stage from where the checkpoint stands to its end; the checkpoint of its end."""
    recipe, stage, place = this.recipe, this.recipe.stages[number], this.place
    position = Position(stage=number, step=checkpoint.position.step if checkpoint else 0)
    model, processor = load_model(recipe, this.manifest, checkpoint)
    train_only(model, stage.parts)
    set_modes(model)
    stream = make_stream(this, stage, processor)
    validation = make_validation(this, stage, processor)
    caches = fill_caches(this, stage, model, stream, validation)
    runner = prepare(model, this)
    optimizer = make_optimizer(model, recipe.optimizer)
    if checkpoint is not None and checkpoint.position.stage == number:
        position = checkpoint.position
        load_optimizer_state(optimizer, model, checkpoint.optimizer_state())
    noise = partial(processor.with_noise, share=stage.unigram_noise) if stage.unigram_noise else None
    this.say(describe_stage(stage, position, model))
    speed = Speed()
    with contextlib.closing(cast(Generator[Batch, None, None], stream.batches(position.micro_batch))) as batches:
        while position.stage_step < stage.steps:
            rate = learning_rate(position.stage_step, steps=stage.steps, peak=stage.peak_rate, warmup=stage.warmup)
            micro_batches = [next(batches) for _ in range(stage.num_micro_batches // place.world_size)]
            outcome = take_step(this, runner, optimizer, position, rate, micro_batches, caches.training, noise)
            position = position.next(stage.num_micro_batches)
            speed.add(outcome)
            is_end, records = position.stage_step == stage.steps, recipe.records
            is_saved = is_end or position.step % records.checkpoint_every_steps == 0
            if is_saved or position.step % records.log_every_steps == 0:
                record = make_record(stage, position, stream, rate, outcome, speed)
                this.write(record)
            this.advance(stage)
            if validation and (is_end or position.step % recipe.validation.every_steps == 0):
                validate(this, validation, model, runner, position, caches.validation)  # before the checkpoint after it
            if is_saved:
                checkpoint = save(this, model, optimizer, position)
    num_skipped = int(sum_over_ranks(torch.tensor(stream.skipped, device=place.device), place))
    if num_skipped:
        this.say(f"warning: stage {stage.name}: {num_skipped} samples could not be read and were left out")
    assert checkpoint is not None
    return checkpoint


def take_step(
    this: Training,
    runner: nn.Module,
    optimizer: torch.optim.Optimizer,
    position: Position,
    rate: float,
    micro_batches: Sequence[Batch],
    cache: PictureCache | None = None,
    noise: Callable[[Batch], Batch] | None = None,
) -> StepOutcome:
    """One step of the optimizer: the gradient of the mean loss over all target tokens of the step, on all ranks.

    noise: what is done to each micro-batch, with random numbers of its own.
    """
    place, recipe = this.place, this.recipe
    for group in optimizer.param_groups:
        group["lr"] = rate
    counts = torch.tensor([[count_tokens(batch), count_images(batch)] for batch in micro_batches], dtype=torch.float64)
    totals = sum_over_ranks(counts.sum(0).to(place.device), place)
    loss_of_step = torch.zeros((), device=place.device)
    for place_in_step, batch in enumerate(micro_batches):
        index = position.micro_batch + place_in_step * place.world_size + place.rank
        torch.manual_seed(seed_of(recipe.seed, position.stage, index))
        is_last = place_in_step == len(micro_batches) - 1
        noisy = noise(batch) if noise else batch
        with gradient_sync(runner, is_last=is_last), arithmetic(place, is_bfloat16=this.is_bfloat16):
            on_device = {name: tensor.to(place.device, non_blocking=True) for name, tensor in noisy.items()}
            if cache is not None:
                on_device = cache.seen(on_device)
            share = (counts[place_in_step, 0].to(place.device) / totals[0]).float()  # of the step's tokens
            loss = runner(**on_device).loss * share
            (loss * place.world_size).backward()  # the ranks' gradients are averaged, and a sum is wanted
        loss_of_step += loss.detach()
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = nn.utils.clip_grad_norm_(trained, recipe.optimizer.clip_norm)
    optimizer.step()
    optimizer.zero_grad()
    return StepOutcome(loss=sum_over_ranks(loss_of_step, place), gradient_norm=whole(norm), totals=totals)


@dataclass(frozen=True, kw_only=True)
class Caches:
    """Of the pictures that are trained on, and of those that are asked about on the way."""

    training: PictureCache | None
    validation: PictureCache | None


def fill_caches(this: Training, stage: Stage, model: Florenz, stream: Stream, validation: Validation | None) -> Caches:
    """What the vision tower sees, where the stage does not train it. Before the model is spread over the ranks."""
    is_cached = stage.images and "vision" not in stage.parts
    if not is_cached:
        return Caches(training=None, validation=None)
    model.to(this.place.device)  # type: ignore[arg-type]
    training = asked = None
    with arithmetic(this.place, is_bfloat16=this.is_bfloat16):
        if max_bytes := int(this.recipe.compute.picture_cache_gib * GIB):
            training = PictureCache(model.encoder, max_bytes=max_bytes)
            training.fill(stream.pictures())
        if validation is not None:
            asked = PictureCache(model.encoder)
            asked.fill(validation.pictures())
    return Caches(training=training, validation=asked)


def make_validation(this: Training, stage: Stage, processor: Processor) -> Validation | None:
    """None where the recipe wants none."""
    settings = this.recipe.validation
    if not settings.every_steps:
        return None
    asked = dataset.Set(folder=this.recipe.data, use="choose", choosing=settings.split)
    image_px = processor.image_px if stage.images else None
    return Validation(asked, processor, this.place, image_px=image_px, max_images=settings.max_images)


def validate(
    this: Training,
    validation: Validation,
    model: nn.Module,
    runner: nn.Module,
    position: Position,
    cache: PictureCache | None,
) -> None:
    """Measure every pair; in the last stage, keep the weights if they are the best so far."""
    recipe, place = this.recipe, this.place
    pairs = validation.measure(runner, lambda: arithmetic(place, is_bfloat16=this.is_bfloat16), cache)
    score = chosen_by(pairs)
    if this.log is not None:
        stage = recipe.stages[position.stage].name
        record = ValidationRecord(step=position.step, stage=stage, chosen_by=score, pairs=pairs)
        this.log.write_validation(record)
    if recipe.validation.keep != "best" or position.stage != len(recipe.stages) - 1:
        return
    best = read_best(recipe.out, this.identity) if place.is_first else None
    is_better = value_of_first(int(best is None or best.is_beaten_by(score, position.step)), place)
    if is_better:
        weights = gather(weights_of(model), place)
        if place.is_first:
            new = Best(step=position.step, score=score)
            save_best(recipe.out, new, identity=this.identity, weights=weights)


def count_tokens(batch: Batch) -> int:
    """Target tokens: those that the loss is taken over."""
    return int((batch["labels"] != IGNORED).sum())


def count_images(batch: Batch) -> int:
    return len(batch["pixel_values"]) if "pixel_values" in batch else 0


def seed_of(*what: int) -> int:
    """A seed for the random numbers of one thing, such as (recipe's seed, stage, micro-batch)."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:8], "big", signed=True)


@contextlib.contextmanager
def arithmetic(place: Place, *, is_bfloat16: bool) -> Iterator[None]:
    """The precision of forward and backward."""
    with contextlib.ExitStack() as stack:
        if is_bfloat16:
            stack.enter_context(torch.autocast(place.device.type, dtype=torch.bfloat16))
        if is_bfloat16 and place.device.type == "cpu":
            # The fused attention's backward pass is slow there in bfloat16: half of the time of a step.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


def load_model(recipe: Recipe, manifest: Manifest, checkpoint: Checkpoint | None) -> tuple[Florenz, Processor]:
    """The model of the recipe with the weights of the checkpoint, or as training begins with it; on the CPU.

    Raises:
        RecipeError: the weights to start from are not there.
    """
    torch.manual_seed(seed_of(recipe.seed))  # for what is new in it
    languages = dict.fromkeys([*LANGUAGES, *manifest.languages])
    try:
        model, processor = build(
            **dataclasses.asdict(recipe.model),
            languages=list(languages),
            prompts=recipe.prompts.prompts(recipe.words),
            styles=recipe.styles,
        )
    except ValueError as problem:
        raise RecipeError([f"[model] {problem}"]) from problem
    if checkpoint is not None:
        load_weights(model, checkpoint.weights())
    return model.train(), processor


def prepare(model: Florenz, this: Training) -> nn.Module:
    """What is called in place of the model: compiled, spread over the ranks, as the recipe wants it."""
    if this.recipe.compute.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if this.recipe.compute.compile:
        for layer in repeated_layers(model):  # they are alike, so each is compiled once, not the whole depth
            layer.compile()
    return spread(model, this.place, parallel=this.recipe.compute.parallel, is_bfloat16=this.is_bfloat16)


def make_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """AdamW over the parts that are trained, with decay for matrices and without for all else."""
    trained = [parameter for _, parameter in trained_parameters(model)]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=0.0, betas=(0.9, settings.beta2), fused=True
    )


def find_checkpoint(out: str, place: Place, say: Say) -> Checkpoint | None:
    """The newest good one; rank 0 reads the bytes through, the others believe it."""
    found = newest_checkpoint(out, lambda text: say(f"warning: {text}")) if place.is_first else None
    step = value_of_first(found.position.step if found else NONE, place)
    return found if place.is_first or step == NONE else read_checkpoint(out, step)


def save(this: Training, model: nn.Module, optimizer: torch.optim.Optimizer, position: Position) -> Checkpoint:
    """A checkpoint of whole tensors: all ranks give their pieces, the first one writes."""
    weights = gather(weights_of(model), this.place)
    state = gather(optimizer_state_of(optimizer, model), this.place)
    if this.log is not None:
        this.log.sync()
        save_checkpoint(
            this.recipe.out,
            position=position,
            identity={**this.identity, "rules": preflight.RULES},
            weights=weights,
            optimizer_state=state,
            keep=this.recipe.records.keep_checkpoints,
        )
    value_of_first(position.step, this.place)  # the others wait until it is there
    return read_checkpoint(this.recipe.out, position.step)


def save_model(recipe: Recipe, manifest: Manifest, checkpoint: Checkpoint, say: Say) -> None:
    """OUT/model, as transformers reads it; complete or as it was before."""
    folder = Path(recipe.out) / MODEL_FOLDER
    partial = folder.with_name(f".{MODEL_FOLDER}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model, processor = load_model(recipe, manifest, checkpoint)
    if recipe.validation.keep == "best":
        best = read_best(recipe.out, preflight.identity_of(recipe, manifest))
        load_weights(model, best_weights(recipe.out))
        if best is not None:
            say(f"kept the weights after step {best.step}, the best on covered pairs ({best.score:.4f} nats per token)")
    model.save_pretrained(partial)
    processor.save_pretrained(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def make_stream(this: Training, stage: Stage, processor: Processor) -> Stream:
    recipe, place = this.recipe, this.place
    return Stream(
        recipe.data,
        split="train",
        batch_size=stage.size_of_micro_batch,
        seed=recipe.seed,
        mix=preflight.stage_mix(stage, this.manifest),
        collate=processor.collate,
        image_px=processor.image_px if stage.images else None,
        num_workers=recipe.workers,
        rank=place.rank,
        world_size=place.world_size,
        max_skips=recipe.max_skips,
        max_images=stage.max_images,
        shuffle_pictures=stage.shuffle_pictures,
        name_pictures=stage.images and recipe.compute.picture_cache_gib > 0 and "vision" not in stage.parts,
        pin_memory=place.device.type == "cuda",
    )


def open_log(recipe: Recipe, checkpoint: Checkpoint | None, say: Say) -> TrainingLog:
    tensorboard = recipe.records.tensorboard
    if tensorboard and not has_tensorboard():
        say("warning: no TensorBoard, so no curves: pip install florenz[train], or set tensorboard = false")
        tensorboard = False
    first_step = checkpoint.position.step if checkpoint else 0
    return TrainingLog(recipe.out, first_step=first_step, total_steps=recipe.total_steps, tensorboard=tensorboard)


def describe_stage(stage: Stage, position: Position, model: nn.Module) -> str:
    num_trained = sum(parameter.numel() for _, parameter in trained_parameters(model))
    goes_on = f" from step {position.stage_step}" if position.stage_step else ""
    pictures = "with" if stage.images else "without"
    return (
        f"stage {stage.name}{goes_on}: {stage.steps} steps of {stage.batch_size} examples {pictures} pictures, "
        f"trains {num_trained:,} parameters in {', '.join(stage.parts)}"
    )


class Speed:
    """Tokens and images since it was last asked, and the seconds that they took."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._totals: list[torch.Tensor] = []

    def add(self, outcome: StepOutcome) -> None:
        self._totals.append(outcome.totals)

    def per_second(self) -> tuple[float, float]:
        tokens, images = torch.stack(self._totals).sum(0).tolist()
        now = time.monotonic()
        seconds, self._since, self._totals = max(now - self._since, 1e-9), now, []
        return tokens / seconds, images / seconds


def make_record(
    stage: Stage, position: Position, stream: Stream, rate: float, outcome: StepOutcome, speed: Speed
) -> StepRecord:
    """What the log says about a step. `ValueError` if its loss is no number: no checkpoint may follow."""
    loss, norm = float(outcome.loss), float(outcome.gradient_norm)
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise ValueError(f"step {position.step}: the loss is {loss}, its gradient's norm {norm}: lower the peak_rate")
    tokens, images = (int(total) for total in outcome.totals)
    tokens_per_s, images_per_s = speed.per_second()
    return StepRecord(
        step=position.step,
        stage=stage.name,
        epoch=round(position.micro_batch / stream.batches_per_epoch, 3),
        loss=loss,
        learning_rate=rate,
        gradient_norm=norm,
        tokens=tokens,
        images=images,
        tokens_per_s=round(tokens_per_s, 1),
        images_per_s=round(images_per_s, 1),
    )
