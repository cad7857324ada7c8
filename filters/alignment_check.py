"""Does the text translate its source, and not another one? By the words that go together in the run's own pairs.

What `alignment.py` learns says how well each word is explained, and `evidence.py` weighs that against shuffled pairs;
from which score on a pair passes is a quantile of the run's own. Those may hold bad ones, so their share is estimated
first: other shuffled pairs show how bad ones score, half of them below their median, where good ones hardly ever lie.
Catches another image's caption, and a refusal or remark in any wording.
Measured (`make bench-filters`): see docs/filters.md. Cost: about 70 microseconds a text.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType

import numpy as np

from florenz.filters.alignment import (
    EARLIER_VIEWS,
    FOLDS,
    NUM_LEXICONS,
    Cut,
    Pair,
    PairModel,
    Views,
    fold_of,
    in_threads,
    learn_pair_models,
    num_entries,
    views_of,
)
from florenz.filters.evidence import Features, Weights, learn_weights_of_folds, prior_weights, rows_of
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.codes import SOURCE

MIN_PAIRS = 5_000
"""Of a language; with fewer a table would drop too many good texts."""
MAX_PAIRS = 30_000
"""Learned from; of more, those with the smallest hashes. More pairs catch hardly more and cost their share."""
MAX_ENTRIES = 20_000_000
"""Pairs of words in them, a gigabyte while they are counted: of long texts fewer pairs are learned from, at least
MIN_PAIRS."""
MAX_WEIGHED = 5_000
"""Pairs, and as many shuffled ones, that weights are learned from: 10,000 catch no more."""
_MAX_LOST, _SURELY_BAD = 0.0085, 0.99


@dataclass(frozen=True)
class AlignmentTable:
    """What was learned for one language: a model and weights for each fold, from the pairs of all others. A score below
    `least` is no translation. fingerprint: 16 hex digits over the pairs that it was learned from, and its views.
    """

    language: str
    models: tuple[PairModel, ...]
    weights: tuple[Weights, ...]
    least: float
    num_pairs: int
    fingerprint: str

    def scores(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Of each (source, text), by the model that its source had no part in."""
        found, folds = np.zeros(len(pairs)), [fold_of(source) for source, _ in pairs]
        for fold in sorted(set(folds)):
            places = [place for place, one in enumerate(folds) if one == fold]
            found[places] = self.weights[fold].scores(self.models[fold].features([pairs[place] for place in places]))
        return found

    def model_of(self, source: str) -> PairModel:
        """The one that this source had no part in."""
        return self.models[fold_of(source)]


NO_TABLES: Mapping[str, AlignmentTable] = MappingProxyType({})


def check_misaligned(candidates: Sequence[Candidate], tables: Mapping[str, AlignmentTable]) -> list[Verdict]:
    """Rejects translations whose words don't go with those of their source, in languages that have a table."""
    verdicts = [KEEP] * len(candidates)
    for language in sorted({candidate.language for candidate in candidates} & tables.keys()):
        table = tables[language]
        places = [place for place, one in enumerate(candidates) if one.language == language and one.source]
        scores = table.scores([(candidates[place].source, candidates[place].text) for place in places])
        for place, score in zip(places, scores, strict=True):
            if score < table.least:
                verdicts[place] = reject("misaligned", _told(candidates[place], table))
    return verdicts


def _told(candidate: Candidate, table: AlignmentTable) -> str:
    """Which words don't go together: those of the text that the source does not explain, and the other way round."""
    model = table.model_of(candidate.source)
    of_text, of_source = model.unexplained((candidate.source, candidate.text))
    told = [f"nothing in the source says {quoted(' '.join(of_text))}"] if of_text else []
    told += [f"nothing in the text says {quoted(' '.join(of_source))}"] if of_source else []
    return "; ".join(told) or f"no word of {quoted(candidate.text)} goes with the source"


def hash_of_pair(pair: Pair) -> str:
    """Which pairs are learned from, of too many, and in which order they are counted."""
    return hashlib.sha256("\0".join(pair).encode("utf-8", "surrogatepass")).hexdigest()


def learn_table(pairs: Iterable[Pair], language: str, views: Views = ()) -> AlignmentTable | None:
    """From a language's pairs in any order, each counted once; None where there are too few, or for English. views:
    those of now unless they are named."""
    views, chosen = views or views_of(language), chosen_of(pairs, language)
    if len(chosen) < MIN_PAIRS or language == SOURCE:
        return None
    cut: Cut = {}
    models = learn_pair_models(chosen, language, views, cut)
    folds = _in_folds(chosen)
    good = _features(models, folds, cut)
    shuffles = ((1, len(chosen)), (2, MAX_WEIGHED // FOLDS))  # for the threshold, and for the weights
    bad, others = (_features(models, [_shuffled(fold, by)[:most] for fold in folds], cut) for by, most in shuffles)
    good_rows = _rows(good)
    weights = learn_weights_of_folds(good_rows, _rows(others), prior_weights(NUM_LEXICONS, good_rows[0].shape[1]))
    least = least_score(_scores(weights, good), _scores(weights, bad))
    return AlignmentTable(language, models, weights, least, len(chosen), fingerprint_of(chosen, views))


def _in_folds(pairs: Sequence[Pair]) -> list[list[Pair]]:
    return [[pair for pair in pairs if fold_of(pair[0]) == fold] for fold in range(FOLDS)]


def _shuffled(pairs: Sequence[Pair], by: int) -> list[Pair]:
    """Each source with the text of a later one of its fold, so that neither was learned from."""
    return [(pair[0], other[1]) for pair, other in zip(pairs, [*pairs[by:], *pairs[:by]], strict=True)]


def _features(models: Sequence[PairModel], folds: Sequence[Sequence[Pair]], cut: Cut) -> list[Features]:
    return in_threads(lambda one: one[0].features(one[1], cut), list(zip(models, folds, strict=True)))


def _rows(features: Sequence[Features]) -> list[np.ndarray]:
    return [rows_of(fold, NUM_LEXICONS, MAX_WEIGHED // FOLDS) for fold in features]


def _scores(weights: Sequence[Weights], features: Sequence[Features]) -> np.ndarray:
    return np.concatenate([one.scores(of_fold) for one, of_fold in zip(weights, features, strict=True)])


def chosen_of(pairs: Iterable[Pair], language: str) -> list[Pair]:
    """Those that a table is learned from, in the order of their hashes."""
    chosen = sorted(set(pairs), key=hash_of_pair)[:MAX_PAIRS]
    num_fit = bisect_right(list(accumulate(num_entries(pair, language) for pair in chosen)), MAX_ENTRIES)
    return chosen[: max(num_fit, MIN_PAIRS)]


def fingerprint_of(chosen: Iterable[Pair], views: Views) -> str:
    """16 hex digits over the pairs that a table was learned from, in any order, and how they were looked at: a table
    of the same pairs by other views gives other verdicts. EARLIER_VIEWS are not written into it, as they never were."""
    named = "" if views == EARLIER_VIEWS else " ".join(views)
    hashes = sorted(map(hash_of_pair, chosen))
    return hashlib.sha256("".join([named, *hashes]).encode()).hexdigest()[:16]


def least_score(scores: np.ndarray, shuffled: np.ndarray) -> float:
    """From the scores of pairs, a few of which may be bad, and of surely bad ones: what nearly all good pairs have."""
    share_of_bad = min(0.5, 2 * float(np.mean(scores < np.median(shuffled))))
    least = float(np.quantile(scores, min(1.0, share_of_bad + _MAX_LOST)))
    return round(min(least, float(np.quantile(shuffled, _SURELY_BAD))), 4)
