"""What words say for and against a translation: the weights that a run's own pairs teach, and what they do not see."""

import numpy as np
import pytest
from alignment_examples import made_pairs

from florenz.filters import alignment_check, evidence
from florenz.filters.alignment import FOLDS, NUM_LEXICONS, learn_pair_model
from florenz.filters.alignment_check import learn_table
from florenz.filters.evidence import (
    CELLS,
    Weights,
    learn_weights,
    learn_weights_of_folds,
    prior_weights,
    rows_of,
)

NONE = np.zeros(3)


@pytest.fixture(scope="module")
def pairs():
    return made_pairs(1_600)


@pytest.fixture(scope="module")
def features(pairs):
    return learn_pair_model(pairs[:1_000], "de").features(pairs[1_000:])


@pytest.fixture(scope="module")
def table(pairs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_check, "MIN_PAIRS", 1_500)
        return learn_table(pairs, "de")


def rows(number, seed, shift):
    """Of two kinds that overlap."""
    return np.random.default_rng(seed).normal(shift, 1.0, (number, 3))


def test_a_row_counts_the_words_of_each_cell_and_ends_in_the_measures(features):
    found = rows_of(features, NUM_LEXICONS, 50)
    assert found.shape == (50, NUM_LEXICONS * CELLS + features.measures.shape[1])
    for place in (0, 17, 49):
        cells = features.cells[features.owners == place]
        assert found[place, : NUM_LEXICONS * CELLS].sum() == len(cells)
        assert np.array_equal(np.flatnonzero(found[place, : NUM_LEXICONS * CELLS]), np.unique(cells))
    assert np.array_equal(found[:, NUM_LEXICONS * CELLS :], features.measures[:50])


def test_a_score_is_the_sum_over_what_a_row_counts(features):
    counted = rows_of(features, NUM_LEXICONS, len(features.measures))
    weights = Weights(np.random.default_rng(1).normal(size=counted.shape[1]))
    assert np.allclose(weights.scores(features), counted @ weights.values + 8 * features.means)


def test_weights_are_those_of_the_optimum_in_any_order():
    good, bad = rows(900, 0, 0.5), rows(700, 1, -0.5)
    weights = learn_weights(good, bad, NONE)
    assert np.array_equal(learn_weights(good[::-1], bad[::-1], NONE).values, weights.values)
    assert np.array_equal(weights.values * 4096, np.rint(weights.values * 4096)) and (weights.values > 0.5).all()


def test_the_weights_of_a_fold_are_those_of_all_others_learned_alone():
    """Whatever they are reached from: a fold that pulls the other way changes its own start and nothing else."""
    good = [rows(300, seed, 0.5) for seed in range(FOLDS)]
    bad = [rows(200, 9 + seed, -0.5) for seed in range(FOLDS)]
    good[3], bad[3] = 4 * bad[3], 4 * good[3]
    for fold, weights in enumerate(learn_weights_of_folds(good, bad, NONE)):
        others = [place for place in range(FOLDS) if place != fold]
        alone = learn_weights(*(np.vstack([part[one] for one in others]) for part in (good, bad)), NONE)
        assert np.array_equal(weights.values, alone.values)


def test_rounding_near_the_optimum_does_not_keep_the_last_steps_from_being_taken(monkeypatch):
    """In one of seven such cases the loss, a sum of a thousand, rose by its rounding for each of the last steps:
    they were halved to nothing, and the curvature, nearly all of the cost, was worked out 55 times instead of 8."""
    asked = []
    curvature = evidence._curvature
    monkeypatch.setattr(evidence, "_curvature", lambda *given: asked.append(given) or curvature(*given))
    for seed in range(12):
        asked.clear()
        learn_weights(rows(600, seed, 2.0), rows(600, 100 + seed, -2.0), NONE)
        assert 3 <= len(asked) <= 12


def test_what_no_pair_shows_counts_what_the_lexicon_says():
    good, bad = (np.hstack([part, np.zeros((len(part), 1))]) for part in (rows(200, 0, 1), rows(200, 1, -1)))
    prior = np.array([0.0, 0.0, 0.0, -0.5])
    assert learn_weights(good, bad, prior).values[-1] == -0.5
    assert prior_weights(NUM_LEXICONS, NUM_LEXICONS * CELLS + 2)[[0, CELLS - 1, -1]].tolist() == [-0.425, 1.75, 0]


def test_a_table_has_weights_for_each_fold(table):
    assert len(table.weights) == FOLDS
    assert len({tuple(weights.values) for weights in table.weights}) == FOLDS


def test_a_text_far_longer_than_any_other_is_not_likelier_for_it(pairs, table):
    source, text = pairs[0]
    filler = " " + "und dann noch etwas ganz anderes" * 50
    assert table.scores([(source, text + filler)])[0] < table.scores([(source, text)])[0]
