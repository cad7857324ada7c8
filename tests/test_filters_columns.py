"""Verdicts belong to the text alone: not to the batch it came in, its place there, or what was asked before it."""

import random
from importlib import import_module
from itertools import pairwise

import pytest
from filters_examples import FEW, PAIR_LANGUAGES, half_translated, sentence_pairs, translation
from hypothesis import given, settings
from hypothesis import strategies as st

from florenz.filters.chain import FilterChain, text_checks
from florenz.filters.columns import Columns
from florenz.filters.language_match import check_wrong_language, check_wrong_languages
from florenz.filters.mixed_language import check_mixed_language, may_be_mixed_language, parts_to_ask
from florenz.filters.order import TEXT_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.filters.words import folded, split_words
from florenz.languages.identification import LanguageIdentifier

# Of what checks look for, and of any characters, so that they meet.
PIECES = st.lists(
    st.one_of(st.text(st.characters(), max_size=6), st.sampled_from(
        ["the ", "Ein Hund ", "A dog ", "Note: ", "(", ")", "[", "/", "**", "<b>", "<s>", "www.", "1.", "two ", "3 ",
         "zwei ", "ab", "ab", "a ", "\n", "\x85", "Ã¼", "Â©", "ﬁ", "的", "的", "ß", "'", "-", "ʼ", "www", "\ud800",
         "（", "）", "公园", "собака ", "сoбака", "Hаus", "में"])),
    max_size=8,
).map("".join)  # fmt: skip


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
        found += [translation(f"{text} {text} {text}", language, source=english) for english, text in
                  sentence_pairs(language, FEW)[:5]]  # fmt: skip
        found += [translation(f"{text} {text} {other}", language, source=english) for (english, text), (_, other) in
                  pairwise(sentence_pairs(language, FEW)[:5])]  # fmt: skip
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


ODD_TEXTS = ["", " ", "\n", "\x00", "\ud800", "ʼ", "-", "ﬀ", "İ", "ß" * 40, "a" * 60_000, "Â©", "www.x", "1.", "٣."]
ODD_TEXTS += ["（note：x）", "a\x85b", "a\u2028b", "ha ha ha ha ha", "Ġa", "12", "的" * 8, "ſ", "İİİİ", "ﷺ" * 5, "x/y"]


def asked_and_checked(candidates, settings):
    """For each check: whether it is asked about each candidate, and whether it would keep it."""
    columns = Columns(candidates)
    for (reason, file), check in zip(TEXT_CHECKS, text_checks(), strict=True):
        may_be = getattr(import_module(f"florenz.filters.{file}"), f"may_be_{reason}")
        asked = may_be(columns, settings)
        assert (asked.dtype, asked.shape) == (bool, (len(candidates),))
        yield reason, asked.tolist(), [check(candidate, settings).keep for candidate in candidates]


def assert_nobody_is_passed_over(candidates, settings):
    for reason, asked, keeps in asked_and_checked(candidates, settings):
        for candidate, is_asked, is_kept in zip(candidates, asked, keeps, strict=True):
            assert is_asked or is_kept, f"{reason} is not asked about {candidate}, which it rejects"


@pytest.mark.parametrize("max_repeats", [1, 3, 9])
def test_what_a_check_is_not_asked_about_it_keeps(candidates, max_repeats):
    odd = [translation(text, language, source=source) for text in ODD_TEXTS for language in ("de", "zh", "mt")
           for source in ("A dog.", text, "Two dogs / 3 cats: yes.", "No, no!")]  # fmt: skip
    assert_nobody_is_passed_over([*candidates, *odd], FilterSettings(max_repeats=max_repeats))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(PIECES, PIECES), min_size=1, max_size=4))
def test_no_string_is_passed_over(pairs):
    assert_nobody_is_passed_over([translation(text, source=source) for source, text in pairs], FilterSettings())


def test_few_good_texts_are_asked_about():
    """Otherwise the columns are for nothing."""
    good = [translation(text, "de", source=english) for english, text in sentence_pairs("de", FEW)]
    for reason, asked, _ in asked_and_checked(good, FilterSettings()):
        assert sum(asked) <= 0.4 * len(good), reason


def test_columns_leave_the_words_that_a_candidate_would_cut_itself(candidates):
    fresh = [translation(text, source="") for text in [*ODD_TEXTS, *(one.text for one in candidates)]]
    columns = Columns(fresh)
    assert columns.folded == [folded(one.text) for one in fresh] == [one.folded for one in fresh]
    assert columns.words == [split_words(one) for one in columns.folded] == [one.words for one in fresh]


def test_what_may_not_be_mixed_is_kept_with_no_part_asked_about(candidates):
    for candidate, may_be in zip(candidates, may_be_mixed_language(Columns(candidates), FilterSettings()), strict=True):
        if not may_be:
            assert parts_to_ask(candidate) == []
            assert check_mixed_language(candidate, [], [], FilterSettings()).keep


def test_the_rule_about_whole_texts_is_the_same_for_one_and_for_many(candidates):
    readings = LanguageIdentifier().read([candidate.text for candidate in candidates])
    many = check_wrong_languages(candidates, readings, FilterSettings())
    rows = enumerate(candidates)
    one = [check_wrong_language(candidate, readings.one(row), FilterSettings()) for row, candidate in rows]
    assert many == one
    assert {verdict.keep for verdict in one} == {True, False}
