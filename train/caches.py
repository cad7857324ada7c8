"""What a frozen vision tower sees, looked at before a stage begins."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.train.data.stream import Stream
from florenz.train.features import PictureCache
from florenz.train.model.florenz import Florenz
from florenz.train.settings.stages import Stage
from florenz.train.step import arithmetic
from florenz.train.training import Training
from florenz.train.validation import Validation

GIB = 1 << 30


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
    for looking in (model.encoder.vision_tower, model.encoder.multi_modal_projector):  # the rest may have no memory yet
        looking.to(this.place.device)
    training = asked = None
    with arithmetic(this.place, is_bfloat16=this.is_bfloat16):
        if max_bytes := int(this.recipe.compute.picture_cache_gib * GIB):
            training = PictureCache(model.encoder, max_bytes=max_bytes)
            training.fill(stream.pictures())
        if validation is not None:
            asked = PictureCache(model.encoder)
            asked.fill(validation.pictures())
    return Caches(training=training, validation=asked)
