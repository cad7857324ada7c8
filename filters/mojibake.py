"""Were bytes read in the wrong encoding? "Ã¼ber" for "über", "ÐœÐ¾ÑÐºÐ²Ð°" for "Москва".

UTF-8 that was read as Windows-1252 or Latin-1 leaves runs of characters that go back into bytes and come out of them as
valid UTF-8. That alone is not enough: French "voilà »" survives it too, as a Samaritan letter. So what comes out has to
be letters that the language is written in, or punctuation. Cost: nothing for ASCII, else one linear pattern.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.characters import CharacterTable
from florenz.languages.codes import scripts_of_language
from florenz.languages.scripts import script_of

_MIN_SHARE = 0.5  # of the characters beyond ASCII


def _bytes_of_characters() -> dict[str, int]:
    """What each byte from 0x80 on looks like, in Windows-1252 and in Latin-1."""
    table = {chr(byte): byte for byte in range(0x80, 0x100)}
    for byte in range(0x80, 0xA0):
        character = bytes([byte]).decode("cp1252", "ignore")
        table |= {character: byte} if character else {}
    return table


_BYTES = _bytes_of_characters()
_LEADING = "".join(character for character, byte in _BYTES.items() if 0xC2 <= byte <= 0xF4)
_FOLLOWING = "".join(re.escape(character) for character, byte in _BYTES.items() if byte < 0xC0)
_RUN = re.compile(f"[{_LEADING}][{_FOLLOWING}]{{1,3}}")
_PUNCTUATION = re.compile("[\u00a0-\u00bf\u2010-\u2044\u20ac\u2122\u3000-\u303f\uff00-\uffef]")


_LEADING_ONES = CharacterTable(lambda character: 0xC2 <= _BYTES.get(character, 0) <= 0xF4)
_FOLLOWING_ONES = CharacterTable(lambda character: 0x80 <= _BYTES.get(character, 0) < 0xC0)


def may_be_mojibake(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a run of two misread bytes."""
    return columns.have_pairs(_LEADING_ONES, _FOLLOWING_ONES)


def check_mojibake(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text most of whose characters beyond ASCII are misread UTF-8; the detail quotes the first run."""
    if candidate.text.isascii():
        return KEEP
    runs = _RUN.findall(candidate.text)
    if not runs:
        return KEEP
    own = scripts_of_language(candidate.language) | {"LATIN"}
    runs = [run for run in runs if _reads_as(run, own)]
    if not runs or runs[0] in candidate.source:
        return KEEP
    if len(runs) == 1 and runs[0][0] not in "ÂÃ":  # a German quotation that ends in Ä
        return KEEP
    misread, beyond_ascii = sum(map(len, runs)), len(candidate.text) - _count_ascii(candidate.text)
    if misread < _MIN_SHARE * beyond_ascii:
        return KEEP
    first = bytes(_BYTES[character] for character in runs[0]).decode(errors="ignore")
    return reject("mojibake", f"{runs[0]!r} is {first!r} in the wrong encoding, {len(runs)} such places")


def _reads_as(run: str, scripts: frozenset[str]) -> bool:
    """Whether the bytes begin with a UTF-8 character that may stand in a text in these scripts."""
    read = bytes(_BYTES[character] for character in run).decode(errors="ignore")
    return bool(read) and (script_of(read[0]) in scripts or _PUNCTUATION.match(read) is not None)


def _count_ascii(text: str) -> int:
    return len(text.encode("ascii", "ignore"))
