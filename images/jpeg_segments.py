"""The segments of a JPEG (ITU-T T.81, annex B), walked without decoding: what kind it is, and where its scans lie."""

import re
from collections.abc import Iterator
from typing import NamedTuple

SOI, EOI, SOS, DRI = 0xD8, 0xD9, 0xDA, 0xDD
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the three are DHT, JPG and DAC
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # inside a scan: neither a stuffed byte nor a restart


class Segment(NamedTuple):
    """marker: its second byte. start: offset of the marker. end: behind it; a scan's entropy-coded data are its own."""

    marker: int
    start: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """The segments of the first image in the file, up to its end marker or to where it breaks.

    Walks from segment to segment, so that a thumbnail inside EXIF or a film behind the picture is not mistaken for it.
    """
    at = 2
    while at + 1 < len(data):
        if data[at] != 0xFF:
            return
        start, marker = at, data[at + 1]
        at += 1 if marker == 0xFF else 2  # 0xFF before a marker is fill
        if marker == 0xFF:
            continue
        if marker not in (EOI, 0x01) and not 0xD0 <= marker <= SOI:  # these have no length
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
        if marker == SOS:
            found = _NEXT_MARKER.search(data, at)
            at = found.start() if found else len(data)
        yield Segment(marker, start, at)
        if marker == EOI:
            return


def is_whole_baseline(data: bytes) -> bool:
    """Whether the JPEG has one frame, SOF0 (so 8 bits), and ends with its end marker."""
    markers = [segment.marker for segment in segments(data)]
    return [marker for marker in markers if marker in FRAMES] == [0xC0] and markers[-1] == EOI
