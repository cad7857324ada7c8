"""JPEGs that go into a shard as they are, without being decoded once more.

When a picture was read, libjpeg-turbo decoded its codes strictly (`proof.py`), and its key stands for the same bytes
still. What is left to know stands in its header. A photograph of 160 KB takes ten times as long to decode as all else
that an assembly does with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import simplejpeg

from florenz.images.decoding import MAX_JPEG_SCANS, ShardImage, check_sides, shard_jpeg
from florenz.images.formats import sniff
from florenz.images.jpeg_segments import DRI, EOI, FRAMES, SOS, Segment, segments
from florenz.images.opening import PILLOW_ERRORS, open_image
from florenz.images.pixels import orientation_of
from florenz.images.proof import is_told

_BASELINE, _DHT, _DQT, _COMMENT = 0xC0, 0xC4, 0xDB, 0xFE
_APPLICATIONS = range(0xE0, 0xF0)
_EXPECTED = frozenset({_BASELINE, _DHT, _DQT, DRI, SOS, EOI, _COMMENT, *_APPLICATIONS})


def proved_jpeg(
    data: bytes, *, max_side_px: int, quality: int, max_pixels: int, max_side_ratio: float, is_damaged: bool
) -> ShardImage:
    """`shard_jpeg` of bytes that `proof.prove` has seen: the same picture and the same BadImage. is_damaged: what it
    has found.
    """
    if not is_damaged and (found := _as_it_is(data, max_side_px, max_pixels, max_side_ratio)) is not None:
        return found
    return shard_jpeg(
        data,
        max_side_px=max_side_px,
        quality=quality,
        max_pixels=max_pixels,
        max_side_ratio=max_side_ratio,
        is_damaged=is_damaged,
    )


def _as_it_is(data: bytes, max_side_px: int, max_pixels: int, max_side_ratio: float) -> ShardImage | None:
    """None where decoding has to say. Raises BadImage for what the header says: too many pixels, sides."""
    if sniff(data) != "JPEG" or not _is_plain(data, tuple(segments(data))):
        return None
    try:
        with open_image(data, max_pixels=max_pixels) as image:
            check_sides(image, max_side_ratio)
            is_upright_rgb = image.format == "JPEG" and image.mode == "RGB" and orientation_of(image) == 1
            width, height = image.size
    except PILLOW_ERRORS:
        return None
    if not is_upright_rgb or max(width, height) > max_side_px:
        return None
    return ShardImage(jpeg=data, width=width, height=height, is_original=True)


def _is_plain(data: bytes, found: Sequence[Segment]) -> bool:
    """Whether the JPEG is whole, baseline, and one that libjpeg-turbo did not turn down unasked when it was proved."""
    frames = [segment.marker for segment in found if segment.marker in FRAMES]
    if frames != [_BASELINE] or found[-1].marker != EOI or not is_told(found):
        return False
    if any(segment.marker not in _EXPECTED for segment in found):  # a decoder may refuse it, and a proof leaves it out
        return False
    if sum(segment.marker == SOS for segment in found) > MAX_JPEG_SCANS:
        return False
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return True
