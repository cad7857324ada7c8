"""The training, top to bottom: for each stage and step a batch, the loss, a step, the log, a checkpoint.

Every stage starts by building the model anew and loading the last checkpoint into it, so going on after a crash is no
special case, and nothing that a stage froze, sharded or compiled stays on. What a step is stands in `step.py`, what a
stage needs before it in `building.py`, what is left behind in `keeping.py`.
"""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from florenz.stores.lock import lock_out
from florenz.train import preflight
from florenz.train.building import as_trained, load_model, make_optimizer, prepare
from florenz.train.caches import Caches, fill_caches
from florenz.train.checkpoint import OPTIMIZER, Checkpoint, Position, remove_unfinished
from florenz.train.counts import Counts, restored
from florenz.train.data.processor import Processor
from florenz.train.distributed import has_bfloat16, process_group
from florenz.train.following import Feed
from florenz.train.gpus import peak_of_device
from florenz.train.keeping import MODEL_FOLDER, find_checkpoint, save, save_model, saved
from florenz.train.log import TrainingLog, has_tensorboard
from florenz.train.model.family import warning_of_parts
from florenz.train.model.florenz import Florenz
from florenz.train.operations import operations_of
from florenz.train.recipe import Recipe
from florenz.train.schedule import learning_rate
from florenz.train.settings.stages import Stage
from florenz.train.share import share_of
from florenz.train.speed import Speed, make_record, peak_memory
from florenz.train.split import able_to_look, apart, fill_pieces, is_split, weights_file
from florenz.train.state import load_optimizer_state, trained_parameters
from florenz.train.step import take_step
from florenz.train.tensor_files import TensorFile
from florenz.train.training import Say, Training
from florenz.train.validating import make_validation, validate
from florenz.train.validation import Validation
from florenz.train.writing import Writer

SESSIONS = "sessions.jsonl"
EARLIER_RULES = (
    "warning: this training was begun by an earlier version, whose mix counted texts and not images and whose frozen "
    "parts were in training mode: what is left of it goes by today's rules"
)
NO_PEAK = "the peak of this GPU is not in train/gpus.py, so the log has no utilisation"


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
        writer = stack.enter_context(Writer(place))
        this = Training(recipe=recipe, manifest=manifest, place=place, log=log, say=say, writer=writer)
        if this.is_bfloat16 and not has_bfloat16(place.device):
            say("warning: bfloat16 is many times slower than float32 on this machine: set precision to auto")
        for stage in recipe.stages:
            if line := warning_of_parts(recipe.model.size, stage.name, stage.parts):
                say(line)
        is_begun = checkpoint is not None and not checkpoint.position.has_finished(*last_of(recipe))
        if is_begun and checkpoint and not preflight.follows_todays_rules(checkpoint.identity):
            say(EARLIER_RULES)
        for number in range(len(recipe.stages)):
            if checkpoint is None or not checkpoint.position.has_finished(number, recipe.stages[number].steps):
                checkpoint = train_stage(this, number, checkpoint)
                gc.collect()  # FSDP2 ties a model up in circles: the next one, or scoring, would have to fit beside it
        assert checkpoint is not None
        if place.is_first and is_split(this):  # whole only in a process that ends with it
            if problem := apart(save_model, recipe, manifest, checkpoint, print):
                raise OSError(problem)
        elif place.is_first:
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
    begun = checkpoint if checkpoint is not None and checkpoint.position.stage == number else None
    position = begun.position if begun else Position(stage=number, step=checkpoint.position.step if checkpoint else 0)
    model, processor = model_of_stage(this, stage, checkpoint)
    feed = Feed(this, stage, processor, position, begun)
    validation = make_validation(this, stage, processor)
    operations = operations_of(model, (stage.image_px or processor.image_px) if stage.images else None)
    runner, caches = on_its_ranks(this, stage, model, feed, validation, checkpoint)
    optimizer = make_optimizer(model, recipe.optimizer, stage.weight_decay)
    counts = taken_up(this, begun, model, optimizer) if begun else Counts()
    feed.stream.skipped = counts.skipped
    noise = partial(processor.with_noise, share=stage.unigram_noise) if stage.unigram_noise else None
    this.say(describe_stage(stage, position, model))
    peak = peak_of_device(place.device)
    if peak is None and place.device.type == "cuda" and number == 0:
        this.say(f"warning: {NO_PEAK}")
    speed = Speed(place, peak)
    share = share_of(stage.num_micro_batches, rank=place.rank, world_size=place.world_size)
    with contextlib.closing(feed):
        while position.stage_step < stage.steps:
            rate = learning_rate(position.stage_step, steps=stage.steps, peak=stage.peak_rate, warmup=stage.warmup)
            with speed.waiting():
                micro_batches = feed.take(share.per_step)
            counts.skipped = feed.stream.skipped
            counts.truncated += sum(processor.num_truncated(batch) for batch in micro_batches)
            counts.examples += sum(len(batch["labels"]) for batch in micro_batches)
            outcome = take_step(
                this, runner, optimizer, position, rate, micro_batches, caches.training, noise, operations
            )
            position = position.next(stage.num_micro_batches)
            feed.move(position)
            speed.add(outcome)
            is_end, records = position.stage_step == stage.steps, recipe.records
            is_saved = is_end or position.step % records.checkpoint_every_steps == 0
            if is_saved or position.step % records.log_every_steps == 0:
                memory = peak_memory(place)
                record = make_record(stage, position, feed.epoch, rate, outcome, speed, memory)
                this.write(record)
            this.advance(stage)
            if validation and (is_end or position.step % recipe.validation.every_steps == 0):
                validate(this, validation, model, runner, position, caches.validation)  # before the checkpoint after it
            if is_saved:
                save(this, model, optimizer, position, counts, feed.record)
    warn_of(counts.of_all_ranks(place), stage, processor, this.say)
    return saved(this, position)


