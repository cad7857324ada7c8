"""Verdicts belong to the text alone: not to the batch it came in, its place there, or what was asked before it."""

import random

import pytest
from filters_examples import FEW, PAIR_LANGUAGES, half_translated, sentence_pairs, translation

from florenz.filters.chain import FilterChain
from florenz.filters.settings import FilterSettings
from florenz.languages.identification import LanguageIdentifier


@pytest.fixture(scope="module")
def candidates():
    """Good, foreign and half-translated texts of all languages that come with the repository."""
    found = []
    for language in PAIR_LANGUAGES:
        other = PAIR_LANGUAGES[PAIR_LANGUAGES.index(language) - 1]
        for english, text in sentence_pairs(language, FEW):
            found.append(translation(text, language, source=english))
            found.append(translation(half_translated(english, text, language), language, source=english))
        found += [translation(text, language, source=english) for english, text in sentence_pairs(other, FEW)]
    return found


@pytest.fixture(scope="module")
def expected(candidates):
    """One text a call."""
    chain = FilterChain()
    return [chain([candidate])[0] for candidate in candidates]


def test_the_examples_hold_kept_and_rejected_ones(expected):
    reasons = {verdict.reason for verdict in expected}
    assert {"", "wrong_language", "mixed_language"} <= reasons


@pytest.mark.parametrize("size", [2, 7, 64, 100_000])
def test_batches_of_any_size_give_the_verdicts_of_single_texts(size, candidates, expected):
    chain = FilterChain()
    batches = [candidates[start : start + size] for start in range(0, len(candidates), size)]
    found = [verdict for batch in batches for verdict in chain(batch)]
    assert found == expected
    assert [verdict.language for verdict in found] == [verdict.language for verdict in expected]


def test_any_order_gives_the_same_verdicts(candidates, expected):
    places = list(range(len(candidates)))
    random.Random(1).shuffle(places)
    found = FilterChain()([candidates[place] for place in places])
    assert found == [expected[place] for place in places]


def test_a_verdict_carries_what_language_id_reads(candidates, expected):
    identified = LanguageIdentifier().identify([candidate.text for candidate in candidates])
    for verdict, seen in zip(expected, identified, strict=True):
        if verdict.keep:
            assert verdict.language == seen.language
    assert all(
        verdict.language == "" for verdict in FilterChain(FilterSettings(disabled=("wrong_language",)))(candidates)
    )


def test_labels_that_were_not_asked_for_change_no_decision(candidates, monkeypatch):
    """Language ID first asks for the likeliest labels only; asking for all of them decides the same."""
    found = FilterChain()(candidates)
    monkeypatch.setattr("florenz.languages.identification._ENOUGH", 0.0)
    exactly = FilterChain()(candidates)
    assert [(one.reason, one.language) for one in exactly] == [(one.reason, one.language) for one in found]
    limits = FilterSettings().confident_language_probability, FilterSettings().min_language_probability
    texts = [candidate.text for candidate in candidates]
    whole = LanguageIdentifier().identify(texts, thresholds=limits)
    monkeypatch.undo()
    for exact, quick in zip(whole, LanguageIdentifier().identify(texts, thresholds=limits), strict=True):
        assert quick.language == exact.language
        assert quick.probability == pytest.approx(exact.probability, rel=0.1)
        for limit in limits:
            assert {one for one, p in quick.probabilities.items() if p >= limit} == {
                one for one, p in exact.probabilities.items() if p >= limit
            }
