"""A caption job whose workers could read not one image is a fault of the place, not of the images."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.questions import CaptionTask

UNREADABLE = ("unreadable_file", "unreadable_source")


class NothingRead(OSError):
    """Not one image could be read; what the workers wrote about them is forgotten again."""


def check_reading(ledger: Ledger, fingerprints: Collection[str], tasks: Sequence[CaptionTask], where: str) -> None:
    """After a caption job of these tasks.

    Raises:
        NothingRead: the ledger has nothing but "could not be read" for them. Kept, it would never be asked again.
    """
    keys = {task.key for task in tasks}
    rows = [row for one in fingerprints for row in ledger.read_captions(one).values() if row.key in keys]
    if not rows or any(row.reason not in UNREADABLE for row in rows):
        return

    def is_of_them(row: CaptionRow) -> bool:
        return row.key in keys and row.reason in UNREADABLE

    for one in fingerprints:
        ledger.forget_captions(one, is_of_them)
    advice = f"see whether they reach {where}, with rights to read it"
    raise NothingRead(f"the workers could not read a single one of {len(keys):,} images ({rows[0].detail}): {advice}")
