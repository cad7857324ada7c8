"""Did the model run in circles? "a red ball and a red ball and a red ball and ..."

Looks for one unit, a few words or (where there are no spaces) a few characters, that follows itself again and again.
Repeats that do not touch are no sign: captions of a scene say "a red ball ... a red cube" for good reasons.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.filters.words import ends_of, folded_words, source_words
from florenz.languages.characters import CharacterTable
from florenz.languages.scripts import script_of

_MAX_UNIT_WORDS = 12
_MAX_UNIT_CHARS = 24
_MIN_SPAN_CHARS = 10
_MIN_SPAN_WITHOUT_SPACES = 8  # there a word is two letters
_WITHOUT_SPACES = frozenset({"HAN", "KANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})


_SPACES = CharacterTable(str.isspace)
_NUM_TRIPLES = 1 << 11  # of letters, by a hash: taking two for one asks about a text too many


def may_be_repetition(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text in which words, or three letters, stand again as often as a loop needs it; or one that is cut."""
    again = columns.words_again >= settings.max_repeats
    codes = columns.folded_codes
    is_letter = ~_SPACES.of(codes)
    is_letter[codes.ends] = False
    letters, owners = codes.codes[is_letter], codes.owner[is_letter]
    triples = (letters[:-2] * 961 + letters[1:-1] * 31 + letters[2:]) % _NUM_TRIPLES
    is_triple = owners[:-2] == owners[2:]
    has_triple = np.zeros((len(columns.candidates), _NUM_TRIPLES), dtype=bool)
    has_triple[owners[:-2][is_triple], triples[is_triple]] = True
    num_again = np.bincount(owners[:-2][is_triple], minlength=len(has_triple)) - np.count_nonzero(has_triple, axis=1)
    found: np.ndarray = again | (num_again >= _least_again(settings.max_repeats))
    return found | columns.of(ends_of(text) is not text for text in columns.texts)


def check_repetition(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a unit that stands more than `max_repeats` times in a row, unless the source repeats just as often."""
    text, source = ends_of(candidate.text), ends_of(candidate.source)
    words = candidate.words if text == candidate.text else folded_words(text)
    unit, repeats = _longest_loop(text, words, settings.max_repeats)
    if repeats <= settings.max_repeats:
        return KEEP
    in_source = _longest_loop(source, list(source_words(source).words), settings.max_repeats)
    if repeats > in_source[1]:
        return reject("repetition", f"{unit[:60]!r} {repeats} times in a row")
    return KEEP


def _longest_loop(text: str, words: list[str], max_repeats: int) -> tuple[str, int]:
    of_words = ("", 1)
    if len(words) - len(set(words)) >= max_repeats:  # else no word stands often enough
        of_words = _loop_of_words(words)
    of_characters = _loop_of_characters(text, max_repeats)
    return of_characters if of_characters[1] > of_words[1] else of_words


def _loop_of_words(words: list[str]) -> tuple[str, int]:
    """The unit of 1 to 12 words that follows itself most often. One pass for each size: O(words x 12)."""
    best = ("", 1)
    for size in range(1, min(_MAX_UNIT_WORDS, len(words) // 2) + 1):
        same = 0  # how many words in a row equal the word `size` places before
        for end in range(size, len(words)):
            same = same + 1 if words[end] == words[end - size] else 0
            if same // size + 1 > best[1]:
                best = (" ".join(words[end - size + 1 : end + 1]), same // size + 1)
    return best


def _loop_of_characters(text: str, max_repeats: int) -> tuple[str, int]:
    """The same for characters, for text without spaces. Must span ten: "ha ha ha ha" and "....." are no loops."""
    letters = "".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())
    if not _may_hold_loop(letters, max_repeats):
        return "", 1
    pattern = rf"([^\W\d_].{{0,{_MAX_UNIT_CHARS - 1}}}?)\1{{{max_repeats},}}"
    for found in re.finditer(pattern, letters):
        unit, span = found.group(1), len(found.group())
        is_word = len(unit) > 1 and script_of(unit[0]) in _WITHOUT_SPACES
        if span >= (_MIN_SPAN_WITHOUT_SPACES if is_word else _MIN_SPAN_CHARS):
            return found.group(1), len(found.group()) // len(found.group(1))
    return "", 1


def _may_hold_loop(letters: str, max_repeats: int) -> bool:
    """A loop that spans ten letters repeats some three of them at least `max_repeats` times (two less where it is one
    letter that stands more than seven times). Half of all texts need no pattern then, which is 20 times as slow.
    """
    triples = set(zip(letters, letters[1:], letters[2:], strict=False))
    return len(letters) - 2 - len(triples) >= _least_again(max_repeats)


def _least_again(max_repeats: int) -> int:
    return max_repeats if max_repeats <= 7 else max_repeats - 2
