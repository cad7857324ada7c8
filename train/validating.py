"""Validation in a running training: every pair is measured, written down, and the best weights are kept."""

from __future__ import annotations

from functools import partial

from torch import nn

from florenz.train.best import MODEL, Best, begin_best, best_partial, finish_best, read_best
from florenz.train.checkpoint import Position
from florenz.train.data.processor import Processor
from florenz.train.distributed import value_of_first
from florenz.train.features import PictureCache
from florenz.train.scores.joined import evaluation_set_of
from florenz.train.settings.stages import Stage
from florenz.train.state import weights_of
from florenz.train.step import arithmetic
from florenz.train.training import Training
from florenz.train.validation import Validation, ValidationRecord, chosen_by


def make_validation(this: Training, stage: Stage, processor: Processor) -> Validation | None:
    """None where the recipe wants none."""
    settings = this.recipe.validation
    if not settings.every_steps:
        return None
    asked = evaluation_set_of(this.recipe.folders, "choose", settings.split, watches=settings.watch_held_out)
    image_px = (stage.image_px or processor.image_px) if stage.images else None
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
    score = chosen_by(pairs, [pair for pair in pairs if any(stage.learns(pair) for stage in recipe.stages)])
    if this.log is not None:
        stage = recipe.stages[position.stage].name
        record = ValidationRecord(step=position.step, stage=stage, chosen_by=score, pairs=pairs)
        this.log.write_validation(record)
    if recipe.validation.keep != "best" or position.stage != len(recipe.stages) - 1:
        return
    assert this.writer is not None
    this.writer.wait()  # the best so far may still be on its way
    best = read_best(recipe.out, this.identity) if place.is_first else None
    is_better = value_of_first(int(best is None or best.is_beaten_by(score, position.step)), place)
    if is_better:
        new = Best(step=position.step, score=score)
        this.writer.start(
            best_partial(recipe.out),
            {MODEL: weights_of(model)},
            begin=partial(begin_best, recipe.out),
            finish=partial(finish_best, recipe.out, new, identity=this.identity),
        )
