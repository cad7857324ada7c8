"""Which words of one side make which words of the other likelier: t(f|e) of IBM Model 1, learned from rows of words.

A part of the rows is learned from at a time (folds, `alignment.py`), so what all parts share is worked out once: words
are numbered, and so are the pairs of words that occur. Few words in many texts make more pairs than there can be
different ones: these are then found by a table instead of by sorting and searching. Counts are whole multiples of
1/65536, so that no order of adding up matters. Cost: 10,000 pairs take two seconds of a core, all folds, views and
directions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat, takewhile
from typing import NamedTuple

import numpy as np

ROUNDS = 5
_UNIT = 1 << 16  # counts are whole multiples of 1/65536
_MIN_WORD_COUNT = 2
_EXPLAINED = 0.6  # share of a word's probability that its source explains; the rest is how frequent it is
_MIN_PROBABILITY = 1e-3
_TABLE_SIZE = 4
"""Pairs of words that there are, for each that is looked up: of so many a table is made instead of searching."""
RARE = ""
"""Stands for all words that occur once: a rare word goes with a rare word more often than chance has it."""
Row = tuple[Sequence[str], Sequence[str]]  # words that are given, words to explain


class Words(NamedTuple):
    """The known words to explain of many rows, [words] each. owners: the row; places: where in it; nats: how much
    likelier it is than by its frequency (0 to 1) alone; is_rare: whether it stands for a word that occurs once."""

    owners: np.ndarray
    places: np.ndarray
    nats: np.ndarray
    frequencies: np.ndarray
    is_rare: np.ndarray


@dataclass(frozen=True)
class Lexicon:
    """One direction. vocabularies: word -> number from 1 on, RARE is 1, 0 is no word.

    keys: sorted, number of the given word times the size of the other vocabulary plus that of the explained word;
    probabilities: t(explained|given) at the same places. frequencies, given_frequencies: of each word, 0 to 1.
    """

    given: dict[str, int]
    explained: dict[str, int]
    keys: np.ndarray
    probabilities: np.ndarray
    frequencies: np.ndarray
    given_frequencies: np.ndarray

    def likelier(self, given: Sequence[str], words: Sequence[str]) -> np.ndarray:
        """How much likelier, in nats, the given words make each of these known words."""
        return self.words([(given, words)]).nats

    def beginning_with(self, beginning: str, most: int) -> Sequence[str]:
        """Known words, in order of their letters."""
        start = bisect_left(self._in_order, beginning)
        return tuple(takewhile(lambda word: word.startswith(beginning), self._in_order[start : start + most]))

    @cached_property
    def _in_order(self) -> list[str]:
        return sorted(self.explained)

    def frequency(self, word: str) -> float:
        """Of a word to explain, 0 to 1; 0 for one that occurs once or never."""
        return _known(self.explained, self.frequencies, word)

    def given_frequency(self, word: str) -> float:
        """The same of a given word."""
        return _known(self.given, self.given_frequencies, word)

    def times_given(self, word: str) -> int:
        """How often a given word stood there, at least: the rarest that is known stood there _MIN_WORD_COUNT times or
        more."""
        return round(_MIN_WORD_COUNT * self.given_frequency(word) / self._least_given_frequency)

    @cached_property
    def _least_given_frequency(self) -> float:
        return float(self.given_frequencies[2:].min(initial=1.0))

    def unexplained(self, row: Row) -> list[int]:
        """The places of words that nothing given makes likelier, in order."""
        found = self.words([row])
        return [int(place) for place in found.places[found.nats < 0]]

    def words(self, rows: Sequence[Row]) -> Words:
        """How much likelier the given words make each word to explain than its frequency alone does."""
        known = _Numbered.of((given for given, _ in rows), self.given)
        own = _Numbered.of((explained for _, explained in rows), self.explained)
        if not len(own.words):
            none = np.zeros(0, dtype=np.int64)
            return Words(none, none, np.zeros(0), np.zeros(0), none > 0)
        given, lengths = _combined(known, own)
        found = self._look_up(given * len(self.frequencies) + np.repeat(own.words, lengths))
        explained_by_source = np.add.reduceat(found, np.cumsum(lengths) - lengths) / lengths
        frequencies = self.frequencies[own.words]
        nats = np.log(_EXPLAINED * explained_by_source / frequencies + (1 - _EXPLAINED))
        return Words(own.rows, own.places, nats, frequencies, own.words == self.explained[RARE])

    def _look_up(self, keys: np.ndarray) -> np.ndarray:
        if not len(self.keys):  # learned from nothing: all pairs lie in one fold
            return np.zeros(len(keys))
        size = (len(self.given) + 1) * len(self.frequencies)
        if size <= _TABLE_SIZE * len(keys):
            table = np.zeros(size)
            table[self.keys] = self.probabilities
            found: np.ndarray = table[keys]
            return found
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.probabilities[places], 0.0)


class _Numbered(NamedTuple):
    """Known words of many rows, one after the other. words: their numbers, from 1 on; rows, places: where they stand;
    num_rows: of all."""

    words: np.ndarray
    rows: np.ndarray
    places: np.ndarray
    num_rows: int

    @staticmethod
    def of(texts: Iterable[Sequence[str]], vocabulary: Mapping[str, int]) -> _Numbered:
        found = list(texts)
        lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        numbers = np.fromiter(
            map(vocabulary.get, chain.from_iterable(found), repeat(vocabulary[RARE])),
            dtype=np.int64, count=int(lengths.sum()),
        )  # fmt: skip
        is_known = numbers > 0
        rows = np.repeat(np.arange(len(found)), lengths)
        places = np.arange(len(numbers)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return _Numbered(numbers[is_known], rows[is_known], places[is_known], len(found))


def _combined(known: _Numbered, own: _Numbered) -> tuple[np.ndarray, np.ndarray]:
    """(the given words of each word to explain, the empty one first; how many these are): a block for each of `own`."""
    num_known = np.bincount(known.rows, minlength=known.num_rows) + 1
    begins = np.cumsum(num_known) - num_known
    flat = np.zeros(int(num_known.sum()), dtype=np.int64)
    is_word = np.ones(len(flat), dtype=bool)
    is_word[begins] = False
    flat[is_word] = known.words
    lengths = num_known[own.rows]
    place_in_block = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return flat[np.repeat(begins[own.rows], lengths) + place_in_block], lengths


class Corpus:
    """Rows of which several parts are learned from: words are numbered, and pairs of them sorted, once for all parts. A
    part's own numbers leave out what it does not have, in the same order."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._givens = _vocabulary(words for words, _ in rows)
        self._explaineds = _vocabulary(words for _, words in rows)
        self._known = _Numbered.of((words for words, _ in rows), {word: n for n, word in enumerate(self._givens, 1)})
        self._own = _Numbered.of((words for _, words in rows), {word: n for n, word in enumerate(self._explaineds, 1)})
        self._given_lengths = np.array([len(words) for words, _ in rows], dtype=np.int64)
        self._lengths = np.array([len(words) for _, words in rows], dtype=np.int64)
        given, lengths = _combined(self._known, self._own)
        self._tokens = np.repeat(np.arange(len(self._own.words)), lengths)  # of which word each entry is
        keys = given * (len(self._explaineds) + 1) + self._own.words[self._tokens]
        unique, self._entries = _distinct(keys, (len(self._givens) + 1) * (len(self._explaineds) + 1))
        self._given, self._explained = np.divmod(unique, len(self._explaineds) + 1)

    def learn(self, is_part: np.ndarray) -> Lexicon:
        """From a part of the rows ([rows] of bool), by ROUNDS of expectation maximisation."""
        own_counts = np.bincount(self._own.words[is_part[self._own.rows]], minlength=len(self._explaineds) + 1)
        known_counts = np.bincount(self._known.words[is_part[self._known.rows]], minlength=len(self._givens) + 1)
        number_of_given, number_of_explained = _renumbered(known_counts), _renumbered(own_counts)
        size = int(number_of_explained.max(initial=0)) + 1
        is_kept = (number_of_explained[self._explained] > 0) & ((number_of_given[self._given] > 0) | (self._given == 0))
        is_used = is_kept[self._entries]
        is_used &= is_part[self._own.rows][self._tokens]
        entries, tokens = self._entries[is_used], self._tokens[is_used]
        is_there = np.bincount(entries, minlength=len(is_kept)) > 0
        entries = (np.cumsum(is_there) - 1)[entries]
        givens = number_of_given[self._given[is_there]]
        keys = givens * size + number_of_explained[self._explained[is_there]]
        probabilities = np.full(len(keys), 1.0 / size)
        expected = np.empty(len(entries))  # once: fresh memory is slow
        for _ in range(ROUNDS):
            np.take(probabilities, entries, out=expected, mode="clip")  # no place is outside; "raise" makes a copy
            expected /= np.bincount(tokens, weights=expected)[tokens]
            counts = np.rint(np.bincount(entries, weights=expected, minlength=len(keys)) * _UNIT)
            totals = np.bincount(givens, weights=counts)  # sums of integers below 2**53: exact in any order
            probabilities = counts / np.maximum(totals[givens], 1.0)
        is_likely = probabilities >= _MIN_PROBABILITY
        return Lexicon(
            _kept_words(self._givens, number_of_given), _kept_words(self._explaineds, number_of_explained),
            keys[is_likely], probabilities[is_likely],
            _frequencies(own_counts[number_of_explained > 0], int(self._lengths[is_part].sum())),
            _frequencies(known_counts[number_of_given > 0], int(self._given_lengths[is_part].sum())),
        )  # fmt: skip


