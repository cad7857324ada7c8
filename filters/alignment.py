"""Word alignment learned from a run's own pairs: which words of a language go with which English ones.

IBM Model 1 (Brown et al. 1993, "The Mathematics of Statistical Machine Translation", section 4.3) in both directions:
t(f|e) by expectation maximisation over sentence pairs, without any model to download. A translation of another caption,
or a remark instead of one, has words that nothing in its source explains. Other checks look at a text; this one knows
what its words mean.

Deterministic: the pairs are sorted before anything is counted, the number of rounds is fixed, and counts are rounded to
integers after each, so that the same pairs give the same table on any machine and by any number of workers. No text is
judged by what was learned from it: pairs fall into folds by their English side (`fold_of`), and each fold has a table
learned from all others.

A pair is looked at twice, by whole words and by their beginnings (`VIEWS`), each in both directions; the mean of all
four counts: endings make most words of a small run rare, and beginnings alone take "Haus" for "Haut". Question marks
and the like are words too. Cost: 10,000 pairs are learned in five seconds, a text is scored in about 100 microseconds.
"""

from __future__ import annotations

import hashlib
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise, takewhile

import numpy as np

from florenz.filters.words import folded_words
from florenz.languages.codes import SOURCE, scripts_of_language

FOLDS = 5
ROUNDS = 5
_UNIT = 1 << 16  # counts are whole multiples of 1/65536
_MIN_WORD_COUNT = 2
_STEM_CHARS = 4
VIEWS = ("beginnings", "words")
"""German, 10,000 pairs: 90% of shuffled pairs are told apart by beginnings, 88% by whole words, 92% by both."""
_KINDS_OF_MARKS = {"?": "?؟", "!": "!", ",": ",،、", ":": ":", '"': '"“”„«»「『'}
_KIND_OF_MARK = {mark: kind for kind, alike in _KINDS_OF_MARKS.items() for mark in alike}
_MAX_WORDS = 60
"""Of a text: later ones are not looked at, as cost grows with the product of both lengths."""
_EXPLAINED = 0.6  # share of a word's probability that its source explains; the rest is how frequent it is
_PRIOR_WORDS = 2.0  # added to the length, so that a text of one known word says little
_MIN_PROBABILITY = 1e-3
_WITHOUT_SPACES = frozenset({"HAN", "KANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
Pair = tuple[str, str]
Row = tuple[Sequence[str], Sequence[str]]  # words that are given, words to explain


def fold_of(source: str) -> int:
    """0 to FOLDS - 1. By the English side, so that the same caption twice can't be learned in one fold and judged in
    another."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).digest()[0] % FOLDS


def is_spaced(language: str) -> bool:
    """Whether spaces stand between its words."""
    return not scripts_of_language(language) & _WITHOUT_SPACES


def tokens(text: str, language: str, view: str) -> list[str]:
    """Whole words, or their beginnings, and the kinds of marks between them; two letters or one where there are no
    spaces between words.
    """
    words = folded_words(text)[:_MAX_WORDS]
    if not is_spaced(language):
        letters = [piece for word in words for piece in ([word] if word.isascii() else word)][:_MAX_WORDS]
        words = letters if view == "beginnings" else [one + other for one, other in pairwise(letters)]
    elif view == "beginnings":
        words = [word[:_STEM_CHARS] for word in words]
    return [*words, *marks(text)]


def num_entries(pair: Pair, language: str) -> int:
    """About how many pairs of words a pair of texts makes, which is what learning costs in memory: 50 bytes each."""
    source, text = (
        min(_MAX_WORDS, one.count(" ") + 1 if is_spaced(of) else len(one))
        for one, of in zip(pair, (SOURCE, language), strict=True)
    )
    return (source + 1) * text


def marks(text: str) -> list[str]:
    """The kinds of marks that a translation keeps, each once: a question stays one in nearly any language."""
    found = _KIND_OF_MARK.keys() & set(unicodedata.normalize("NFKC", text))
    return sorted({_KIND_OF_MARK[mark] for mark in found})


@dataclass(frozen=True)
class Lexicon:
    """One direction. vocabularies: word -> number from 1 on, 0 is the empty word and whatever was too rare.

    keys: sorted, number of the given word times the size of the other vocabulary plus that of the explained word;
    probabilities: t(explained|given) at the same places. frequencies: of each explained word, 0 to 1.
    """

    given: dict[str, int]
    explained: dict[str, int]
    keys: np.ndarray
    probabilities: np.ndarray
    frequencies: np.ndarray

    def scores(self, rows: Sequence[Row]) -> np.ndarray:
        """For each (given words, words to explain): how much likelier, in nats a word, the given words make the others
        than their frequency alone does; 0 where no word is known."""
        owners, _, likelier = self._words(rows)
        counts = np.bincount(owners, minlength=len(rows))
        return np.bincount(owners, weights=likelier, minlength=len(rows)) / (counts + _PRIOR_WORDS)

    def likelier(self, given: Sequence[str], words: Sequence[str]) -> np.ndarray:
        """How much likelier, in nats, the given words make each of these known words."""
        return self._words([(given, words)])[2]

    def beginning_with(self, beginning: str, most: int) -> Sequence[str]:
        """Known words, in order of their letters."""
        start = bisect_left(self._in_order, beginning)
        return tuple(takewhile(lambda word: word.startswith(beginning), self._in_order[start : start + most]))

    @cached_property
    def _in_order(self) -> list[str]:
        return sorted(self.explained)

    def unexplained(self, row: Row) -> list[int]:
        """The places of words that nothing given makes likelier, in order."""
        _, places, likelier = self._words([row])
        return [int(place) for place in places[likelier < 0]]

    def _words(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row, place in it, nats) of each word to explain that is known."""
        combinations, owners, places, words, lengths = [], [], [], [], []
        for number, (given, explained) in enumerate(rows):
            known = [0, *(one * len(self.frequencies) for word in given if (one := self.given.get(word)))]
            for place, word in enumerate(explained):
                own = self.explained.get(word)
                if own:
                    combinations += [one + own for one in known]
                    owners.append(number)
                    places.append(place)
                    words.append(own)
                    lengths.append(len(known))
        if not owners:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        found, repeated = self._look_up(np.array(combinations, dtype=np.int64)), np.array(lengths)
        explained_by_source = np.add.reduceat(found, np.cumsum(repeated) - repeated) / repeated
        likelier = np.log(_EXPLAINED * explained_by_source / self.frequencies[words] + (1 - _EXPLAINED))
        return np.array(owners), np.array(places), likelier

    def _look_up(self, keys: np.ndarray) -> np.ndarray:
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.probabilities[places], 0.0)


def learn_lexicon(rows: Sequence[Row]) -> Lexicon:
    """From (given words, words to explain), in an order that does not depend on how they came; at least one row."""
    given = _vocabulary(words for words, _ in rows)
    explained = _vocabulary(words for _, words in rows)
    size = len(explained) + 1
    keys, tokens_of_entries = _entries(rows, given, explained, size)
    unique, entries = np.unique(keys, return_inverse=True)
    givens = unique // size
    probabilities = np.full(len(unique), 1.0 / size)
    for _ in range(ROUNDS):
        expected = probabilities[entries]
        expected /= np.bincount(tokens_of_entries, weights=expected)[tokens_of_entries]
        counts = np.rint(np.bincount(entries, weights=expected) * _UNIT)
        totals = np.bincount(givens, weights=counts)  # sums of integers below 2**53: exact in any order
        probabilities = counts / np.maximum(totals[givens], 1.0)
    kept = probabilities >= _MIN_PROBABILITY
    numbers = Counter(explained.get(word, 0) for _, words in rows for word in words)
    frequencies = np.array([max(numbers[place], 1) for place in range(size)]) / max(numbers.total(), 1)
    return Lexicon(given, explained, unique[kept], probabilities[kept], frequencies)


def _vocabulary(texts: object) -> dict[str, int]:
    counts = Counter(word for words in texts for word in words)  # type: ignore[attr-defined]
    return {word: place for place, word in enumerate(sorted(w for w, n in counts.items() if n >= _MIN_WORD_COUNT), 1)}


def _entries(
    rows: Sequence[Row], given: dict[str, int], explained: dict[str, int], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of words that stands in one row, and which token it explains; the empty word goes with all."""
    known = [[0, *(given[word] for word in source if word in given)] for source, _ in rows]
    own = [[explained[word] for word in text if word in explained] for _, text in rows]
    num_known, num_own = np.array([len(one) for one in known]), np.array([len(one) for one in own])
    if not num_own.sum():
        return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    # A block of entries for each token to explain: its row's known words, from where they begin in `flat`.
    flat = np.fromiter(chain.from_iterable(known), dtype=np.int64)
    tokens = np.fromiter(chain.from_iterable(own), dtype=np.int64)
    begins = np.repeat(np.cumsum(num_known) - num_known, num_own)
    lengths = np.repeat(num_known, num_own)
    place_in_block = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    keys = flat[np.repeat(begins, lengths) + place_in_block] * size + np.repeat(tokens, lengths)
    return keys, np.repeat(np.arange(len(tokens)), lengths)


@dataclass(frozen=True)
class PairModel:
    """All views in both directions for one language, learned from pairs of other folds. forwards: from English."""

    language: str
    forwards: Mapping[str, Lexicon]
    backwards: Mapping[str, Lexicon]

    def scores(self, pairs: Sequence[Pair]) -> np.ndarray:
        """For each (source, text): the mean of all views and directions, in nats a word. Above 1 for translations,
        about -1 for what translates something else."""
        total = np.zeros(len(pairs))
        for view in VIEWS:
            rows = [_row(pair, self.language, view) for pair in pairs]
            total += self.forwards[view].scores(rows)
            total += self.backwards[view].scores([(text, source) for source, text in rows])
        return total / (2 * len(VIEWS))

    def unexplained(self, pair: Pair) -> tuple[list[str], list[str]]:
        """(words of the text that its source does not explain, words of the source that the text does not), folded."""
        source, text = _row(pair, self.language, VIEWS[0])
        of_text = self.forwards[VIEWS[0]].unexplained((source, text))
        of_source = self.backwards[VIEWS[0]].unexplained((text, source))
        return _at(of_text, pair[1], self.language), _at(of_source, pair[0], SOURCE)


def _row(pair: Pair, language: str, view: str) -> Row:
    return tokens(pair[0], SOURCE, view), tokens(pair[1], language, view)


def _at(places: Sequence[int], text: str, language: str) -> list[str]:
    """The words as they stand in the text, without marks; letters where there are no spaces."""
    words = folded_words(text) if is_spaced(language) else tokens(text, language, VIEWS[0])
    last = min(len(words), _MAX_WORDS)
    return [words[place] for place in places if place < last]


def learn_pair_model(pairs: Sequence[Pair], language: str) -> PairModel:
    """From pairs in any order, each counted once."""
    chosen = sorted(set(pairs))
    return _learn({view: [_row(pair, language, view) for pair in chosen] for view in VIEWS}, language)


def learn_pair_models(pairs: Sequence[Pair], language: str) -> tuple[PairModel, ...]:
    """One for each fold, from the pairs of all others; each pair is cut into words once."""
    chosen = sorted(set(pairs))
    rows = {view: [_row(pair, language, view) for pair in chosen] for view in VIEWS}
    folds = [fold_of(source) for source, _ in chosen]
    others = [[place for place, one in enumerate(folds) if one != fold] for fold in range(FOLDS)]
    return tuple(
        _learn({view: [rows[view][place] for place in places] for view in VIEWS}, language) for places in others
    )


def _learn(rows: Mapping[str, Sequence[Row]], language: str) -> PairModel:
    return PairModel(
        language,
        {view: learn_lexicon(rows[view]) for view in VIEWS},
        {view: learn_lexicon([(text, source) for source, text in rows[view]]) for view in VIEWS},
    )
