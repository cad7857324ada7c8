"""Patterns of the user's own, each with a name that becomes the reason: `[[filters.words]]` in the recipe.

Matched by RE2 (in pyarrow, over all texts of a batch at once), which takes time in proportion to the text whatever the
pattern; so it knows no look-around and no back-references. It reads letters and not bytes ("gr[üu]n"), but its \\b,
\\w and \\d know ASCII alone. Off without such a section. Cost: under a microsecond a text and pattern.
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
            (is_everywhere,) = _are_matched([""], self.pattern)
        except (pa.ArrowInvalid, UnicodeEncodeError) as problem:
            raise ValueError(f"pattern of '{self.name}' can't be used: {' '.join(str(problem).split())}") from problem
        if is_everywhere:
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
        are_found = _are_matched([candidates[place].text for place in asked], one.pattern)
        in_sources = _are_matched([candidates[place].source for place in asked], one.pattern) if one.only_added else []
        for number, (place, is_found) in enumerate(zip(asked, are_found, strict=True)):
            if is_found and not (in_sources and in_sources[number]):
                matched = _from_match_on(candidates[place].text, one.pattern)
                verdicts[place] = reject(one.name, f"{quoted(matched)} matches its pattern")
    return verdicts


def _are_matched(texts: Sequence[str], pattern: str) -> list[bool]:
    """Whether the pattern matches somewhere in each text."""
    found: list[bool] = pc.match_substring_regex(_column(texts), pattern).to_pylist()
    return found


def _from_match_on(text: str, pattern: str) -> str:
    """The text from where the pattern first matches. `find_substring_regex` would know, but reads bytes."""
    before: str = pc.split_pattern_regex(_column([text]), pattern, max_splits=1)[0][0].as_py()
    return text[len(before) :]


def _column(texts: Sequence[str]) -> pa.Array:
    return pa.array([text.encode("utf-8", "replace") for text in texts], type=pa.binary()).view(pa.string())
