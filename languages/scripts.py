"""Which scripts a text is written in, and how much of it stands in each."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np

from florenz.languages.characters import CharacterTable, Codes

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


class Weights(dict[str, int]):
    """Script -> weight, 0 for one that does not occur: a `Counter` that is made in a tenth of the time."""

    def __missing__(self, script: str) -> int:
        return 0


class _Marks(dict[int, int | None]):
    """For `str.translate`: a letter becomes a character that stands for its script, all else goes. Filled as characters
    are met."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []

    def __missing__(self, code: int) -> int | None:
        script = script_of(chr(code))
        if script and script not in self.scripts:
            self.scripts.append(script)
        self[code] = self.scripts.index(script) if script else None
        return self[code]


_MARKS = _Marks()


@lru_cache(maxsize=2048)
def script_weights(text: str) -> Weights:
    """How much of the text stands in each script, in units of one alphabet letter. Not to be changed: several steps ask
    about the same text, and are given the same answer.
    """
    if text.isascii():
        number = len(text.translate(_NO_LETTERS))
        return Weights(LATIN=number) if number else Weights()
    marks, weights = text.translate(_MARKS), Weights()
    for mark in dict.fromkeys(marks):
        script = _MARKS.scripts[ord(mark)]
        weights[script] = marks.count(mark) * (HAN_WEIGHT if script in _HEAVY else 1)
    return weights


def _number_of_script(character: str) -> int:
    """From 1 on, in the order in which scripts are met; 0 for what is no letter."""
    script = script_of(character)
    if not script:
        return 0
    if script not in _SCRIPTS:
        _SCRIPTS.append(script)
    return _SCRIPTS.index(script) + 1


_SCRIPTS: list[str] = []
_NUMBERS = CharacterTable(_number_of_script, np.uint8)


def script_columns(codes: Codes) -> tuple[tuple[str, ...], np.ndarray]:
    """`script_weights` of many texts: (scripts, [texts, scripts] of weights), of any scripts that occur."""
    numbers = _NUMBERS.of(codes).astype(np.intp)
    scripts, num_texts = tuple(_SCRIPTS), len(codes.ends)
    counts = np.bincount(codes.owner * (len(scripts) + 1) + numbers, minlength=num_texts * (len(scripts) + 1))
    weights = counts.reshape(num_texts, len(scripts) + 1)[:, 1:]
    return scripts, weights * np.array([HAN_WEIGHT if script in _HEAVY else 1 for script in scripts], dtype=np.int64)
