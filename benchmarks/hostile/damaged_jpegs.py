"""JPEGs as photographs are, and what damage does to them."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image

from florenz.images.jpeg_segments import SOS, segments


def photo_like(rng: random.Random, size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG with as much in it as a photograph: soft shapes and grain."""
    noise = np.random.default_rng(rng.randrange(1 << 30))
    coarse = Image.fromarray(noise.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = noise.normal(0, 8, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def scan_of(jpeg: bytes) -> tuple[int, int]:
    """Where the entropy-coded bytes of the first scan begin, and where the last one ends."""
    scans = [one for one in segments(jpeg) if one.marker == SOS]
    return scans[0].start + 2 + int.from_bytes(jpeg[scans[0].start + 2 : scans[0].start + 4], "big"), scans[-1].end


def damaged(jpeg: bytes, kind: str, rng: random.Random, size: int) -> bytes:
    """size: bytes that are zeroed or dropped, bits that are flipped; a cut is anywhere in the scan."""
    start, end = scan_of(jpeg)
    if kind == "flipped":
        flipped = bytearray(jpeg)
        for _ in range(size):
            flipped[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    size = min(size, (end - start) // 2)
    at = rng.randrange(start, end - size)
    return jpeg[:at] + {"zeroed": bytes(size), "dropped": b"", "cut": b""}[kind] + (jpeg[at + size :] * (kind != "cut"))
