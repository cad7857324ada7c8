"""Whether a picture decodes to what it was: decoders are asked strictly; by default they make up what is missing.

Pillow decodes a JPEG whose scan lost 2,000 bytes without a word: libjpeg warns, fills the rest with grey and goes on.
Here libjpeg-turbo's warnings are faults (simplejpeg, strict), for a picture an eighth of the size in grey, because the
codes are read in full either way. A PNG has a checksum for each chunk, which Pillow skips where the pixels are. WebP
and GIF have none; their blocks must at least add up to the file.

What is asked about is damage, not form: headers that libjpeg finds odd (another JFIF revision, an unknown Adobe marker,
an EXIF that is none) are left out before, and bytes behind the end of the picture (a film, a second picture, a map) are
not looked at.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import simplejpeg

from florenz.images.bad_image import MAX_DETAIL_CHARS
from florenz.images.formats import sniff
from florenz.images.jpeg_segments import DRI, EOI, FRAMES, SOI, SOS, Segment, segments

PROOF = 1
"""The version of what is checked here: verdicts of an earlier one are not believed."""

_DHT, _DQT, _APP14, _RST0 = 0xC4, 0xDB, 0xEE, 0xD0
_TURBOS_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive Huffman, 8 bits: what every build of it reads
_ADOBE_TRANSFORMS = (0, 1, 2)
# What libjpeg-turbo says of a picture that it does not decode, however sound (turbojpeg.c, jerror.h).
_NOT_DECODED = (
    "Unsupported",
    "unsupported",
    "not supported",
    "Could not determine",
    "not implemented",
    "Bogus sampling",
)
_MAX_PADDING = 16  # bytes of zeros or ones that some encoders leave before the end marker


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What is wrong with a picture's bytes: "" where nothing is, or where its format does not let anybody tell."""

    damage: str = ""


def prove(data: bytes) -> Proof:
    """Never raises. Of a file that is no image at all it says nothing: decoding will."""
    check = {"JPEG": _jpeg_damage, "PNG": _png_damage, "GIF": _gif_damage, "WEBP": _webp_damage}.get(sniff(data))
    return Proof(damage=check(data)[:MAX_DETAIL_CHARS] if check else "")


# -- JPEG -------------------------------------------------------------------------------------------------------------


def _jpeg_damage(data: bytes) -> str:
    """Frame, tables and scans, and nothing else, through the strict decoder."""
    found = list(segments(data))
    if not is_told(found):
        return ""
    has_end = found[-1].marker == EOI
    if not has_end and any(segment.marker == 0xC2 for segment in found):
        return "a progressive JPEG without its end: later scans may be missing"
    core = b"\xff\xd8" + b"".join(data[one.start : one.end] for one in found if _decides(data, one))
    core = core if has_end else core + b"\xff\xd9"
    if not (problem := _turbos_complaint(core)):
        return ""
    without = _without_padding(core)
    return "" if without is not None and not _turbos_complaint(without) else problem


def is_told(found: Sequence[Segment]) -> bool:
    """Whether the strict decoder is asked about a JPEG of these segments at all."""
    frames = [segment.marker for segment in found if segment.marker in FRAMES]
    if len(frames) != 1 or frames[0] not in _TURBOS_FRAMES or not any(segment.marker == SOS for segment in found):
        return False  # lossless, arithmetic, 12 bits, none at all: decoding says what they are
    # Not with an EXIF that states a wrong length: what was walked may be its thumbnail.
    return not any(_RST0 <= segment.marker <= SOI for segment in found)


def _decides(data: bytes, segment: Segment) -> bool:
    """Whether the picture depends on it: not comments, EXIF and profiles, which libjpeg warns about too."""
    if segment.marker == _APP14:
        return data[segment.start + 4 : segment.start + 9] == b"Adobe" and data[segment.end - 1] in _ADOBE_TRANSFORMS
    return segment.marker in (_DHT, _DQT, DRI, SOS, EOI) or segment.marker in FRAMES


def _turbos_complaint(jpeg: bytes) -> str:
    """What the strict decoder says, "" for a picture without a fault or one that it can't be asked about."""
    try:
        simplejpeg.decode_jpeg(jpeg, "GRAY", fastdct=True, fastupsample=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as problem:
        said = str(problem)
        return "" if any(word in said for word in _NOT_DECODED) else said
    return ""


def _without_padding(jpeg: bytes) -> bytes | None:
    """The JPEG less a few bytes of padding before its end marker; None without any."""
    body = jpeg[:-2]
    for padding in (b"\0", b"\xff"):
        short = body.rstrip(padding)
        if 0 < len(body) - len(short) <= _MAX_PADDING:
            return short + jpeg[-2:]
    return None


# -- PNG (W3C, Portable Network Graphics, 5.3: chunk layout) ----------------------------------------------------------


def _png_damage(data: bytes) -> str:
    """Checksums of the chunks that the picture is made of."""
    for kind, start, end in _png_chunks(data):
        if end + 4 > len(data):
            return f"cut off in its chunk {kind.decode('latin-1')!r}"
        is_critical = not kind[0] & 0x20
        if is_critical and zlib.crc32(data[start - 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return f"the checksum of its chunk {kind.decode('latin-1')!r} at byte {start} is wrong"
        if kind == b"IEND":
            return ""
    return "it ends without an end chunk"


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end of the content) of each."""
    at = 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, at + 8 + size
        at += 12 + size


# -- GIF (GIF89a), WebP (RFC 9649) ------------------------------------------------------------------------------------


def _gif_damage(data: bytes) -> str:
    """The blocks of the first picture, one behind the other, up to the empty one that ends them."""
    at = 13 + _colour_table_bytes(data[10]) if len(data) > 13 else len(data)
    while at < len(data):
        kind = data[at]
        if kind == 0x21:  # an extension: label, then blocks
            at = _behind_blocks(data, at + 2)
        elif kind == 0x2C:  # a picture: its place, a colour table, the size of the first code, then blocks
            flags = data[at + 9] if at + 9 < len(data) else 0
            at = _behind_blocks(data, at + 11 + _colour_table_bytes(flags))
            return "" if at <= len(data) else "cut off in its first picture"
        elif kind == 0:  # empty blocks stand between others in real files
            at += 1
        else:
            return f"a block of unknown kind {kind:#x} at byte {at}"
    return "it ends before its first picture"


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    """The offset behind a row of blocks; more than there are bytes where it is cut off."""
    while at < len(data):
        if not data[at]:
            return at + 1
        at += 1 + data[at]
    return len(data) + 1


def _webp_damage(data: bytes) -> str:
    """The file's own length, and chunks that fit into it; VP8 and VP8L have no checksums."""
    size = 8 + int.from_bytes(data[4:8], "little")
    if size > len(data):
        return f"cut off: {len(data)} of {size} bytes"
    at = 12
    while at + 8 <= size:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > size:
            return f"its chunk {data[at : at + 4].decode('latin-1')!r} is longer than the file"
        at = end + end % 2
    return ""
