"""Texts as columns of code points, and tables that say something about each character.

Asking every character of a text in Python costs 30 to 50 nanoseconds each; a table of NumPy over one UTF-32 buffer of
many texts costs one to three. So what many texts are asked (is there a letter, a bracket, a slash?) is asked of all of
them at once, and what is slow is left to the few texts that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

_NUM_CODES = 0x110000
_END = _NUM_CODES  # stands behind each text; no character, and every table has 0 for it
_PAGE_BITS = 8


class Codes:
    """Code points of texts, one after the other. codes: [characters + texts]; starts, ends: [texts]; codes[ends] is no
    character. Any string is allowed, lone surrogates among them.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        self.ends = np.cumsum(self.lengths + 1) - 1
        self.starts = self.ends - self.lengths
        data = "".join(f"{text}\0" for text in texts).encode("utf-32-le", "surrogatepass")
        self.codes = np.frombuffer(data, dtype=np.uint32).astype(np.intp)
        self.codes[self.ends] = _END

    @cached_property
    def pages(self) -> np.ndarray:
        """Which pages of a table they are looked up in."""
        return np.flatnonzero(np.bincount(self.codes >> _PAGE_BITS))

    def any(self, hits: np.ndarray) -> np.ndarray:
        """[texts]: whether one of its characters is among `hits` ([characters + texts], never true at ends)."""
        found = np.zeros(len(self.ends), dtype=bool)
        found[self.owners(np.flatnonzero(hits))] = True
        return found

    def merged(self, bits: np.ndarray) -> np.ndarray:
        """[texts]: all bits that its characters have. bits: [characters + texts] of integers, 0 at ends."""
        merged: np.ndarray = np.bitwise_or.reduceat(bits, self.starts) if len(self.starts) else bits
        return merged

    def owners(self, places: np.ndarray) -> np.ndarray:
        """The text in which each place of `codes` lies."""
        return np.searchsorted(self.ends, places)

    @cached_property
    def owner(self) -> np.ndarray:
        """[characters + texts]: which text it belongs to."""
        return np.repeat(np.arange(len(self.ends)), self.lengths + 1)


class CharacterTable:
    """A number for each character, worked out by `value_of` a page at a time, when one of it is first met."""

    def __init__(self, value_of: Callable[[str], int], dtype: Any = np.bool_) -> None:
        self._value_of = value_of
        self._table = np.zeros(_NUM_CODES + 1, dtype=dtype)  # the system hands out memory for the pages in use only
        self._is_known = np.zeros((_NUM_CODES >> _PAGE_BITS) + 1, dtype=bool)
        self._is_known[-1] = True

    def of(self, codes: Codes) -> np.ndarray:
        """[characters + texts]: the number of each; 0 at ends."""
        pages = codes.pages
        if not self._is_known[pages].all():
            for page in pages[~self._is_known[pages]].tolist():
                self._fill(page)
        return self._table[codes.codes]

    def _fill(self, page: int) -> None:
        start = page << _PAGE_BITS
        self._table[start : start + (1 << _PAGE_BITS)] = [
            self._value_of(chr(code)) for code in range(start, start + (1 << _PAGE_BITS))
        ]
        self._is_known[page] = True


def one_of(characters: str) -> CharacterTable:
    """Whether a character is one of these."""
    return CharacterTable(frozenset(characters).__contains__)