def model_of_stage(this: Training, stage: Stage, checkpoint: Checkpoint | None) -> tuple[Florenz, Processor]:
    """The model as this stage trains it, on the CPU; under FSDP2 without memory for weights yet (`split.py`)."""
    recipe = this.recipe
    model, processor = load_model(recipe, this.manifest, checkpoint, is_filled=not is_split(this))
    as_trained(model, this, stage, stage.image_px or processor.image_px)
    return model, processor


def on_its_ranks(
    this: Training,
    stage: Stage,
    model: Florenz,
    feed: Feed,
    validation: Validation | None,
    checkpoint: Checkpoint | None,
) -> tuple[nn.Module, Caches]:
    """What is called in place of the model, and what a frozen vision tower saw before the model was spread."""
    if not is_split(this):
        caches = fill_caches(this, stage, model, feed.stream, validation)
        return prepare(model, this), caches
    with weights_file(this, checkpoint) as file:
        with able_to_look(model, file):
            caches = fill_caches(this, stage, model, feed.stream, validation)
        runner = prepare(model, this)
        fill_pieces(model, file)
    return runner, caches


def taken_up(this: Training, begun: Checkpoint, model: Florenz, optimizer: torch.optim.Optimizer) -> Counts:
    """Give the optimizer the memory that it had in the middle of this stage; what had been counted until then."""
    kept = TensorFile(begun.path / OPTIMIZER) if is_split(this) else begun.optimizer_state()
    load_optimizer_state(optimizer, model, kept)
    return restored(begun.counts, this.place)


def warn_of(counts: Mapping[str, Sequence[int]], stage: Stage, processor: Processor, say: Say) -> None:
    """What is worth a word at the end of a stage."""
    skipped, truncated, examples = (sum(counts[name]) for name in ("skipped", "truncated", "examples"))
    if skipped:
        say(f"warning: stage {stage.name}: {skipped} samples could not be read and were left out")
    if truncated:
        limits, cut = processor.settings, f"{truncated:,} of {examples:,} examples"
        say(
            f"warning: stage {stage.name}: {cut} were cut, to {limits.max_prompt_tokens} "
            f"tokens of the prompt and {limits.max_text_tokens} of the text"
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
