"""Alt texts into the ledger, where captions stand: what an image's source says now, whatever it said before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from florenz.captioners.contract import CaptionerSettings
from florenz.captioners.original import NO_ALT_TEXT
from florenz.images.sidecars import NOTHING, About
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.makers import style_fingerprints


def take_alt_texts(
    ledger: Ledger, captioners: Iterable[CaptionerSettings], images: Iterable[str], about: Mapping[str, About]
) -> None:
    """For each captioner that is read: a row for each image (by key); one without alt text has a reason instead."""
    for style, fingerprint in (
        pair for captioner in captioners if captioner.is_read for pair in style_fingerprints(captioner).items()
    ):
        known = ledger.read_captions(fingerprint)
        rows = [_row(key, style, about.get(key, NOTHING).alt.strip()) for key in sorted(images)]
        new = [row for row in rows if known.get((row.key, style)) != row]
        changed = {row.key for row in new if (row.key, style) in known}
        if changed:
            ledger.forget_captions(fingerprint, lambda row, changed=changed: row.key in changed)  # type: ignore[misc]
        ledger.append_captions(fingerprint, new)


def _row(key: str, style: str, text: str) -> CaptionRow:
    if text:
        return CaptionRow(key=key, style=style, text=text, finish_reason="stop")
    return CaptionRow(key=key, style=style, text=None, reason=NO_ALT_TEXT)
