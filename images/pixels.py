"""Loaded images to upright RGB: what EXIF, transparency and samples deeper than 8 bits do to pixels."""

import numpy as np
from PIL import Image

from florenz.images.opening import PILLOW_ERRORS

ORIENTATION = 0x0112  # EXIF's tag
TURN = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """EXIF (or XMP) orientation, 1 to 8; 1, as stored, where the value or the metadata around it is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and value in TURN else 1


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture upright; the image itself where it already is."""
    return image.transpose(TURN[orientation]) if orientation in TURN else image


def to_rgb(image: Image.Image) -> Image.Image:
    """A loaded image of 8 bits as RGB, transparency laid on white; the image itself where it is RGB already.

    Pillow clips deeper samples at 255, so `eight_bits` comes first. ValueError for LAB, which it can't convert.
    """
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def eight_bits(image: Image.Image) -> Image.Image:
    """Scale deep grey samples to 0..255 by the range that they are in; any other image as it is.

    Integers within 16 bits are 16-bit greys, floats within 0..1, 0..255 or 0..65535 are taken at that scale; anything
    else (signed, 32-bit, elevation maps) is stretched between its minimum and maximum. NaN counts as black.
    """
    if not (image.mode.startswith("I;16") or image.mode in ("I", "F")):
        return image
    samples_HW = np.asarray(image)
    values = np.nan_to_num(samples_HW.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    scales = (1.0, 255.0, 65535.0) if samples_HW.dtype.kind == "f" else (65535.0,)
    if low >= 0 and high <= scales[-1]:
        low, high = 0.0, next(scale for scale in scales if high <= scale)
    span = (high - low) or 1.0
    return Image.fromarray(np.round((values / span - low / span) * 255).astype(np.uint8))
