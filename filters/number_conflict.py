"""Does the text state another number than its source? "Three dogs" as "zwei Hunde".

By conflict, not by equality: a number of the source is missing AND another one stands in the text. Human translators
leave numbers out and spell them as they like ("a couple", "ein Dutzend"), so that equality would reject 7 to 37% of
their sentences. Digits are compared in every language, words in those of `number_words.py`. What languages count
differently is no conflict ("half past two" is "halb drei", two weeks are 14 days, 20,000 is 2万, ten feet are metres).
Cost: one look into a table for each word.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.number_words import number_words
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.codes import SOURCE

_DIGITS = re.compile(r"\d+(?:[.,:\u00a0\u202f ]\d+)*")
_DECIMALS = re.compile(r"(.*\d)[.,]\d{1,2}")
_SEPARATORS = re.compile(r"\D")
_MINUTES = (15, 30, 45)
# Measures that are converted rather than translated.
_CONVERTED = re.compile(r"\b(?:feet|foot|miles?|inch(?:es)?|pounds?|gallons?|acres?|yards?|ounces?)\b|°", re.IGNORECASE)
_PARTS_OF_HOURS = re.compile(r"\b(?:half|quarter|past|to|thirty|fifteen|forty-five)\b|\d[:.]\d\d", re.IGNORECASE)
_HALF_TO = frozenset(
    (
        *("af", "be", "bs", "ca", "cs", "da", "de", "et", "fi", "fy", "hr", "hu", "is", "lb", "lt", "lv", "nl", "nn"),
        *("no", "pl", "ru", "sk", "sl", "sr", "sv", "uk"),
    )
)
"""Languages in which half past two is half of the third hour."""
_SCALES = frozenset(("hundred", "thousand", "million", "billion"))
_LARGE_UNITS = re.compile(r"[百千万萬億亿兆십백천만억]|लाख|करोड़|লাখ|কোটি|لاکھ|کروڑ|\d\s?(?:тыс|млн|mil\b|lakh)")
_Stated = dict[int, tuple[str, bool]]


def may_be_number_conflict(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text whose source states a number."""
    return columns.of(source.has_number for source in columns.sources)


def check_number_conflict(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text that lacks a number of its source and has one that the source lacks; the detail names both."""
    if candidate.language == SOURCE or not candidate.source:
        return KEEP
    stated = _stated(candidate.source, candidate.source_words.words, SOURCE)
    if not stated:
        return KEEP
    found = _stated(candidate.text, candidate.words, candidate.language)
    missing = {value: word for value, (word, counts) in stated.items() if counts and value not in found}
    other = {value: word for value, (word, counts) in found.items() if counts and value not in stated}
    if not missing or not other or _CONVERTED.search(candidate.source) or _LARGE_UNITS.search(candidate.text):
        return KEEP
    for value, word in other.items():
        if not any(_is_the_same(one, value, missing[one], word, candidate) for one in missing):
            told = next(iter(missing.values()))
            return reject("number_conflict", f"the source says {told[:30]!r}, the text {word[:30]!r}")
    return KEEP


def _is_the_same(meant: int, value: int, told: str, word: str, candidate: Candidate) -> bool:
    """Whether `value` may be how the language says `meant`: 3 p.m. is 15 Uhr, 2:30 halb drei, two weeks 14 days, 3,000
    "trois mille", 33 "treizeci și trei", the 1950s "die 50er".
    """
    if abs(meant - value) == 12 and max(meant, value) <= 24:
        return True
    if value - meant in (1, -11) and candidate.language in _HALF_TO and _PARTS_OF_HOURS.search(candidate.source):
        return True
    if value == 7 * meant or value == 60 * meant:
        return True
    is_year = meant > 1000 and value < 100
    if is_year or told.isalpha() or word.isalpha():
        long, short = sorted((str(meant), str(value)), key=len, reverse=True)
        return len(long) > len(short) and int(long) > 12 and (long.startswith(short) or long.endswith(short))
    return False


def _stated(text: str, words: tuple[str, ...] | list[str], language: str) -> _Stated:
    """Value -> (as it is written, whether it may speak against another number), of digits and of words."""
    table = number_words(language)
    stated: _Stated = {}
    for found in _DIGITS.finditer(text):
        for place, value in enumerate(_values(found.group())):
            stated[value] = (found.group(), place == 0 or value not in _MINUTES)
    if table.keys().isdisjoint(words):
        return stated
    for place, word in enumerate(words):
        if word in table:
            value, counts = table[word]
            counts = counts and (place + 1 == len(words) or words[place + 1] not in _SCALES)
            stated[value] = (word, counts or stated.get(value, ("", False))[1])
    return stated


def _values(digits: str) -> list[int]:
    """2:30 is a two and a thirty, 3,000 and 3.000 are 3000, 3.00 is a three."""
    if ":" in digits:
        return [int(_SEPARATORS.sub("", part)[:18]) for part in digits.split(":")]
    whole = _DECIMALS.fullmatch(digits)
    return [int(_SEPARATORS.sub("", whole.group(1) if whole else digits)[:18])]
