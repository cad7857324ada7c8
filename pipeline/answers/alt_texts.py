"""Alt texts into the ledger, where captions stand: what an image's source says now, whatever it said before."""

from __future__ import annotations

from collections.abc import Iterable

from florenz.captioners.contract import CaptionerSettings
from florenz.captioners.original import NO_ALT_TEXT
from florenz.images.sidecars import NOTHING
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.makers import style_fingerprints
from florenz.pipeline.image_index import RangeOfImages


def take_alt_texts(ledger: Ledger, captioners: Iterable[CaptionerSettings], ranges: Iterable[RangeOfImages]) -> None:
    """For each captioner that is read: a row for each image; one without alt text has a reason instead."""
    prints = [pair for captioner in captioners if captioner.is_read for pair in style_fingerprints(captioner).items()]
    if not prints:
        return
    for found in ranges:
        for style, fingerprint in prints:
            _take(ledger, found, style, fingerprint)


def _take(ledger: Ledger, found: RangeOfImages, style: str, fingerprint: str) -> None:
    known = ledger.read_captions(fingerprint, found.range)
    rows = [_row(key, style, found.about.get(key, NOTHING).alt.strip()) for key in sorted(found.images)]
    new = [row for row in rows if known.get((row.key, style)) != row]
    changed = {row.key for row in new if (row.key, style) in known}
    if changed:
        ledger.forget_captions(fingerprint, lambda row: row.key in changed, found.range)
    ledger.append_captions(fingerprint, new)


def _row(key: str, style: str, text: str) -> CaptionRow:
    if text:
        return CaptionRow(key=key, style=style, text=text, finish_reason="stop")
    return CaptionRow(key=key, style=style, text=None, reason=NO_ALT_TEXT)
