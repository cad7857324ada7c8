"""Small pictures for a page: read from their shard by offset, made small, as a data URI."""

from __future__ import annotations

import base64
import io

from florenz.images.bad_image import BadImage
from florenz.images.opening import MAX_PIXELS, PILLOW_ERRORS, open_image
from florenz.stores import files

SIDE_PX = 160
QUALITY = 72


def thumbnail(out: str, shard: str, offset: int, num_bytes: int, side_px: int = SIDE_PX) -> str:
    """A data URI; "" for a picture that can't be read, which a page must survive."""
    try:
        with files.open_read(files.join(out, shard)) as file:
            file.seek(offset)
            return data_uri(file.read(num_bytes), side_px)
    except (BadImage, *PILLOW_ERRORS):
        return ""


def data_uri(jpeg: bytes, side_px: int) -> str:
    """At most `side_px` on its longer side."""
    image = open_image(jpeg, max_pixels=MAX_PIXELS)
    image.draft("RGB", (side_px, side_px))  # a JPEG is decoded at an eighth of its size where that is enough
    small = image.convert("RGB")
    small.thumbnail((side_px, side_px))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