def _frequencies(numbers: np.ndarray, total: int) -> np.ndarray:
    """Of each known word, from number 1 on; before them that of all others. total: of words, known or not."""
    found: np.ndarray = np.maximum([total - int(numbers.sum()), *numbers.tolist()], 1) / max(total, 1)
    return found


def _known(vocabulary: Mapping[str, int], frequencies: np.ndarray, word: str) -> float:
    number = vocabulary.get(word, 0)
    return float(frequencies[number]) if number > 1 else 0.0


def _distinct(keys: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(the keys that occur, in order; the place of each key among them). keys: below `size`. Where they are no fewer, a
    table of all keys there can be takes their place in memory, and does without sorting."""
    if size > len(keys):
        unique, places = np.unique(keys, return_inverse=True)
        return unique, places
    is_there = np.zeros(size, dtype=bool)
    is_there[keys] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[keys]


def _vocabulary(texts: Iterable[Sequence[str]]) -> list[str]:
    """In order; RARE, the first one, stands for those that are too rare in any part, and for all that are not here."""
    counts = Counter(chain.from_iterable(texts))
    return [RARE, *sorted(word for word, number in counts.items() if number >= _MIN_WORD_COUNT)]


def _renumbered(counts: np.ndarray) -> np.ndarray:
    """Number -> its number among those that are frequent enough, RARE's always 1; 0 for all others."""
    is_frequent = counts >= _MIN_WORD_COUNT
    is_frequent[:2] = False, True
    found: np.ndarray = np.cumsum(is_frequent) * is_frequent
    return found


def _kept_words(vocabulary: Sequence[str], numbers: np.ndarray) -> dict[str, int]:
    kept = np.flatnonzero(numbers[1:])
    return {vocabulary[place]: number for number, place in enumerate(kept.tolist(), 1)}


def learn_lexicon(rows: Sequence[Row]) -> Lexicon:
    """From (given words, words to explain), in an order that does not depend on how they came; at least one row."""
    return Corpus(rows).learn(np.ones(len(rows), dtype=bool))
