"""Alt texts into the ledger, where captions stand: what an image's source says now, whatever it said before.

Range by range, by the workers: a launcher would have to go through the whole index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from florenz.captioners.original import NO_ALT_TEXT
from florenz.images.sidecars import NOTHING
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.each_range import Record, for_each, merge_scattered
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.makers import style_fingerprints
from florenz.pipeline.answers.ranges import RangeWork, work_of
from florenz.pipeline.image_index import Index, RangeOfImages, read_range
from florenz.pipeline.recipe import Recipe


def take_alt_texts(recipe: Recipe, index: Index, answers: CurrentAnswers) -> None:
    """For each captioner that is read: a row for each image; one without alt text has a reason instead."""
    prints = [
        one for captioner in recipe.captioners if captioner.is_read for one in style_fingerprints(captioner).items()
    ]
    if not prints:
        return
    listed, damaged = merge_scattered(recipe, answers)  # two workers would write a part of two ranges anew
    take = partial(_taken, out=recipe.out, digits=answers.ledger.digits, prints=prints)
    records = for_each(recipe, "alt texts", work_of(index, answers, listed=listed), take)
    answers.ledger.damaged += [*damaged, *(line for record in records for line in record["damaged"])]


def _taken(work: RangeWork, out: str, digits: int, prints: Sequence[tuple[str, str]]) -> Record:
    ledger, found = Ledger(out, digits, work.listed), read_range(out, work.range)
    for style, fingerprint in prints:
        _take(ledger, found, style, fingerprint)
    return {"damaged": ledger.damaged}


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
