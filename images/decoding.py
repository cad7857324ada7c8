"""Image bytes to pixels, and to the JPEG that a shard stores: the one place that decodes strangers' files.

Every file either becomes an upright RGB image or raises `BadImage` with one of REASONS, and nothing else.
The trade-off is safety over reach: only the formats in FORMATS are opened, because Pillow has 40 and some of them start
programs (EPS), open other files, or decode in slow Python. Size is checked in the header, before any pixel is decoded.
ICC profiles are ignored: the colour error is small, and littlecms is one more C parser for hostile bytes to reach.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")  # what decode() opens; MPO is JPEG
MIN_SIDE_PX = 8  # smaller pictures are tracking pixels and spacers; nothing can be captioned in them
MAX_JPEG_SCANS = 100  # encoders write about 10; each one is a pass over all pixels (libjpeg's LJT-01-004)
MAX_DETAIL_CHARS = 200

REASONS = frozenset({
    "empty_file", "null_cell", "too_many_bytes", "unreadable_file", "unreadable_source",  # from images.py
    "not_an_image", "unsupported_format", "too_small", "too_many_pixels", "truncated_image", "broken_image",
})  # fmt: skip

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

_SIGNATURES = (  # how a file begins -> format; those that FORMATS lacks are named so that a reject can say what it met
    (r"\xff\xd8\xff", "JPEG"),
    (r"\x89PNG\r\n\x1a\n", "PNG"),
    (r"GIF8[79]a", "GIF"),
    (r"BM.{4}\0\0\0\0.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"),  # "BM" alone also begins prose
    (r"II[*+]\0|MM\0[*+]", "TIFF"),
    (r"RIFF.{4}WEBP", "WEBP"),
    (r".{4}ftypavi[fs]", "AVIF"),
    (r"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG2000"),
    (r"P[1-6]\s+(#[^\n]*\n\s*)*\d|P[Ff]\s+\d", "PPM"),
    (r".{4}ftyp(hei|hev|mif|msf)", "HEIC"),
    (r"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    (r"\0\0[\x01\x02]\0[^\0]\0", "ICO"),
    (r"8BPS\0\x01", "PSD"),
    (r"qoif", "QOI"),
    (r"DDS ", "DDS"),
    (r"\x01\xda[\0\x01][\x01\x02]", "SGI"),
    (r"BLP[12]", "BLP"),
    (r"icns", "ICNS"),
    (r"SIMPLE  =", "FITS"),
    (r"/\* XPM \*/", "XPM"),
    (r"%!PS|\xc5\xd0\xd3\xc6", "EPS"),
    (r"\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "SVG"),
)
SIGNATURE_BYTES = 256  # enough of a file's beginning for sniff()
_SIGNATURE = re.compile("|".join(f"(?P<s{i}>{part})" for i, (part, _) in enumerate(_SIGNATURES)).encode(), re.DOTALL)
_TRUNCATED = re.compile(r"truncat|not enough image data|unexpected end|end of file", re.IGNORECASE)
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # inside a scan: neither a stuffed byte nor a restart
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the three are DHT, JPG and DAC
_TURN = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImage(Exception):
    """One image can't be used. `reason` is a member of REASONS and also the counter's name; `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        assert reason in REASONS, reason
        super().__init__(reason, detail)  # both as args, so that it survives pickling between workers
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, kw_only=True)
class ShardImage:
    """The JPEG that a shard stores, with its width and height in pixels."""

    jpeg: bytes
    width: int
    height: int
    is_original: bool


def sniff(head: bytes) -> str:
    """The image format whose signature the first SIGNATURE_BYTES bytes bear, "" where none is known."""
    found = _SIGNATURE.match(head[:SIGNATURE_BYTES])
    return _SIGNATURES[int(found.lastgroup[1:])][1] if found and found.lastgroup else ""


def decode(data: bytes, *, max_pixels: int) -> Image.Image:
    """Decode to an upright RGB image without metadata; of an animation, the first frame.

    Transparency is laid on white, 16-bit and float samples are scaled to 8 bits. Raises BadImage, and nothing else.
    """
    return _decode(data, max_pixels)[0]


def shard_jpeg(data: bytes, *, max_side_px: int, quality: int, max_pixels: int) -> ShardImage:
    """The original bytes where every reader will agree about them, else a re-encoded RGB JPEG. Raises BadImage.

    Original means: a whole baseline 8-bit three-component JPEG, upright by its EXIF, and at most `max_side_px` on its
    longer side. The re-encoded JPEG depends on nothing but the arguments and Pillow's version.
    """
    image, is_upright_rgb_jpeg = _decode(data, max_pixels)
    longest = max(image.size)
    if is_upright_rgb_jpeg and longest <= max_side_px and _is_whole_baseline(data):
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


def _decode(data: bytes, max_pixels: int) -> tuple[Image.Image, bool]:
    """The upright RGB image, and whether the file was an RGB JPEG whose EXIF already said upright."""
    if not data:
        raise BadImage("empty_file")
    kind = sniff(data)
    if kind and kind not in FORMATS:
        raise BadImage("unsupported_format", kind)
    scans = (marker for marker in _jpeg_markers(data) if marker == 0xDA)
    if kind == "JPEG" and next(islice(scans, MAX_JPEG_SCANS, None), None) is not None:
        raise BadImage("broken_image", f"more than {MAX_JPEG_SCANS} JPEG scans")
    try:
        # The header alone. BytesIO is all that a plugin can reach: no name, no folder to open other files from.
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, max_pixels)
            mode, opened_as = image.mode, image.format
            image.load()
            _check_size(image, max_pixels)  # some plugins learn the true size only now
            orientation = _orientation(image)
            upright = _turned(_to_rgb(image), orientation)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("too_many_pixels", _detail(error)) from error
    except PILLOW_ERRORS as error:
        raise BadImage(_reason(kind, error), _detail(error)) from error
    upright.info.clear()  # Pillow would write a comment or profile it finds there into the next file
    return upright, opened_as == "JPEG" and mode == "RGB" and orientation == 1


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise BadImage("too_many_pixels", f"{width}x{height} px, limit {max_pixels}")
    if min(width, height) < MIN_SIDE_PX:
        raise BadImage("too_small", f"{width}x{height} px, sides of at least {MIN_SIDE_PX} wanted")


def _reason(kind: str, error: BaseException) -> str:
    if not kind:
        return "not_an_image"
    return "truncated_image" if isinstance(error, EOFError) or _TRUNCATED.search(str(error)) else "broken_image"


def _detail(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "unreadable header"  # Pillow's own words hold a memory address: not the same in two runs
    return f"{type(error).__name__}: {error}"[:MAX_DETAIL_CHARS]


def _orientation(image: Image.Image) -> int:
    """EXIF (or XMP) orientation, 1 to 8; 1, as stored, where the value or the metadata around it is damaged."""
    try:
        value = image.getexif().get(0x0112, 1)
    except PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and value in _TURN else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURN[orientation]) if orientation in _TURN else image


def _to_rgb(image: Image.Image) -> Image.Image:
    """A loaded image of any mode as RGB on white; LAB, which Pillow can't convert, is BadImage `unsupported_format`."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _eight_bits(np.asarray(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode == "LAB":
        raise BadImage("unsupported_format", "LAB colour")
    return image.convert("RGB")


def _eight_bits(samples_HW: np.ndarray) -> Image.Image:
    """Scale deep grey samples to 0..255 by the range that they are in; Pillow's own conversion clips at 255.

    Integers within 16 bits are 16-bit greys, floats within 0..1, 0..255 or 0..65535 are taken at that scale; anything
    else (signed, 32-bit, elevation maps) is stretched between its minimum and maximum. NaN counts as black.
    """
    values = np.nan_to_num(samples_HW.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    scales = (1.0, 255.0, 65535.0) if samples_HW.dtype.kind == "f" else (65535.0,)
    if low >= 0 and high <= scales[-1]:
        low, high = 0.0, next(scale for scale in scales if high <= scale)
    span = (high - low) or 1.0
    return Image.fromarray(np.round((values / span - low / span) * 255).astype(np.uint8))


def _is_whole_baseline(data: bytes) -> bool:
    """Whether the JPEG has one frame, SOF0 (so 8 bits), and ends with its end marker."""
    markers = list(_jpeg_markers(data))
    return [marker for marker in markers if marker in _FRAME_MARKERS] == [0xC0] and markers[-1] == 0xD9


def _jpeg_markers(data: bytes) -> Iterator[int]:
    """The markers of the first image in the file, up to its end marker or to where it breaks.

    Walks from segment to segment, so that a thumbnail inside EXIF or a film behind the picture is not mistaken for it.
    """
    at = 2
    while at + 1 < len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        at += 1 if marker == 0xFF else 2  # 0xFF before a marker is fill
        if marker == 0xFF:
            continue
        yield marker
        if marker == 0xD9:
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # these have no length
            continue
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
        if marker == 0xDA:
            found = _NEXT_MARKER.search(data, at)
            at = found.start() if found else len(data)
