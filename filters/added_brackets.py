"""A second answer in brackets that the source has not: "Kran (crane)", "un(a) artista", "Ein Hund. (Wörtlich: ...)".

`commentary` knows remarks by their words, in English most of all. Here it is what the brackets hold, in any language:
a gloss, which is an ordinary word of the source or (where Latin is not the language's own script) a transcription; an
ending for another gender or number, three letters at most at the end of a word; or a second text, which ends as a
sentence does or is half as long as the rest. People add a word of their own, too, to say what is meant ("20 (zwanzig)
Jahre"): as long as any bracket counted, 24 of 33,065 good texts went and three languages fell below 99%. That stays.

Of the 32,860 human translations that calibrate it drops one, which holds two answers. What it catches: "more in
brackets" in docs/filters.md; before, one in eleven. A source with a bracket of any kind may be translated with some,
and an English caption has no source to go by. Cost: nothing without a bracket.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.shared_words import SHARED_WORDS
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import ends_of, folded_words
from florenz.languages.characters import one_of
from florenz.languages.codes import scripts_of_language
from florenz.languages.scripts import script_weights

_OPENING, _CLOSING = "([{（［｛【〔", ")]}）］｝】〕"
_BRACKETED = re.compile(rf"[{re.escape(_OPENING)}]([^{re.escape(_OPENING + _CLOSING)}]*)[{re.escape(_CLOSING)}]")
_ANY_OPENING = one_of(_OPENING)
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।", "۔")
_LATIN = "LATIN"
_MAX_ENDING_LETTERS = 3
_MIN_LETTERS, _SHARE = 8, 0.5
"""Of a second text: letters in the brackets, and how many of them for each letter beside them, if it is no sentence."""


def may_be_added_brackets(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A translation with a bracket."""
    found: np.ndarray = columns.has_source & columns.have(_ANY_OPENING)
    return found


def check_added_brackets(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with a gloss, an ending or a second text in brackets whose source has no bracket; the detail
    quotes them."""
    if not candidate.source or any(bracket in candidate.source for bracket in _OPENING + _CLOSING):
        return KEEP
    text = ends_of(candidate.text)
    num_letters = _num_letters(text)
    for found in _BRACKETED.finditer(text):
        what = _kind(found, candidate, num_letters)
        if what:
            return reject("added_brackets", f"{what} in {quoted(found.group())}, and no bracket in the source")
    return KEEP


def _kind(found: re.Match[str], candidate: Candidate, num_letters: int) -> str:
    """What the brackets hold; "" for nothing that is at fault. num_letters: of the whole text."""
    inside = _num_letters(found.group(1))
    if not inside:
        return ""
    is_sentence = found.group(1).rstrip().endswith(_SENTENCE_ENDS)
    if inside >= _MIN_LETTERS and (is_sentence or inside >= _SHARE * (num_letters - inside)):
        return "a second text"
    before = found.string[found.start() - 1 : found.start()]
    if before.isalpha() and inside <= _MAX_ENDING_LETTERS and found.group(1).isalpha() and _has_spaces(candidate):
        return "an ending"
    return "a gloss" if _is_gloss(found.group(1), candidate) else ""


def _num_letters(text: str) -> int:
    """A Chinese character counts for three."""
    return sum(script_weights(text).values())


def _has_spaces(candidate: Candidate) -> bool:
    """Whether words stand apart, so that a bracket at a letter is within a word."""
    return len(candidate.text.split()) > 1 and not {"HAN", "KANA", "THAI"} & script_weights(candidate.text).keys()


def _is_gloss(inside: str, candidate: Candidate) -> bool:
    words, source = folded_words(inside), candidate.source_words
    shared = SHARED_WORDS.get(candidate.language, frozenset())
    if any(word in source.known and word not in source.names and word not in shared for word in words):
        return True
    is_latin = script_weights(inside).keys() == {_LATIN} and _LATIN not in scripts_of_language(candidate.language)
    return is_latin and source.names.isdisjoint(words) and not inside.isupper()
