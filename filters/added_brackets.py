"""Brackets that the source has not: "ein Kran (Vogel)", "un(a) artista", "一只鹤（crane）", "(wörtlich: ...)".

What a translator writes in brackets is a second answer: a gloss, an alternative, an ending for another gender, a
transcription, a remark. `commentary` knows such remarks by their words, in English most of all; here the brackets are
enough, whatever the language. A source with a bracket of any kind may be translated with some, and brackets without a
letter ("(2)", ":)") say nothing.

Of the 32,860 human translations that calibrate it drops nine, and seven of those hold just such a second answer
("Jsi ženatý (vdaná)?"). What it catches: "more in brackets" in docs/filters.md; before, one in fifteen. It goes by the
source, so English captions are not asked. Cost: nothing without a bracket.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import ends_of
from florenz.languages.characters import one_of

_OPENING, _CLOSING = "([{（［｛【〔", ")]}）］｝】〕"
_BRACKETED = re.compile(rf"[{re.escape(_OPENING)}]([^{re.escape(_OPENING + _CLOSING)}]*)[{re.escape(_CLOSING)}]")
_ANY_OPENING = one_of(_OPENING)


def may_be_added_brackets(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A translation with a bracket."""
    found: np.ndarray = columns.has_source & columns.have(_ANY_OPENING)
    return found


def check_added_brackets(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with letters in brackets whose source has no bracket; the detail quotes them."""
    if not candidate.source or any(bracket in candidate.source for bracket in _OPENING + _CLOSING):
        return KEEP
    for found in _BRACKETED.finditer(ends_of(candidate.text)):
        if any(map(str.isalpha, found.group(1))):
            what = f"{quoted(found.group())} at character {found.start()}"
            return reject("added_brackets", f"{what}, and no bracket in the source")
    return KEEP
