"""What a picture looks like, in 256 bits: PDQ (Meta, 2019), of which near-duplicates differ in 31 at most.

Made of the upright picture, shrunk to 512 px on its longer side first, as PDQ's authors advise. Its quality, 0 to 100,
says how much there is to tell pictures apart by: below 50 (a plain surface, a gradient) the bits mean nothing.
"""

import numpy as np
import pdqhash
from PIL import Image

from florenz.images.bad_image import BadImage
from florenz.images.decoding import decode

NO_LIKENESS = "?"
MIN_QUALITY = 50
_MAX_SIDE_PX = 512


def likeness_of(data: bytes, *, max_pixels: int, max_side_ratio: float) -> str:
    """64 hex digits; NO_LIKENESS where the picture can't be decoded or holds too little to be told from others."""
    try:
        picture = decode(data, max_pixels=max_pixels, max_side_ratio=max_side_ratio)
    except BadImage:
        return NO_LIKENESS
    picture.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX), Image.Resampling.BOX)
    bits, quality = pdqhash.compute(np.asarray(picture))
    return np.packbits(bits.astype(np.uint8)).tobytes().hex() if quality >= MIN_QUALITY else NO_LIKENESS
