"""A picture of the index, read and decoded in a worker, within the recipe's limits."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass

from PIL import Image

from florenz.images.decoding import decode
from florenz.images.references import Cell, parse_uri
from florenz.images.sources import DEFAULTS, ImageRef, read_image_bytes
from florenz.limits.table import SIDE_RATIO, Limits

_ROW_GROUPS = threading.Lock()  # of Parquet files, read as a whole and kept: by one thread, or each would hold a copy


@dataclass(frozen=True, kw_only=True)
class PictureReader:
    """max_bytes, max_pixels, max_side_ratio: of one image."""

    max_bytes: int
    max_pixels: int
    max_side_ratio: float = SIDE_RATIO
    limits: Limits = DEFAULTS

    def read(self, source: str) -> Image.Image:
        """Raises BadImage."""
        _, inner = parse_uri(source)
        with _ROW_GROUPS if isinstance(inner, Cell) else contextlib.nullcontext():
            data = read_image_bytes(ImageRef(uri=source), max_bytes=self.max_bytes, limits=self.limits)
        return decode(data, max_pixels=self.max_pixels, max_side_ratio=self.max_side_ratio)
