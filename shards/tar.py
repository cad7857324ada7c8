"""What every reader of shards asks of a tar, and how damage is told.

Readers of tars stop at the first block of zeros, so a shard that was cut off between two files, or zeroed in the
middle, would pass for a shorter one. What follows the last file has to be the end of a tar, and nothing else.
"""

from collections.abc import Iterable

from florenz.shards.writer import BLOCK_BYTES

NO_END_MARK = "the file ends without the end mark of a tar: it was cut off"


class ShardError(ValueError):
    """A shard that is not a whole tar of regular files. offset: where in the file, in bytes."""

    def __init__(self, path: str, offset: int, detail: str) -> None:
        super().__init__(f"shard {path} is damaged at byte {offset}: {detail}")
        self.path = path
        self.offset = offset
        self.detail = detail


def check_end(path: str, end: int, rest: Iterable[bytes]) -> None:
    """Only zeros may follow the last file, and at least two blocks of them (POSIX.1-1988).

    path: for the message. end: offset behind the last file. rest: all bytes from there on, in pieces of any size.
    """
    num_zeros = 0
    for piece in rest:
        if piece.count(0) < len(piece):
            raise ShardError(path, end, "neither a file nor the end of the tar")
        num_zeros += len(piece)
    if num_zeros < 2 * BLOCK_BYTES:
        raise ShardError(path, end, NO_END_MARK)
