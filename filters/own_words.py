"""Patterns of the user's own, each with a name that becomes the reason: `[[filters.words]]` in the recipe.

Matched by RE2 (in pyarrow, over all texts of a batch at once), which takes time in proportion to the text whatever the
pattern; so it knows no look-around and no back-references, and its \\b, \\w and \\d know ASCII alone. Off without such
a section. Cost: under a microsecond a text and pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from florenz.filters.order import REASONS
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.codes import NAMES

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_MAX_PATTERN_CHARS = 10_000
_END_OF_OTHER_WORD = re.compile(r"\\b[^\x00-\x7f]|[^\x00-\x7f]\\b")


@dataclass(frozen=True, kw_only=True)
class OwnWords:
    """One `[[filters.words]]`. Raises ValueError: a name or a pattern that can't be used; says which and why."""

    name: str
    """The reason of what is dropped: small letters, digits and _."""

    pattern: str
    """In RE2's syntax; (?i) in front for any case, \\b for ends of words in ASCII, (?:^|\\PL) and (?:\\PL|$) for those
    of any."""

    languages: tuple[str, ...] = ()
    """Whose texts are looked at, "en" for captions; all by default."""

    only_added: bool = False
    """Whether a text stays whose English source matches as well."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r} must be made of small letters, digits and _, like brand_names")
        if self.name in REASONS:
            raise ValueError(f"name {self.name!r} is a filter's own reason: choose another one")
        for language in self.languages:
            if language not in NAMES:
                raise ValueError(f"'{self.name}' names the language {language!r}, which is not known")
        if not self.pattern or len(self.pattern) > _MAX_PATTERN_CHARS:
            raise ValueError(f"pattern of '{self.name}' must have 1 to {_MAX_PATTERN_CHARS} characters")
        try:
            (in_nothing,) = _found([""], self.pattern)
        except (pa.ArrowInvalid, UnicodeEncodeError) as problem:
            raise ValueError(f"pattern of '{self.name}' can't be used: {' '.join(str(problem).split())}") from problem
        if in_nothing >= 0:
            raise ValueError(f"pattern of '{self.name}' matches where nothing stands, so all texts would go")
        if _END_OF_OTHER_WORD.search(self.pattern):
            advice = r"write (?:^|\PL) in front and (?:\PL|$) behind"
            raise ValueError(
                f"pattern of '{self.name}': \\b knows no letter beyond a to z, and would find none: {advice}"
            )


def check_own_words(candidates: Sequence[Candidate], words: Sequence[OwnWords]) -> list[Verdict]:
    """Rejects what a pattern matches, with its name as the reason; of several the first in the recipe's order."""
    verdicts = [KEEP] * len(candidates)
    for one in reversed(words):
        asked = [place for place, seen in enumerate(candidates) if not one.languages or seen.language in one.languages]
        places = _found([candidates[place].text for place in asked], one.pattern)
        in_sources = _found([candidates[place].source for place in asked], one.pattern) if one.only_added else []
        for number, (place, start) in enumerate(zip(asked, places, strict=True)):
            if start >= 0 and not (in_sources and in_sources[number] >= 0):
                verdicts[place] = reject(
                    one.name, f"{quoted(_from(candidates[place].text, start))} matches its pattern"
                )
    return verdicts


def _found(texts: Sequence[str], pattern: str) -> list[int]:
    """The byte at which the pattern first matches in each text, -1 where it does not."""
    whole = pa.array([_utf8(text) for text in texts], type=pa.binary()).view(pa.string())
    found: list[int] = pc.find_substring_regex(whole, pattern).to_pylist()
    return found


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _from(text: str, start: int) -> str:
    return _utf8(text)[start:].decode()
