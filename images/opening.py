"""Strangers' bytes to an opened image, for the pipeline and the trainer alike.

Pillow is given no file and no name, only FORMATS, and nothing is decoded before the header's size was compared with the
limit. Whoever calls its methods afterwards still has to expect PILLOW_ERRORS from each.
"""

import io
import struct
import zlib

from PIL import Image

from florenz.images.bad_image import BadImage
from florenz.images.formats import FORMATS
from florenz.limits.errors import excess
from florenz.limits.table import IMAGE_PIXELS

MAX_PIXELS = IMAGE_PIXELS
"""Width times height, for whoever has no limit of their own."""

# What Pillow 12 can raise on damaged files: its plugins parse with struct, zlib, dicts and asserts and let most of what
# these raise through; the documentation of Image.open names only the first two.
PILLOW_ERRORS = (
    OSError,  # the documented one, with UnidentifiedImageError: truncated data, decoder error codes
    ValueError,  # bad field values, text chunks that unpack to too much, UnicodeDecodeError
    SyntaxError,  # PNG and EXIF: "broken PNG file", "not a TIFF file"
    EOFError,  # a frame that is announced and absent
    struct.error,  # a header that is shorter than its fields
    zlib.error,  # PNG: a compressed chunk that isn't
    LookupError,  # IndexError and KeyError: table entries and TIFF tags that are missing
    TypeError,  # a TIFF tag that holds another type than its number promises
    AttributeError,  # a decoder or file handle that an earlier failure left as None
    AssertionError,  # plugins assert what they expect of the file
    ArithmeticError,  # OverflowError, and ZeroDivisionError from rational tags
    RuntimeError,  # WebP and AVIF decoders; NotImplementedError for variants
    MemoryError,  # a tile larger than memory; what was allocated is free again once it is raised
    Image.DecompressionBombError,  # Pillow's own pixel limit, where it is lower than ours; not an OSError
    Warning,  # only raised when Python runs with -W error
)


def open_image(data: bytes, *, max_pixels: int) -> Image.Image:
    """The image with its header read and no pixel decoded.

    Raises:
        BadImage: `too_many_pixels`. One of PILLOW_ERRORS: what the bytes are not.
    """
    image = Image.open(io.BytesIO(data), formats=FORMATS)  # BytesIO is all that a plugin can reach: no folder, no name
    check_pixels(image, max_pixels)
    return image


def check_pixels(image: Image.Image, max_pixels: int) -> None:
    """Again after `load`: some plugins learn the true size only then. Raises BadImage `too_many_pixels`."""
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise BadImage("too_many_pixels", f"{image.width}x{image.height}: {excess(pixels, max_pixels, 'px')}")
