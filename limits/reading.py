"""Reading with a limit: the way in which anything is read whole that this program has not just written.

`tests/test_hostile_reading.py` walks the code for a `read()` without one.
"""

from pathlib import Path
from typing import Any, Protocol

from florenz.limits.errors import TooLarge

PIECE_BYTES = 1 << 20


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_whole(file: Readable, max_bytes: int, what: str, key: str = "") -> bytes:
    """All bytes from here on. Raises TooLarge, before more than the limit is in memory."""
    pieces: list[bytes] = []
    room = max_bytes
    while piece := file.read(min(PIECE_BYTES, room + 1)):
        room -= len(piece)
        if room < 0:
            raise TooLarge(what, None, max_bytes, "bytes", key)
        pieces.append(piece)
    return b"".join(pieces)


def depth_of(value: Any, limit: int) -> int:
    """How many lists and dicts lie within each other; looks no deeper than `limit` + 1, and never recurses."""
    level: list[Any] = [value]
    depth = 0
    while level and depth <= limit:
        inside: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inside.append(item.values())
            elif isinstance(item, list | tuple):
                inside.append(item)
        if not inside:
            return depth
        depth += 1
        level = [child for items in inside for child in items]
    return depth


def read_path(path: Path, max_bytes: int) -> bytes:
    """A local file. Raises TooLarge, which names it, and OSError."""
    with path.open("rb") as file:
        return read_whole(file, max_bytes, str(path))
