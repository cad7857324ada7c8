"""Does the text state another number than its source? "Three dogs" as "zwei Hunde".

By conflict, not by equality: a number of the source is missing AND another one stands in the text. Human translators
leave numbers out and spell them as they like ("a couple", "ein Dutzend"), so that equality would reject 7 to 37% of
their sentences. Digits are compared in every language, words in those of `number_words.py` and, before words that
count things, in Chinese, Japanese, Korean and Thai (`number_counters.py`). What languages count
differently is no conflict ("half past two" is "halb drei", two weeks are 14 days, 20,000 is 2万, ten feet are metres),
but only where the source speaks of that: of hours, of weeks, of so many feet. "Two men walk to the yard" says nothing
of the kind. Cost: one look into a table for each word.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.number_counters import counted
from florenz.filters.number_words import number_words
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.codes import SOURCE

# Thousands are parted by a space or an apostrophe where three digits follow: "1 500", but "May 3 2010".
_DIGITS = re.compile(r"\d+(?:[.,:٫٬]\d+|['’\u00a0\u2009\u202f ]\d{3}(?!\d))*")
_DECIMALS = re.compile(r"(.*\d)[.,٫]\d{1,2}")
_SEPARATORS = re.compile(r"\D")
_MINUTES = (15, 30, 45)
_HOUR = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
_NUMBER = (
    r"(?:\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|\w{3,5}ty|hundred|thousand))"
)
# Measures that are converted rather than translated: so many of them, not "two feet of a cat" in "a yard".
_CONVERTED = re.compile(
    rf"{_NUMBER}[\s-]{{1,2}}(?:(?:square|cubic|fluid|nautical|and a half)\s)?"
    r"(?:feet|foot|ft|miles?|mph|inch(?:es)?|pounds?|lbs?|gallons?|acres?|yards?|ounces?|degrees\sF\w*)\b|°(?!\s?C)|\d\s?[″′\"]",
    re.IGNORECASE,
)
_PARTS_OF_HOURS = re.compile(
    rf"\bhalf[\s-](?:past\s)?{_HOUR}\b|\bquarters?\s(?:past|after|to|of)\b|\d[:.]\d\d"
    rf"|\b(?:minutes?|five|ten|twenty|\d{{1,2}})\s(?:past|after|to)\s{_HOUR}\b"
    rf"|\b{_HOUR}[\s-](?:thirty|fifteen|forty-five)\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?:\b|\d)[ap]\.?m\b|\b(?:o['’]?\s?clock|noon|midnight|morning|afternoon|evening|night|tonight|hours?)\b|\d[:.]\d\d"
    rf"|\b(?:at|by|from|until|till|before|after|between|since|past)\s(?:\w{{1,12}}\s)?{_HOUR}\b",
    re.IGNORECASE,
)
# (how many of the smaller unit make the larger one, what the source says of either)
_UNITS = tuple(
    (factor, re.compile(rf"\b(?:{words})\b", re.IGNORECASE))
    for factor, words in (
        (7, "weeks?|days?"), (60, "hours?|minutes?|seconds?"), (24, "days?|hours?"), (12, "years?|months?|dozens?"),
        (2, "pairs?|couples?"), (10, "decades?"), (100, "century|centuries"), (20, "scores?"),
    )
)  # fmt: skip
_POWERS = frozenset(10**power for power in range(3, 13))
_BUDDHIST_YEARS, _BUDDHIST = 543, frozenset(("th", "lo", "km"))
_HALF_TO = frozenset(
    (
        *("af", "be", "bs", "ca", "cs", "da", "de", "et", "fi", "fy", "hr", "hu", "is", "lb", "lt", "lv", "nl", "nn"),
        *("no", "pl", "ru", "sk", "sl", "sr", "sv", "uk"),
    )
)
"""Languages in which half past two is half of the third hour."""
_SCALES = frozenset(("hundred", "thousand", "million", "billion", "belas", "puluh", "ratus", "ribu", "juta"))
"""Words behind a number that make another one of it, the last five in Indonesian and Malay: 12 is "dua belas"."""
# Behind a number: 秋千 is a swing, and 하지만 is "but".
_LARGE_UNITS = re.compile(
    r"[\d一二三四五六七八九十百千两兩数數几幾半]\s?[百千万萬億亿兆]|(?:\d\s?|[일이삼사오육칠팔구몇수])[십백천만억조]"
    r"|लाख|करोड़|লাখ|কোটি|لاکھ|کروڑ|\d\s?(?:тыс|млн|mil\b|lakh)"
)
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
    source, smaller, larger = candidate.source, *sorted((meant, value))
    if larger - smaller == 12 and larger <= 24 and _CLOCK.search(source):
        return True
    if value - meant in (1, -11) and candidate.language in _HALF_TO and _PARTS_OF_HOURS.search(source):
        return True
    if any(larger == factor * smaller and unit.search(source) for factor, unit in _UNITS):
        return True
    if smaller and larger % smaller == 0 and larger // smaller in _POWERS:  # "300 thousand" in any language
        return True
    if value - meant == _BUDDHIST_YEARS and candidate.language in _BUDDHIST:
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
    for value, written, counts in counted(text, language):
        stated[value] = (written, counts or stated.get(value, ("", False))[1])
    if table.keys().isdisjoint(words) and not any("-" in word for word in words):
        return stated
    for word in words:
        for part in word.split("-")[:-1]:  # "four-fifths" and "four-year-old" state a four, and others say it otherwise
            if part in table:
                stated.setdefault(table[part][0], (word, False))
    for place, word in enumerate(words):
        if word in table:
            value, counts = table[word]
            counts = counts and (place + 1 == len(words) or words[place + 1] not in _SCALES)
            stated[value] = (word, counts or stated.get(value, ("", False))[1])
    return stated


def _values(digits: str) -> list[int]:
    """2:30 is a two and a thirty, 3,000, 3.000, 3 000 and 3’000 are 3000, 3.00 is a three."""
    if ":" in digits:
        return [int(_SEPARATORS.sub("", part)[:18]) for part in digits.split(":")]
    whole = _DECIMALS.fullmatch(digits)
    return [int(_SEPARATORS.sub("", whole.group(1) if whole else digits)[:18])]
