"""Toxic words, by lists that the user names: `[filters.toxicity]` in the recipe, one file for each language.

Off without one. The idea is that of NLLB (arXiv 2207.04672): a word of the list in a text, whole and in any case. The
English source is looked at as well, by the list for `en`: a translation with such a word whose source has none is
`added_toxicity`, a fault of the translator; all else is `toxic`. Without a list for `en` nobody can tell, and all is
`toxic`. Entries may have several words. Where a script has no spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese),
each character is a word of its own, so an entry is found anywhere.

Cost: 20 microseconds for a text of 57 letters with 4,423 entries (960 German sentences, measured by hand), in
proportion to the text whatever the list, and a state of some 300 bytes for each word of an entry.

It can't see toxicity without such words; other spellings ("f u c k", "sh1t") and inflected forms that the list does not
hold are other words; and without spaces an innocent longer word may hold an entry. A list says what its authors mean.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import folded
from florenz.languages.codes import NAMES, SOURCE

ADDED, TOXIC = "added_toxicity", "toxic"
MAX_ENTRY_WORDS = 32
MAX_ENTRIES = 100_000
_COMMENT = "# "
_BLOCKS = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
           (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))  # fmt: skip
"""Thai and Lao, Burmese, Khmer, kana, Han."""
_DOTLESS = {"tr", "az"}  # I and ı are one letter there, İ and i another


def _class_of_blocks(*, marks_only: bool) -> str:
    if not marks_only:
        return "".join(f"{chr(first)}-{chr(last)}" for first, last in _BLOCKS)
    codes = (code for first, last in _BLOCKS[:-4] for code in range(first, last + 1))
    return "".join(chr(code) for code in codes if unicodedata.category(chr(code))[0] == "M")


_UNSPACED, _MARKS = _class_of_blocks(marks_only=False), _class_of_blocks(marks_only=True)
_WORD = re.compile(f"[{_UNSPACED}][{_MARKS}]*|[^\\s{_UNSPACED}]+")


class _Spacing(dict[int, str]):
    """For `str.translate`: letters, marks and digits stay; hyphens, apostrophes and spaces part words; what can't be
    seen goes; any other sign is a word of its own, so that "a$$" is no "a". Filled as characters are met."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))
        if category[0] in "LMN":
            found = chr(code)
        elif category in ("Cf", "Cs"):
            found = ""
        else:
            found = " " if category[0] in "ZC" or category == "Pd" or chr(code) in "'’ʼ‘`" else f" {chr(code)} "
        self[code] = found
        return found


_SPACING = _Spacing()


@dataclass(frozen=True, kw_only=True)
class Toxicity:
    """[filters.toxicity]. Raises ValueError: no list, or one for a language that is not known."""

    lists: Mapping[str, str] = field(hash=False)
    """Language -> file, one entry a line, UTF-8; `en` for captions and for sources."""

    def __post_init__(self) -> None:
        if not self.lists:
            raise ValueError('lists names no file: lists = { de = "toxic-de.txt", en = "toxic-en.txt" }')
        for language, path in self.lists.items():
            if language not in NAMES:
                raise ValueError(f"lists names the language {language!r}, which is not known")
            if not path.strip():
                raise ValueError(f"lists names no file for {language}")


class WordList:
    """The entries of one language as an automaton over words (Aho and Corasick 1975): any text is read once."""

    def __init__(self, entries: Iterable[str], language: str) -> None:
        """entries: as `entries_of` gives them."""
        self.language = language
        self._next: list[dict[str, int]] = [{}]  # state -> word -> state; 0 is the start
        self._fallback, self._entry = [0], [""]
        for entry in entries:
            self._add(entry)
        self._link()
        self._first_words = frozenset(self._next[0])

    def found_in(self, text: str) -> str:
        """The entry that ends first in the text, "" for none."""
        words = words_of(text, self.language)
        if self._first_words.isdisjoint(words):
            return ""
        state = 0
        for word in words:
            while state and word not in self._next[state]:
                state = self._fallback[state]
            state = self._next[state].get(word, 0)
            if self._entry[state]:
                return self._entry[state]
        return ""

    def _add(self, entry: str) -> None:
        state = 0
        for word in words_of(entry, self.language):
            if word not in self._next[state]:
                self._next[state][word] = len(self._next)
                self._next.append({})
                self._fallback.append(0)
                self._entry.append("")
            state = self._next[state][word]
        self._entry[state] = self._entry[state] or entry

    def _link(self) -> None:
        """Where to go on from a state whose next word is not there: the longest end of it that begins an entry."""
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            for word, after in self._next[state].items():
                back = self._fallback[state]
                while back and word not in self._next[back]:
                    back = self._fallback[back]
                self._fallback[after] = self._next[back].get(word, 0)
                self._entry[after] = self._entry[after] or self._entry[self._fallback[after]]
                waiting.append(after)


def words_of(text: str, language: str) -> list[str]:
    """Folded words, signs, and single characters of scripts without spaces, in order."""
    if language in _DOTLESS:
        text = text.replace("İ", "i").replace("I", "ı")
    found: list[str] = _WORD.findall(folded(text).translate(_SPACING))
    return found


def entries_of(content: str, language: str) -> list[str]:
    """The entries of a list's file; empty lines and such as begin with "# " say nothing.

    Raises:
        ValueError: no entry, too many, or one that can't be found in a text; says in which line.
    """
    entries = []
    for number, line in enumerate(content.removeprefix("\ufeff").splitlines(), 1):
        entry = line.strip()
        if not entry or line.startswith(_COMMENT):
            continue
        words = words_of(entry, language)
        if not any(character.isalnum() for word in words for character in word):
            raise ValueError(f"line {number} has no letter and no digit: {quoted(entry)}")
        if len(words) > MAX_ENTRY_WORDS:
            raise ValueError(f"line {number} has {len(words)} words, {MAX_ENTRY_WORDS} are allowed: one entry a line")
        entries.append(entry)
    if not entries:
        raise ValueError("it has no entry: one word or several a line")
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"it has {len(entries):,} entries, {MAX_ENTRIES:,} are allowed")
    return entries


def check_toxicity(
    candidates: Sequence[Candidate], lists: Mapping[str, WordList], disabled: Sequence[str] = ()
) -> list[Verdict]:
    """Rejects what has an entry of its language's list. lists: by language; a language without one is kept.

    disabled: reasons that are not looked for.
    """
    in_sources: dict[str, str] = {}
    verdicts = []
    for seen in candidates:
        found = lists[seen.language].found_in(seen.text) if seen.language in lists else ""
        if found and seen.source not in in_sources and SOURCE in lists:
            in_sources[seen.source] = lists[SOURCE].found_in(seen.source)
        verdict = _verdict(seen, found, in_sources.get(seen.source)) if found else KEEP
        verdicts.append(KEEP if verdict.reason in disabled else verdict)
    return verdicts


def _verdict(seen: Candidate, found: str, in_source: str | None) -> Verdict:
    """in_source: the entry in its English source, None where nobody has looked."""
    detail = f"{quoted(found)} is on the list for {seen.language}"
    if not seen.source or in_source is None:
        return reject(TOXIC, detail)
    if in_source:
        return reject(TOXIC, f"{detail}; its source has {quoted(in_source)}")
    return reject(ADDED, f"{detail}; nothing in its source is on that for {SOURCE}")
