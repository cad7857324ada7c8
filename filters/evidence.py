"""What each word says for or against a pair of texts being a translation, learned from the run's own pairs.

How much likelier a source makes a word (`lexicon.py`) is not all there is to say: "ich" beside "I" is in every third
pair of texts, right or wrong, and a frequent word that nothing explains tells more than a rare one. So words are sorted
into cells, by how frequent they are and how well they are explained, and a logistic regression between the run's pairs
and shuffled ones says how much a word of each cell counts. Words that occur once are a kind of their own. Lengths are
weighed as well, which makes the threshold one for each length.

Deterministic: the regression has one optimum, which Newton's method is run to, and weights are whole multiples of
1/4096. German, 10,000 pairs that were never reported on: 96% of shuffled pairs are told apart at 99% of good ones kept,
93% by the mean over words. Cost: half a second of a core for a table, a few microseconds for a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from florenz.filters.lexicon import Words

_FREQUENCIES = np.array([4e-4, 2e-3, 1.2e-2])
_NATS = np.array([-0.75, -0.3, 0.2, 1.0, 2.0, 3.0])
_PRIOR_NATS = np.array([-0.85, -0.5, -0.05, 0.6, 1.5, 2.5, 3.5])  # in the middle of each
CELLS = (len(_FREQUENCIES) + 2) * (len(_NATS) + 1)
"""Of one lexicon: kinds of words by how well they are explained."""
_PRIOR_WORDS = 2.0  # added to the number of words, so that a text of one known word says little
_OF_MEANS = 8.0
"""What the mean over words is added with: a refusal is like no shuffled pair, so the regression knows nothing of it.
Of German ones 90% are caught instead of 87%, of shuffled pairs 95.3% instead of 95.6%."""
_UNIT = 1 << 12  # weights are whole multiples of 1/4096
_MOST_RATIO = 1.5  # of the log of the ratio of lengths: beyond, nothing is learned
_RIDGE = 4.0  # so that what few pairs show counts little
_ROUNDS, _CLOSE = 60, 1e-9
_NEAR = 1e-4  # steps: shorter ones are taken whole, since what they gain is less than the loss's rounding shows
_BLOCK = 8  # rows
_FAR, _MUCH_SHORTER = 0.1, 0.3  # steps: longer than the one, or not shorter than this share of the last one


class Features(NamedTuple):
    """Of many pairs of texts. owners, cells: of each word, its pair and its cell; measures: [pairs, numbers]; means:
    [pairs], of the nats of all words, over all lexicons."""

    owners: np.ndarray
    cells: np.ndarray
    measures: np.ndarray
    means: np.ndarray


class Lengths(NamedTuple):
    """Of one side of many pairs, [pairs] each."""

    words: np.ndarray
    chars: np.ndarray


def features_of(lexicons: Sequence[Words], sources: Lengths, texts: Lengths) -> Features:
    """lexicons: what each says of the words of all pairs, in the same order every time."""
    num_pairs = len(sources.words)
    measures, means = [np.ones(num_pairs), *_of_lengths(sources, texts)], np.zeros(num_pairs)
    for words in lexicons:
        total = np.bincount(words.owners, weights=words.nats, minlength=num_pairs)
        measures.append(total)
        means += total / (np.bincount(words.owners, minlength=num_pairs) + _PRIOR_WORDS) / len(lexicons)
    cells = [_cells(words) + place * CELLS for place, words in enumerate(lexicons)]
    owners = [words.owners for words in lexicons]
    return Features(np.concatenate(owners), np.concatenate(cells), np.stack(measures, axis=1), means)


def _cells(words: Words) -> np.ndarray:
    kinds = np.where(words.is_rare, 0, 1 + np.searchsorted(_FREQUENCIES, words.frequencies))
    found: np.ndarray = kinds * (len(_NATS) + 1) + np.searchsorted(_NATS, words.nats)
    return found


def _of_lengths(sources: Lengths, texts: Lengths) -> list[np.ndarray]:
    ratio = np.clip(np.log((texts.chars + 1) / (sources.chars + 1)), -_MOST_RATIO, _MOST_RATIO)
    return [np.log(sources.words + 1), np.log(texts.words + 1), ratio, np.abs(ratio), ratio**2]


@dataclass(frozen=True)
class Weights:
    """values: of each cell of each lexicon, then of each measure."""

    values: np.ndarray

    def scores(self, features: Features) -> np.ndarray:
        """How likely a translation is rather than another text: the log odds of the regression, and the mean. Above 0
        for most translations. The same for a pair in any batch, as words are added one after the other."""
        num_measures = features.measures.shape[1]
        of_cells, of_measures = self.values[:-num_measures], self.values[-num_measures:]
        of_words = np.bincount(features.owners, weights=of_cells[features.cells], minlength=len(features.means))
        total: np.ndarray = of_words + _OF_MEANS * features.means
        for column, weight in enumerate(of_measures):
            total = total + weight * features.measures[:, column]
        return total


def rows_of(features: Features, num_lexicons: int, most: int) -> np.ndarray:
    """[pairs, values] of the first `most` pairs: how many words each cell has, then the measures."""
    measures = features.measures[:most]
    size = num_lexicons * CELLS
    is_in = features.owners < len(measures)
    counts = np.bincount(features.owners[is_in] * size + features.cells[is_in], minlength=len(measures) * size)
    return np.hstack([counts.reshape(len(measures), size).astype(float), measures])


def prior_weights(num_lexicons: int, num_values: int) -> np.ndarray:
    """What a cell counts that no pair has shown: what its words are explained by, halved, as views say much the same
    twice. Words that nobody in a run writes are such ones. num_values: of a row."""
    cells = np.tile(_PRIOR_NATS / 2, num_lexicons * (len(_FREQUENCIES) + 2))
    return np.concatenate([cells, np.zeros(num_values - len(cells))])


def learn_weights(good: np.ndarray, bad: np.ndarray, prior: np.ndarray) -> Weights:
    """Logistic regression between rows of translations and of other texts, with a ridge around the prior."""
    return _rounded(_optimum(good, bad, prior, prior, None)[0])


def learn_weights_of_folds(
    good: Sequence[np.ndarray], bad: Sequence[np.ndarray], prior: np.ndarray
) -> tuple[Weights, ...]:
    """good, bad: the rows of each fold. The weights for each fold, from all others; on from what all together give,
    which saves most of the work and does not move the optimum."""
    start, curve = _optimum(np.vstack(good), np.vstack(bad), prior, prior, None)
    share = 1 - 1 / len(good)
    return tuple(
        _rounded(_optimum(_without(good, fold), _without(bad, fold), prior, start, share * curve)[0])
        for fold in range(len(good))
    )


def _without(folds: Sequence[np.ndarray], left_out: int) -> np.ndarray:
    return np.vstack([rows for fold, rows in enumerate(folds) if fold != left_out])


def _rounded(values: np.ndarray) -> Weights:
    return Weights(np.rint(values * _UNIT) / _UNIT)


def _optimum(
    good: np.ndarray, bad: np.ndarray, prior: np.ndarray, values: np.ndarray, curve: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(values, curvature there), by Newton's method. The curvature is nearly all of the cost, so one that is about
    right goes on being used as long as each step is much shorter than the last."""
    rows = np.vstack([good, bad])
    is_good = np.repeat([1.0, 0.0], [len(good), len(bad)])
    is_stale, last = curve is None, np.inf
    current = np.eye(len(values)) if curve is None else curve
    for _ in range(_ROUNDS):
        likely = 1 / (1 + np.exp(-np.clip(_odds(rows, values), -30, 30)))
        slope = np.einsum("ij,i->j", rows, likely - is_good) + _RIDGE * (values - prior)
        if is_stale:
            current = _curvature(rows, likely * (1 - likely))
        step = np.linalg.solve(current, slope)
        longest = float(np.max(np.abs(step)))
        if longest > _NEAR:
            step = step * _length(rows, is_good, values, step, prior)
        values = values - step
        if longest < _CLOSE:
            break
        is_stale, last = longest > min(_FAR, _MUCH_SHORTER * last), longest
    return values, current


def _length(rows: np.ndarray, is_good: np.ndarray, values: np.ndarray, step: np.ndarray, prior: np.ndarray) -> float:
    """The share of the step that is taken: Newton's method overshoots far from the optimum."""
    before, length = _loss(rows, is_good, values, prior), 1.0
    while _loss(rows, is_good, values - length * step, prior) > before and length > _CLOSE:
        length /= 2
    return length


def _loss(rows: np.ndarray, is_good: np.ndarray, values: np.ndarray, prior: np.ndarray) -> float:
    odds = _odds(rows, values)
    return float(np.sum(np.logaddexp(0, odds) - is_good * odds) + _RIDGE / 2 * np.sum((values - prior) ** 2))


def _odds(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.einsum("ij,j->i", rows, values)
    return found


def _curvature(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[values, values]. In blocks so small that BLAS does not deal them out to threads, which cost eight times as much
    CPU time on a busy machine, waiting for each other."""
    total = _RIDGE * np.eye(rows.shape[1])
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        total += (block * weights[start : start + _BLOCK, None]).T @ block
    return total
