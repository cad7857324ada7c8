"""Did the model run in circles? "a red ball and a red ball and a red ball and ..."

Looks for one unit, a few words or (where there are no spaces) a few characters, that follows itself again and again.
Repeats that do not touch are no sign: captions of a scene say "a red ball ... a red cube" for good reasons.
"""

from __future__ import annotations

import re
import unicodedata

from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.filters.words import folded_words

_MAX_UNIT_WORDS = 12
_MAX_UNIT_CHARS = 24
_MIN_SPAN_CHARS = 10


def check_repetition(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a unit that stands more than `max_repeats` times in a row, unless the source repeats just as often."""
    unit, repeats = _longest_loop(candidate.text, settings.max_repeats)
    if repeats > settings.max_repeats and repeats > _longest_loop(candidate.source, settings.max_repeats)[1]:
        return reject("repetition", f"{unit[:60]!r} {repeats} times in a row")
    return KEEP


def _longest_loop(text: str, max_repeats: int) -> tuple[str, int]:
    loops = [_loop_of_words(folded_words(text)), _loop_of_characters(text, max_repeats)]
    return max(loops, key=lambda loop: loop[1])


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
    letters = "".join(character for character in unicodedata.normalize("NFKC", text) if not character.isspace())
    pattern = rf"([^\W\d_].{{0,{_MAX_UNIT_CHARS - 1}}}?)\1{{{max_repeats},}}"
    for found in re.finditer(pattern, letters):
        if len(found.group()) >= _MIN_SPAN_CHARS:
            return found.group(1), len(found.group()) // len(found.group(1))
    return "", 1
