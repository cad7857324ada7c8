"""Scores of texts against known values, and against sacrebleu's and language ID's own answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from florenz.languages.identification import LanguageModelError
from florenz.train.scores import texts as score
from florenz.train.scores.texts import (
    TextScores,
    chance,
    check_tools,
    chrf,
    exact_match,
    language_fidelity,
    score_texts,
)

ENGLISH = ["A red car stands beside a blue house near the river.", "Two large dogs are sleeping under an old tree."]
GERMAN = ["Ein rotes Auto steht neben einem blauen Haus am Fluss.", "Zwei große Hunde schlafen unter einem alten Baum."]
FRENCH = ["Une voiture rouge est garée à côté d'une maison bleue.", "Deux grands chiens dorment sous un vieil arbre."]
RUSSIAN = ["Красная машина стоит рядом с синим домом у реки.", "Две большие собаки спят под старым деревом."]
CHINESE = ["一辆红色的汽车停在河边的蓝色房子旁边。", "两只大狗在一棵老树下睡觉。"]
SENTENCES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "ru": RUSSIAN, "zh": CHINESE}


def one_each(texts: list[str]) -> list[tuple[str, ...]]:
    """Questions with one right text."""
    return [(text,) for text in texts]


def test_an_exact_match_differs_in_nothing_but_white_space() -> None:
    references = ["A red car.", "A blue car.", "Two dogs.", "A bat."]
    answers = [" A  red car.\n", "A blue car", "two dogs.", "A bat."]
    assert exact_match(answers, one_each(references)) == 0.5
    assert exact_match(references, one_each(references)) == 1.0
    assert exact_match([""], [("A bat.",)]) == 0.0


@pytest.mark.parametrize("language", SENTENCES)
def test_chrf_is_sacrebleus_of_the_whole_corpus(language: str) -> None:
    references = SENTENCES[language]
    answers = [references[0][:-4], references[0]]
    assert chrf(answers, one_each(references)) == CHRF().corpus_score(answers, [references]).score
    assert chrf(references, one_each(references)) == pytest.approx(100.0)
    assert chrf(["", ""], one_each(references)) == 0.0
    assert 0 < chrf(answers, one_each(references)) < 100


def test_chrf_of_two_answers_has_a_known_value() -> None:
    """Three of the four letters, two of three pairs, one of two triples; nothing longer fits: a mean of F2."""
    assert chrf(["abcx"], [("abcd",)]) == pytest.approx(100 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4)


@pytest.mark.parametrize("language", SENTENCES)
def test_fidelity_is_the_share_in_the_asked_language(language: str) -> None:
    other = "fr" if language != "fr" else "en"
    assert language_fidelity(SENTENCES[language], language) == 1.0
    assert language_fidelity(SENTENCES[language], other) == 0.0
    assert language_fidelity([*SENTENCES[language], *SENTENCES[other], "", "?!"], language) == pytest.approx(2 / 6)


def test_fidelity_of_a_language_that_language_id_does_not_know_is_left_open() -> None:
    assert language_fidelity(ENGLISH, "xx") is None


def test_all_scores_of_answers_stand_together() -> None:
    assert score_texts([GERMAN[0], FRENCH[1]], one_each(GERMAN), "de") == TextScores(
        exact_match=0.5, chrf=chrf([GERMAN[0], FRENCH[1]], one_each(GERMAN)), language_fidelity=0.5
    )


def test_chance_answers_with_the_texts_of_other_images_in_the_same_style() -> None:
    """Of three images, each one's text answers for both others; the lone detailed one answers for nobody."""
    references, styles = [*GERMAN, GERMAN[0], ENGLISH[0]], ["short", "short", "short", "detailed"]
    found = chance(one_each(references), styles, "de")
    assert found is not None
    assert found.exact_match == pytest.approx(2 / 6)
    answers = [GERMAN[1], GERMAN[0], GERMAN[0], GERMAN[0], GERMAN[0], GERMAN[1]]
    asked = [GERMAN[0], GERMAN[1], GERMAN[0], GERMAN[0], GERMAN[1], GERMAN[0]]
    assert found.chrf == pytest.approx(chrf(answers, one_each(asked)))
    assert found.language_fidelity == 0.75


def test_chance_needs_two_images_in_a_style() -> None:
    assert chance(one_each(GERMAN), ["short", "detailed"], "de") is None
    assert chance(one_each(GERMAN[:1]), ["short"], "de") is None


def test_any_of_several_right_texts_is_right() -> None:
    references = [("A red car.", "One car, red."), ("Two dogs.",), ("A bat.", "A flying bat.", "A bat flies.")]
    answers = ["One car,  red.", "Two cats.", "A bat flies."]
    assert exact_match(answers, references) == pytest.approx(2 / 3)
    padded = [[texts[place] if place < len(texts) else None for texts in references] for place in range(3)]
    assert chrf(answers, references) == CHRF().corpus_score(answers, padded).score
    assert chrf(answers[::2], references[::2]) == pytest.approx(100.0)
    assert chrf(answers[::2], one_each([texts[0] for texts in references[::2]])) < 100


def test_chance_answers_with_the_first_of_several_and_is_right_by_any() -> None:
    found = chance([(GERMAN[0], GERMAN[1]), (GERMAN[1],)], ["short", "short"], "de")
    assert found is not None
    assert found.exact_match == 0.5  # the second's text is one of the first's, the first's is none of the second's
    assert found.language_fidelity == 1.0


def test_what_a_set_does_not_count_is_left_open() -> None:
    some = score_texts(GERMAN, one_each(GERMAN), "de", ("chrf",))
    assert (some.exact_match, some.language_fidelity) == (None, None) and some.chrf == pytest.approx(100.0)
    by_chance = chance(one_each(GERMAN), ["short", "short"], "de", ("exact_match",))
    assert by_chance == TextScores(exact_match=0.0, chrf=None, language_fidelity=None)


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=2, max_size=12, unique=True))
def test_no_image_answers_for_itself(texts: list[str]) -> None:
    found = chance(one_each(texts), ["short"] * len(texts), "de")
    assert found is not None and found.exact_match == 0.0


def test_what_counts_is_looked_for_before_a_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    check_tools()
    monkeypatch.setenv("FLORENZ_LID", "nowhere")
    with pytest.raises(LanguageModelError, match="nowhere is no file"):
        check_tools()
    monkeypatch.setattr(score.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="sacrebleu.*is not installed: pip install"):
        check_tools()
