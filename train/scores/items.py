"""A question of an evaluation set, as the model takes it."""

from __future__ import annotations

import torch

from florenz.train.data.pictures import decode_picture
from florenz.train.data.stream import StreamError, TrainingExample
from florenz.train.scores.sets.contract import Item


def picture_of(item: Item, image_px: int | None) -> torch.Tensor | None:
    """uint8 (3, image_px, image_px); None for a model without pictures, or a question without one.

    Raises:
        StreamError: the picture can't be decoded; the message says where it is.
    """
    if image_px is None or item.picture is None:
        return None
    try:
        return decode_picture(item.picture, image_px)
    except ValueError as problem:
        raise StreamError(f"{item.where}: {problem}") from problem


def example_of(item: Item, picture_CHW: torch.Tensor | None) -> TrainingExample:
    """With the first reference as the text."""
    return TrainingExample(
        key=item.id,
        task=item.task,
        language=item.language,
        style=item.style,
        source_text=item.source_text,
        text=item.references[0],
        picture_CHW=picture_CHW,
    )
