"""Were bytes read in the wrong encoding? "Ã¼ber" for "über", "ÐœÐ¾ÑÐºÐ²Ð°" for "Москва".

UTF-8 that was read as Windows-1252 or Latin-1 leaves runs of characters that go back into bytes and come out of them as
valid UTF-8. That alone is not enough: French "voilà »" survives it too, as a Samaritan letter. So what comes out has to
be letters that the language is written in, punctuation or an emoji. Read in any other code page ("√º" of a Mac, "ĂĽ" of
central Europe, "Рё" of Russia) it is the whole text that has to come out of its bytes as UTF-8: of the 32,860 human
texts that calibrate none does. Cost: nothing for ASCII, else one linear pattern, and some ten attempts to encode the
few texts that have a pair of such characters.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.characters import one_of
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
_QUOTES = frozenset("“”‘’‚„«»‹›…–—\u00a0")  # what may stand behind a capital: „Ä“
_EMOJI = range(0x1F000, 0x1FB00)
_OTHER_PAGES = (
    *("cp1250", "iso8859-2", "cp1251", "cp1254", "cp1257", "mac_roman", "cp437", "cp850", "cp866", "koi8-r"),
)
_PUNCTUATION = re.compile("[\u00a0-\u00bf\u2010-\u2044\u20ac\u2122\u3000-\u303f\uff00-\uffef]")


def _characters_of_pages(first: int, last: int) -> frozenset[str]:
    """All that the bytes from first to last look like, in any of the pages."""
    others = (bytes([byte]).decode(page, "ignore") for page in _OTHER_PAGES for byte in range(first, last + 1))
    return frozenset(character for character, byte in _BYTES.items() if first <= byte <= last).union(*others)


_LEADING_ONES = one_of("".join(_characters_of_pages(0xC2, 0xF4)))
_FOLLOWING_ONES = one_of("".join(_characters_of_pages(0x80, 0xBF)))


def may_be_mojibake(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a run of two misread bytes."""
    return columns.have_pairs(_LEADING_ONES, _FOLLOWING_ONES)


def check_mojibake(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text most of whose characters beyond ASCII are misread UTF-8; the detail quotes the first run."""
    if candidate.text.isascii():
        return KEEP
    own = scripts_of_language(candidate.language) | {"LATIN"}
    return _check_runs(candidate, own) or _check_whole(candidate, own) or KEEP


def _check_runs(candidate: Candidate, own: frozenset[str]) -> Verdict | None:
    """Of Windows-1252 and Latin-1, of which a part is enough: bytes may be lost."""
    runs = _RUN.findall(candidate.text)
    runs = [run for run in runs if _reads_as(run, own)]
    if not runs or runs[0] in candidate.source:
        return None
    if len(runs) == 1 and runs[0][0] not in "ÂÃ" and _QUOTES.issuperset(runs[0][1:]):  # a quotation that ends in Ä
        return None
    misread, beyond_ascii = sum(map(len, runs)), len(candidate.text) - _count_ascii(candidate.text)
    if misread < _MIN_SHARE * beyond_ascii:
        return None
    first = bytes(_BYTES[character] for character in runs[0]).decode(errors="ignore")
    return reject("mojibake", f"{runs[0]!r} is {first!r} in the wrong encoding, {len(runs)} such places")


def _check_whole(candidate: Candidate, own: frozenset[str]) -> Verdict | None:
    """Of all other pages."""
    for page in _OTHER_PAGES:
        try:
            read = candidate.text.encode(page).decode()
        except UnicodeError:
            continue
        if all(character.isascii() or _may_stand(character, own) for character in read):
            misread = f"{quoted(candidate.text)} is {quoted(read)} in the wrong encoding, {page}"
            return None if candidate.text in candidate.source else reject("mojibake", misread)
    return None


def _may_stand(character: str, scripts: frozenset[str]) -> bool:
    """Whether it may stand in a text in these scripts."""
    is_sign = _PUNCTUATION.match(character) is not None or ord(character) in _EMOJI
    return is_sign or script_of(character) in scripts or unicodedata.category(character)[0] == "M"


def _reads_as(run: str, scripts: frozenset[str]) -> bool:
    """Whether the bytes begin with a UTF-8 character that may stand in a text in these scripts."""
    read = bytes(_BYTES[character] for character in run).decode(errors="ignore")
    return bool(read) and _may_stand(read[0], scripts)


def _count_ascii(text: str) -> int:
    return len(text.encode("ascii", "ignore"))
