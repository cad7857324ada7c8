"""Is there a whole text at all? Catches empty answers and those that ran into the token limit.

The token limit is read from the server's `finish_reason`: a sentence without a full stop may be a whole caption, so
the text itself is not asked.
"""

from __future__ import annotations

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.characters import CharacterTable

_END_CHARS = 30


_LETTERS = CharacterTable(str.isalpha)


def may_be_empty(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text without a letter."""
    return ~columns.have(_LETTERS)


def check_empty(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text without a letter, unless its source (like "42") has none either and the text is not blank."""
    has_letter = any(character.isalpha() for character in candidate.text)
    source_has_letter = any(character.isalpha() for character in candidate.source)
    if has_letter or (candidate.source.strip() and not source_has_letter and candidate.text.strip()):
        return KEEP
    return reject("empty", f"no letter in {quoted(candidate.text)}" if candidate.text.strip() else "the text is empty")


def may_be_truncated(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text that the server says is cut off."""
    return columns.of(candidate.finish_reason == "length" for candidate in columns.candidates)


def check_truncated(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects an answer that the server cut off at its token limit."""
    if candidate.finish_reason == "length":
        end = quoted(candidate.text[-_END_CHARS:])
        return reject("truncated", f"cut off at the token limit after {len(candidate.text)} characters, at {end}")
    return KEEP
