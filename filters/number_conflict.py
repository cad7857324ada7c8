"""Does the text state another number than its source? "Three dogs" as "zwei Hunde".

By conflict, not by equality: a number of the source is missing AND another one stands in the text. Human translators
leave numbers out and spell them as they like ("a couple", "ein Dutzend"), so that equality would reject 7 to 37% of
their sentences. Digits are compared in every language, words in those of `number_words.py`. Clock times, dates and
large units are left alone, because languages count them differently ("half past two" is "halb drei", 20,000 is 2万).
Cost: one look into a table for each word.
"""

from __future__ import annotations

import re

from florenz.filters.number_words import number_words
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.codes import SOURCE

_DIGITS = re.compile(r"\d+(?:[.,:\u00a0\u202f ]\d+)*")
_SEPARATORS = re.compile(r"\D")
# Counted differently elsewhere: clock times, money and units that are converted, numbers in words of thousands.
_COUNTED_DIFFERENTLY = re.compile(
    r"\b(?:half|quarter|past|o['’]clock|[ap]\.?m\b|noon|midnight|dozen|couple|twice|score|decade|century|million|billion"
    r"|thousand|hundred|feet|foot|miles?|inch(?:es)?|pounds?|weeks?|percent|first|second|third|fourth|fifth)\b|\d:\d",
    re.IGNORECASE,
)
_LARGE_UNITS = re.compile(r"[百千万萬億亿兆십백천만억]|\d\s?(?:тыс|млн|mil\b|lakh)")
_Stated = dict[int, tuple[str, bool]]


def check_number_conflict(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text that lacks a number of its source and has one that the source lacks; the detail names both."""
    if candidate.language == SOURCE or not candidate.source:
        return KEEP
    stated = _stated(candidate.source, candidate.source_words.words, SOURCE)
    if not stated:
        return KEEP
    found = _stated(candidate.text, candidate.words, candidate.language)
    missing = [word for value, (word, counts) in stated.items() if counts and value not in found]
    other = [word for value, (word, counts) in found.items() if counts and value not in stated]
    if not missing or not other or len(missing) > len(stated) or _is_counted_differently(candidate):
        return KEEP
    return reject("number_conflict", f"the source says {missing[0][:30]!r}, the text {other[0][:30]!r}")


def _is_counted_differently(candidate: Candidate) -> bool:
    return bool(_COUNTED_DIFFERENTLY.search(candidate.source) or _LARGE_UNITS.search(candidate.text))


def _stated(text: str, words: tuple[str, ...] | list[str], language: str) -> _Stated:
    """Value -> (as it is written, whether it may speak against another number), of digits and of words."""
    table = number_words(language)
    stated: _Stated = {}
    if any(map(str.isdigit, text)):
        for found in _DIGITS.finditer(text):
            digits = _SEPARATORS.sub("", found.group())[:18]
            stated[int(digits)] = (found.group(), True)
    for word in words:
        if word in table:
            value, counts = table[word]
            stated[value] = (word, counts or stated.get(value, ("", False))[1])
    return stated
