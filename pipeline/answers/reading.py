"""A caption job whose workers could read not one image is a fault of the place, not of the images."""

from __future__ import annotations

from collections.abc import Collection

from florenz.pipeline.answers.ledger import CaptionRow, Ledger

UNREADABLE = ("unreadable_file", "unreadable_source")


class NothingRead(OSError):
    """Not one image could be read; what the workers wrote about them is forgotten again."""


def check_reading(ledger: Ledger, fingerprints: Collection[str], *, answered: int, unreadable: int, where: str) -> None:
    """After a caption job that has answered so many questions, so many of them with "could not be read".

    Raises:
        NothingRead: there is nothing else. Kept, it would never be asked again.
    """
    if not answered or unreadable < answered:
        return
    details: set[str] = set()

    def is_of_them(row: CaptionRow) -> bool:
        if row.reason in UNREADABLE:
            details.add(row.detail)
        return row.reason in UNREADABLE

    for one in fingerprints:
        ledger.forget_captions(one, is_of_them)
    advice = f"see whether they reach {where}, with rights to read it"
    why = min(details, default="")
    raise NothingRead(f"the workers could read no image for a single one of {answered:,} captions ({why}): {advice}")
