"""Word alignment learned from a run's own pairs: which words of a language go with which English ones.

IBM Model 1 (Brown et al. 1993, "The Mathematics of Statistical Machine Translation", section 4.3) in both directions:
t(f|e) by expectation maximisation over sentence pairs, without any model to download. A translation of another caption,
or a remark instead of one, has words that nothing in its source explains. Other checks look at a text; this one knows
what its words mean.

Deterministic: the pairs are sorted before anything is counted, the number of rounds is fixed, and counts are rounded to
integers after each, so that the same pairs give the same table on any machine and by any number of workers. No text is
judged by what was learned from it: pairs fall into folds by their English side (`fold_of`), and each fold has a table
learned from all others.

A pair is looked at twice, by the beginnings of words and by words with their neighbours (`views_of`), each in both
directions; what all four say of each word is weighed by `evidence.py`. Endings make most words of a small run rare, so
beginnings; short sentences share "I" and "is" with half of all others, so neighbours, which say how words go together.
Question marks and the like are words too. Cost: 10,000 pairs are learned in two to three seconds of a core
(`lexicon.py`), a text is scored in about 70 microseconds.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from florenz.filters.evidence import Features, Lengths, features_of
from florenz.filters.lexicon import Corpus, Lexicon, Row
from florenz.filters.words import folded_words
from florenz.languages.codes import SOURCE, scripts_of_language

FOLDS = 5
_STEM_CHARS = 4
BEGINNINGS, WORDS, NEIGHBOURS = "beginnings", "words", "neighbours"
Views = tuple[str, ...]
EARLIER_VIEWS = (BEGINNINGS, WORDS)
"""Those of tables that were kept before there were NEIGHBOURS, which go on being judged by: two views, as all are."""
NUM_LEXICONS = 2 * len(EARLIER_VIEWS)
_KINDS_OF_MARKS = {"?": "?؟", "!": "!", ",": ",،、", ":": ":", '"': '"“”„«»「『'}
_KIND_OF_MARK = {mark: kind for kind, alike in _KINDS_OF_MARKS.items() for mark in alike}
_MAX_WORDS = 60
"""Of a text: later ones are not looked at, as cost grows with the product of both lengths."""
_WITHOUT_SPACES = frozenset({"HAN", "KANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
THREADS = 2
Pair = tuple[str, str]
Cut = dict[tuple[str, str], dict[str, list[str]]]
"""(language, text) -> its words in each view."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def fold_of(source: str) -> int:
    """0 to FOLDS - 1. By the English side, so that the same caption twice can't be learned in one fold and judged in
    another."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).digest()[0] % FOLDS


def is_spaced(language: str) -> bool:
    """Whether spaces stand between its words."""
    return not scripts_of_language(language) & _WITHOUT_SPACES


def views_of(language: str) -> Views:
    """How its texts are looked at, and the English ones beside them. Where there are no spaces, two letters are
    neighbours already, and refusals are told apart better beside whole English words."""
    return (BEGINNINGS, NEIGHBOURS) if is_spaced(language) else EARLIER_VIEWS


def views_ever(language: str) -> tuple[Views, ...]:
    """By which a table that is kept may have been learned, those of now first."""
    return tuple(dict.fromkeys((views_of(language), EARLIER_VIEWS)))


def tokens(text: str, language: str, view: str) -> list[str]:
    """Whole words, or their beginnings, and the kinds of marks between them; two letters or one where there are no
    spaces between words. Neighbours: each word with the next one, the first and the last with nothing.
    """
    return _tokens_of_views(text, language)[view]


def _tokens_of_views(text: str, language: str) -> dict[str, list[str]]:
    words = folded_words(text)[:_MAX_WORDS]
    kinds = marks(text)
    if is_spaced(language):
        neighbours = [f"{one} {other}" for one, other in pairwise(["", *words, ""])]
        beginnings = [word[:_STEM_CHARS] for word in words]
        return {BEGINNINGS: beginnings + kinds, WORDS: words + kinds, NEIGHBOURS: neighbours}
    letters = [piece for word in words for piece in ([word] if word.isascii() else word)][:_MAX_WORDS]
    return {BEGINNINGS: letters + kinds, WORDS: [one + other for one, other in pairwise(letters)] + kinds}


def num_entries(pair: Pair, language: str) -> int:
    """About how many pairs of words a pair of texts makes, which is what learning costs in memory: 50 bytes each."""
    source, text = (
        min(_MAX_WORDS, one.count(" ") + 1 if is_spaced(of) else len(one))
        for one, of in zip(pair, (SOURCE, language), strict=True)
    )
    return (source + 1) * text


def marks(text: str) -> list[str]:
    """The kinds of marks that a translation keeps, each once: a question stays one in nearly any language."""
    found = _KIND_OF_MARK.keys() & set(text if text.isascii() else unicodedata.normalize("NFKC", text))
    return sorted({_KIND_OF_MARK[mark] for mark in found}) if found else []


@dataclass(frozen=True)
class PairModel:
    """All views in both directions for one language, learned from pairs of other folds. forwards: from English; has
    WORDS as well, which tell words that are cut off."""

    language: str
    views: Views
    forwards: Mapping[str, Lexicon]
    backwards: Mapping[str, Lexicon]

    def features(self, pairs: Sequence[Pair], cut: Cut | None = None) -> Features:
        """What the words of each (source, text) say, in all views and both directions. cut: what was cut before."""
        rows_of_views = _rows(pairs, self.language, self.views, {} if cut is None else cut)
        found = []
        for view in self.views:
            rows = rows_of_views[view]
            found.append(self.forwards[view].words(rows))
            found.append(self.backwards[view].words([(text, source) for source, text in rows]))
        sources, texts = (_lengths(pairs, rows_of_views[BEGINNINGS], side) for side in (0, 1))
        return features_of(found, sources, texts)

    def unexplained(self, pair: Pair) -> tuple[list[str], list[str]]:
        """(words of the text that its source does not explain, words of the source that the text does not), folded."""
        source, text = tokens(pair[0], SOURCE, BEGINNINGS), tokens(pair[1], self.language, BEGINNINGS)
        of_text = self.forwards[BEGINNINGS].unexplained((source, text))
        of_source = self.backwards[BEGINNINGS].unexplained((text, source))
        return _at(of_text, pair[1], self.language), _at(of_source, pair[0], SOURCE)


def _rows(pairs: Sequence[Pair], language: str, views: Views, cut: Cut) -> dict[str, list[Row]]:
    """Of each view. What has not been cut into words yet goes into `cut`."""
    for side, of in enumerate((SOURCE, language)):
        for text in {pair[side] for pair in pairs}:
            if (of, text) not in cut:
                cut[of, text] = _tokens_of_views(text, of)
    both = [(cut[SOURCE, source], cut[language, text]) for source, text in pairs]
    return {view: [(source[view], text[view]) for source, text in both] for view in views}


def _lengths(pairs: Sequence[Pair], rows: Sequence[Row], side: int) -> Lengths:
    words = np.fromiter((len(row[side]) for row in rows), dtype=np.float64, count=len(rows))
    chars = np.fromiter((len(pair[side]) for pair in pairs), dtype=np.float64, count=len(pairs))
    return Lengths(words, chars)


def _at(places: Sequence[int], text: str, language: str) -> list[str]:
    """The words as they stand in the text, without marks; letters where there are no spaces."""
    words = folded_words(text) if is_spaced(language) else tokens(text, language, BEGINNINGS)
    last = min(len(words), _MAX_WORDS)
    return [words[place] for place in places if place < last]


def learn_pair_model(pairs: Sequence[Pair], language: str) -> PairModel:
    """From pairs in any order, each counted once."""
    chosen = sorted(set(pairs))
    return _learn(chosen, language, views_of(language), [np.ones(len(chosen), dtype=bool)], {})[0]


def learn_pair_models(
    pairs: Sequence[Pair], language: str, views: Views, cut: Cut | None = None
) -> tuple[PairModel, ...]:
    """One for each fold, from the pairs of all others; each pair is cut into words once, and that is left in `cut`."""
    chosen = sorted(set(pairs))
    folds = np.array([fold_of(source) for source, _ in chosen])
    return _learn(chosen, language, views, [folds != fold for fold in range(FOLDS)], {} if cut is None else cut)


def _learn(
    pairs: Sequence[Pair], language: str, views: Views, parts: Sequence[np.ndarray], cut: Cut
) -> tuple[PairModel, ...]:
    """A model for each part ([pairs] of bool)."""
    with_words = views if WORDS in views else (*views, WORDS)
    rows = _rows(pairs, language, with_words, cut)

    def learned(of_view: Sequence[Row]) -> list[Lexicon]:
        corpus = Corpus(of_view)
        return [corpus.learn(part) for part in parts]

    backwards = ([(text, source) for source, text in rows[view]] for view in views)
    found = in_threads(learned, [*(rows[view] for view in with_words), *backwards])
    return tuple(
        PairModel(
            language, views,
            dict(zip(with_words, of_part[: len(with_words)], strict=True)),
            dict(zip(views, of_part[len(with_words) :], strict=True)),
        )
        for of_part in zip(*found, strict=True)
    )  # fmt: skip


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`work` of each item, in order. Two at once, since numpy lets other threads go on while it computes, and each may
    need a gigabyte."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, items))
