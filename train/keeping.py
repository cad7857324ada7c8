"""What a training leaves below OUT: its checkpoints, and the finished model."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from florenz.shards.manifest import Manifest
from florenz.train import preflight
from florenz.train.best import best_weights, read_best
from florenz.train.building import load_model
from florenz.train.checkpoint import (
    MODEL,
    OPTIMIZER,
    Checkpoint,
    Position,
    begin_checkpoint,
    finish_checkpoint,
    newest_checkpoint,
    partial_folder,
    read_checkpoint,
)
from florenz.train.counts import Counts
from florenz.train.distributed import Place, value_of_first
from florenz.train.recipe import Recipe
from florenz.train.state import load_weights, optimizer_state_of, weights_of
from florenz.train.training import Say, Training

MODEL_FOLDER = "model"
NONE = -1


def find_checkpoint(out: str, place: Place, say: Say) -> Checkpoint | None:
    """The newest good one; rank 0 reads the bytes through, the others believe it."""
    found = newest_checkpoint(out, lambda text: say(f"warning: {text}")) if place.is_first else None
    step = value_of_first(found.position.step if found else NONE, place)
    return found if place.is_first or step == NONE else read_checkpoint(out, step)


def save(
    this: Training,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    position: Position,
    counts: Counts,
    segment: Mapping[str, Any],
) -> None:
    """Begin a checkpoint; all ranks must ask. It is written while the training goes on (`writing.py`)."""
    assert this.writer is not None
    out = this.recipe.out
    counted = counts.of_all_ranks(this.place)
    if this.log is not None:
        this.log.sync()
    this.writer.start(
        partial_folder(out, position.step),
        {MODEL: weights_of(model), OPTIMIZER: optimizer_state_of(optimizer, model)},
        begin=partial(begin_checkpoint, out, position.step),
        finish=partial(
            finish_checkpoint,
            out,
            position=position,
            identity={**this.identity, "rules": preflight.RULES},
            keep=this.recipe.records.keep_checkpoints,
            counts=counted,
            segment=segment,
        ),
    )


def saved(this: Training, position: Position) -> Checkpoint:
    """The checkpoint that was begun, when it is there. `OSError` if it could not be written."""
    assert this.writer is not None
    this.writer.wait()
    return read_checkpoint(this.recipe.out, position.step)


def save_model(recipe: Recipe, manifest: Manifest, checkpoint: Checkpoint, say: Say) -> None:
    """OUT/model, as transformers reads it; complete or as it was before."""
    folder = Path(recipe.out) / MODEL_FOLDER
    unfinished = folder.with_name(f".{MODEL_FOLDER}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    model, processor = load_model(recipe, manifest, checkpoint)
    if recipe.validation.keep == "best":
        best = read_best(recipe.out, preflight.identity_of(recipe, manifest))
        load_weights(model, best_weights(recipe.out))
        if best is not None:
            say(f"kept the weights after step {best.step}, the best on covered pairs ({best.score:.4f} nats per token)")
    pictured = [stage.image_px or processor.image_px for stage in recipe.stages if stage.images]
    if pictured:  # it is asked at the size that it was trained on last
        processor.settings = dataclasses.replace(processor.settings, image_px=pictured[-1])
    model.save_pretrained(unfinished)
    processor.save_pretrained(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
