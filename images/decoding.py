"""Image bytes to pixels, and to the JPEG that a shard stores.

Every file either becomes an upright RGB image or raises `BadImage` with one of its reasons, and nothing else. ICC
profiles are ignored: the colour error is small, and littlecms is one more C parser for hostile bytes to reach.
"""

import io
import re
from dataclasses import dataclass
from itertools import islice

from PIL import Image, UnidentifiedImageError

from florenz.images.bad_image import MAX_DETAIL_CHARS, BadImage
from florenz.images.formats import FORMATS, sniff
from florenz.images.jpeg_segments import SOS, is_whole_baseline, segments
from florenz.images.opening import PILLOW_ERRORS, check_pixels, open_image
from florenz.images.pixels import eight_bits, orientation_of, to_rgb, turned
from florenz.images.unsupported import is_unsupported
from florenz.limits.errors import excess
from florenz.limits.table import SIDE_RATIO

MIN_SIDE_PX = 8  # smaller pictures are tracking pixels and spacers; nothing can be captioned in them
MAX_JPEG_SCANS = 100  # encoders write about 10; each one is a pass over all pixels (libjpeg's LJT-01-004)

_TRUNCATED = re.compile(r"truncat|not enough image data|unexpected end|end of file", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ShardImage:
    """The JPEG that a shard stores, with its width and height in pixels."""

    jpeg: bytes
    width: int
    height: int
    is_original: bool


def decode(data: bytes, *, max_pixels: int, max_side_ratio: float = SIDE_RATIO) -> Image.Image:
    """Decode to an upright RGB image without metadata; of an animation, the first frame.

    Transparency is laid on white, 16-bit and float samples are scaled to 8 bits. Raises BadImage, and nothing else.
    """
    return _decode(data, max_pixels, max_side_ratio)[0]


def shard_jpeg(
    data: bytes,
    *,
    max_side_px: int,
    quality: int,
    max_pixels: int,
    max_side_ratio: float = SIDE_RATIO,
    is_damaged: bool = False,
) -> ShardImage:
    """The original bytes where every reader will agree about them, else a re-encoded RGB JPEG. Raises BadImage.

    Original means: a whole baseline 8-bit three-component JPEG, upright by its EXIF, and at most `max_side_px` on its
    longer side. is_damaged: what `proof.py` found, which is never passed on as it is. The re-encoded JPEG depends on
    nothing but the arguments and Pillow's version.
    """
    image, is_upright_rgb_jpeg = _decode(data, max_pixels, max_side_ratio)
    longest = max(image.size)
    if is_upright_rgb_jpeg and not is_damaged and longest <= max_side_px and is_whole_baseline(data):
        return ShardImage(jpeg=data, width=image.width, height=image.height, is_original=True)
    if longest > max_side_px:
        width, height = (max(1, round(side * max_side_px / longest)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    try:
        image.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0", optimize=False, progressive=False)
    except OSError as error:  # libjpeg stops at 65,500 px a side, which a GIF or PNG may exceed
        raise BadImage("unsupported_format", f"{image.width}x{image.height} px don't fit a JPEG") from error
    return ShardImage(jpeg=buffer.getvalue(), width=image.width, height=image.height, is_original=False)


def _decode(data: bytes, max_pixels: int, max_side_ratio: float) -> tuple[Image.Image, bool]:
    """The upright RGB image, and whether the file was an RGB JPEG whose EXIF already said upright."""
    if not data:
        raise BadImage("empty_file")
    kind = sniff(data)
    if kind and kind not in FORMATS:
        raise BadImage("unsupported_format", kind)
    scans = (segment for segment in segments(data) if segment.marker == SOS)
    if kind == "JPEG" and next(islice(scans, MAX_JPEG_SCANS, None), None) is not None:
        raise BadImage("broken_image", f"more than {MAX_JPEG_SCANS} JPEG scans")
    was_opened = False
    try:
        with open_image(data, max_pixels=max_pixels) as image:
            was_opened = True
            check_sides(image, max_side_ratio)
            mode, opened_as = image.mode, image.format
            image.load()
            check_pixels(image, max_pixels)
            check_sides(image, max_side_ratio)
            if image.mode == "LAB":
                raise BadImage("unsupported_format", "LAB colour")
            orientation = orientation_of(image)
            upright = turned(to_rgb(eight_bits(image)), orientation)
            if upright is image:
                upright = image.copy()  # an Image and no JpegImageFile: nothing of the file goes on
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("too_many_pixels", _detail(error)) from error
    except PILLOW_ERRORS as error:
        raise BadImage(_reason(kind, error, data, was_opened=was_opened), _detail(error)) from error
    upright.info.clear()  # Pillow would write a comment or profile it finds there into the next file
    return upright, opened_as == "JPEG" and mode == "RGB" and orientation == 1


def check_sides(image: Image.Image, max_side_ratio: float) -> None:
    """Raises BadImage, `too_small` or `too_narrow`."""
    if min(image.size) < MIN_SIDE_PX:
        raise BadImage("too_small", f"{image.width}x{image.height} px, sides of at least {MIN_SIDE_PX} wanted")
    ratio = max(image.size) / min(image.size)
    if ratio > max_side_ratio:
        detail = f"{image.width}x{image.height} px: longer by shorter side {excess(ratio, max_side_ratio, 'times')}"
        raise BadImage("too_narrow", detail)


def _reason(kind: str, error: BaseException, data: bytes, *, was_opened: bool) -> str:
    if not kind:
        return "not_an_image"
    if is_unsupported(kind, data, was_opened=was_opened):
        return "unsupported_format"
    return "truncated_image" if isinstance(error, EOFError) or _TRUNCATED.search(str(error)) else "broken_image"


def _detail(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "unreadable header"  # Pillow's own words hold a memory address: not the same in two runs
    return f"{type(error).__name__}: {error}"[:MAX_DETAIL_CHARS]
