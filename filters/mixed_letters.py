"""Are letters of a word in another script, which looks the same? "дoм" with a Latin o, "Hаus" with a Cyrillic а.

Nobody sees it, but a tokenizer and a search do: the word is another one. Told by the letters alone: a word of Latin,
Cyrillic or Greek letters with a few of another of these scripts, every one of which has a twin in the word's own. So
units ("kΩ") and names with an ending ("Twitterу") stay, capitals side by side (acronyms: "PCға"), words of two
letters, and what the source has as well. Latin i and ə in Cyrillic words stay, too, as people's keyboards write them
(some 40 Kazakh and Ukrainian texts of the half that calibrates), and Kazakh and Mongolian are left alone: three texts
of that half have other letters so.

Of its 32,860 human translations it drops none. What it catches: "a letter of another script" in docs/filters.md;
before, one in 2,000. Cost: nothing for a text in one script, a few microseconds else.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import ends_of
from florenz.languages.scripts import script_of

_LATIN, _CYRILLIC, _GREEK = "LATIN", "CYRILLIC", "GREEK"
_SCRIPTS = (_LATIN, _CYRILLIC, _GREEK)
_TWINS = {
    (_CYRILLIC, _LATIN): frozenset("aceopxyABCEHKMOPTX"),
    (_LATIN, _CYRILLIC): frozenset("асеорхуіјѕАВСЕНКМОРТХІЈЅ"),
    (_GREEK, _LATIN): frozenset("ovABEZHIKMNOPTYX"),
    (_LATIN, _GREEK): frozenset("ονΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"),
}
"""(script of the word, script of the intruders) -> intruders that look like letters of the word's script."""
_MIXED_BY_PEOPLE = frozenset({"kk", "mn"})
_WORD = re.compile(r"[^\W\d_]{3,}")


def may_be_mixed_letters(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with letters of two of these scripts."""
    scripts, weights = columns.scripts
    has = [weights[:, scripts.index(script)] > 0 for script in _SCRIPTS if script in scripts]
    found: np.ndarray = np.sum(has, axis=0) > 1 if has else columns.of(False for _ in columns.texts)
    return found


def check_mixed_letters(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with a word in which letters of another script stand for those that they look like; the detail
    quotes the word and names the script."""
    if candidate.language in _MIXED_BY_PEOPLE:
        return KEEP
    words = _WORD.findall(ends_of(candidate.text))
    mixed = {word: script for word in words if not word.isascii() and (script := _intruding_script(word))}
    of_source = frozenset(_WORD.findall(candidate.source)) if mixed else frozenset()
    for word, script in mixed.items():
        if word not in of_source:
            return reject("mixed_letters", f"{script.lower()} letters that look like others in {quoted(word)}")
    return KEEP


def _intruding_script(word: str) -> str:
    """The script of letters that look like those around them; "" if the word has none."""
    of_letters = [script_of(letter) for letter in word]
    scripts = sorted(set(of_letters), key=of_letters.count)
    if len(scripts) != 2:
        return ""
    intruding, own = scripts
    letters = [letter for letter, script in zip(word, of_letters, strict=True) if script == intruding]
    if not _TWINS.get((own, intruding), frozenset()).issuperset(letters):
        return ""
    return "" if _is_acronym(word, of_letters, intruding) else intruding


def _is_acronym(word: str, of_letters: list[str], script: str) -> bool:
    """Whether capitals of this script stand side by side, in a word that is not all capitals."""
    is_capital = [letter.isupper() and of == script for letter, of in zip(word, of_letters, strict=True)]
    return not word.isupper() and any(one and other for one, other in zip(is_capital, is_capital[1:], strict=False))
