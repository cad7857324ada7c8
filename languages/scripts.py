"""Which scripts a text is written in, and how much of it stands in each."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

HAN_WEIGHT = 3
"""A Han character (kana, Hangul syllable) carries about as much as three letters of an alphabet (zh: 0.32)."""

_HEAVY = {"HAN", "KANA", "HANGUL"}


_NO_LETTERS = {code: None for code in range(128) if not chr(code).isalpha()}


@lru_cache(maxsize=65536)
def script_of(character: str) -> str:
    """The script of a letter, like LATIN, CYRILLIC, HAN, KANA; "" for what is no letter."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "").split(" ")[0].split("-")[0]
    if name in ("HIRAGANA", "KATAKANA", "HALFWIDTH"):
        return "KANA"
    if name in ("CJK", "IDEOGRAPHIC"):
        return "HAN"
    return "LATIN" if name in ("FULLWIDTH", "MODIFIER", "FEMININE", "MASCULINE", "MICRO") else name


@lru_cache(maxsize=1024)
def script_weights(text: str) -> Counter[str]:
    """How much of the text stands in each script, in units of one alphabet letter. Not to be changed: several steps ask
    about the same text, and are given the same answer.
    """
    if text.isascii():
        number = len(text.translate(_NO_LETTERS))
        return Counter({"LATIN": number}) if number else Counter()
    weights: Counter[str] = Counter()
    for character, number in Counter(text).items():
        script = script_of(character)
        if script:
            weights[script] += number * (HAN_WEIGHT if script in _HEAVY else 1)
    return weights
