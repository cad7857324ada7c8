"""Pictures to pixel values as transformers' image processor makes them, bit for bit, at a fraction of its cost.

The processor lays a picture out as an array, hands it back to Pillow for the resizing, and scales in double precision,
number by number. But what it makes of a resized picture depends on channel and byte alone, so 3 x 256 numbers say all:
they are taken from the processor itself, once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CHANNELS, BYTES = 3, 256


class PixelTable:
    """For a processor that resizes to one size, scales and normalises, and does nothing else."""

    def __init__(self, processor: Any) -> None:
        """processor: one for which `fits` holds."""
        size = processor.size
        self._size, self._resample = (size["width"], size["height"]), processor.resample
        every = np.arange(BYTES, dtype=np.uint8).reshape(16, 16)
        picture = Image.fromarray(np.stack([every] * CHANNELS, axis=-1))
        values_CHW = processor(picture, do_resize=False, return_tensors="np")["pixel_values"][0]
        self._table_CV: NDArray[np.float32] = values_CHW.reshape(CHANNELS, BYTES)

    def values(self, picture: Image.Image) -> NDArray[np.float32]:
        """(C, H, W) of an RGB picture of any size."""
        resized_HWC = np.asarray(picture.resize(self._size, self._resample))
        values_CHW = np.empty((CHANNELS, *resized_HWC.shape[:2]), dtype=np.float32)
        for channel, table in enumerate(self._table_CV):
            np.take(table, resized_HWC[..., channel], out=values_CHW[channel], mode="clip")  # bytes can't be outside
        return values_CHW


DONE = ("do_resize", "do_rescale", "do_normalize")
NOT_DONE = ("do_center_crop", "do_pad", "do_thumbnail", "do_reduce_labels")


def fits(processor: Any) -> bool:
    """Whether nothing but this is done to a picture."""
    size = processor.size or {}
    return (
        processor.backend == "pil"
        and all(getattr(processor, name, None) for name in DONE)
        and not any(getattr(processor, name, None) for name in NOT_DONE)
        and bool(size.get("height") and size.get("width") and not size.get("shortest_edge"))
        and processor.resample is not None
    )
