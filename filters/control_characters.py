"""Characters that no caption holds: control codes, replacement characters, lone surrogates, direction overrides.

They come from broken token boundaries. The text is dropped rather than cleaned, because what stood there is lost.
Joiners (Persian, Hindi, emoji), soft hyphens, tabs and line ends stay: they are rightly in human text.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.characters import CharacterTable

_STRAY = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control codes but tab, line feed, carriage return
    "\u202a-\u202e\u2066-\u2069"  # direction embedding, override, isolate
    "\ud800-\udfff"  # lone surrogates: half of a pair, cannot be written as UTF-8
    "\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use, and the noncharacters of planes 15 and 16
    "\ufdd0-\ufdef\ufffe\uffff\ufff9-\ufffd"  # noncharacters, annotation marks, object and character replacement
    "]"
)

_BEFORE_CHARS = 30


_STRAYS = CharacterTable(lambda character: _STRAY.match(character) is not None)


def may_be_control_characters(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with such a character."""
    return columns.have(_STRAYS)


def check_control_characters(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with a character that cannot have been meant; the detail gives its code point and place."""
    found = _STRAY.search(candidate.text)
    if found is None:
        return KEEP
    before = quoted(candidate.text[max(0, found.start() - _BEFORE_CHARS) : found.start() + 1])
    return reject(
        "control_characters", f"U+{ord(found.group()):04X} at character {found.start()}, at the end of {before}"
    )
