"""py3langid beside lid.176: near relatives told apart, good text of weak languages kept, and what is warned about."""

import pytest
from filters_examples import CAPTIONS, reason_of, translation
from py3langid import langid

from florenz.filters.chain import FilterChain
from florenz.languages.calibration import MARGINS
from florenz.languages.codes import NAMES
from florenz.languages.second_opinion import (
    GROUPS,
    group_of,
    knows,
    margins,
    margins_of,
    neighbours_of,
    odds_to_neighbours,
    warnings,
)

ENGLISH = "The old man sits in front of the house and reads."


@pytest.mark.parametrize(
    ("claimed", "true", "text"),
    [
        ("nl", "af", "Die ou man sit voor die huis en lees."),
        ("es", "gl", "O vello senta diante da casa e le un libro."),
        ("sk", "cs", "Starý muž sedí před domem a čte si knihu."),
        ("es", "pt", "O velho está sentado em frente à casa lendo."),
    ],
)
def test_a_near_relative_is_told(claimed, true, text):
    assert reason_of(translation(text, claimed, source=ENGLISH)) == "wrong_language"
    assert reason_of(translation(text, true, source=ENGLISH)) == ""


def test_good_text_that_lid_takes_for_another_language_stays():
    text = "Mzee ameketi mbele ya nyumba."
    candidate = translation(text, "sw", source="The old man sits in front of the house.")
    assert FilterChain()([candidate])[0].keep
    assert margins(text, "sw").to_others > 0


@pytest.mark.parametrize("claimed", ["hr", "bs", "sr"])
def test_one_group_in_one_script(claimed):
    assert reason_of(translation("Stari čovjek sjedi ispred kuće i čita.", claimed, source=ENGLISH)) == ""
    assert {"hr", "bs", "sr"} == group_of(claimed) and not neighbours_of(claimed) & group_of(claimed)


def test_tables_name_known_languages_only():
    assert set(MARGINS) <= set(NAMES) and all(group <= set(NAMES) for group in GROUPS)
    assert all(neighbours_of(language) <= set(NAMES) for language in NAMES)
    assert all(language in neighbours_of(other) for language in NAMES for other in neighbours_of(language))


def test_what_to_know_before_a_run_is_told():
    (line,) = warnings(("de", "yi"), ())
    assert "Yiddish (yi)" in line and "%" in line
    (line,) = warnings(("pt", "es"), ("es",))
    assert line.startswith("es is held out beside pt")
    (line,) = warnings(("mt",), ())
    assert line.startswith("language ID has not been measured on Maltese (mt)")
    assert warnings(("de", "fr", "ru", "zh"), ("fr", "zh")) == []
    assert warnings(("hr", "sr"), ("sr",))[0].startswith("sr is held out beside hr")


@pytest.mark.parametrize(
    ("language", "source", "text"),
    [
        ("cs", "I doubt it.", "I pochybuju."),
        ("pl", "I know none of them.", "I know nikogo z nich."),
        ("sv", "Did you wait long?", "Did you du länge?"),
        ("es", "How many people?", "How personas?"),
    ],
)
def test_what_begins_as_the_english_sentence_does_gets_no_second_chance(language, source, text):
    assert reason_of(translation(text, language, source=source)) == "wrong_language"


def test_margins_are_py3langids_own_whoever_is_asked_with():
    texts = {**CAPTIONS, "en": "", "sl": "\ud800 12", "hr": "Crveni automobil " * 60}
    rows = [(text, language) for language, text in texts.items() if knows(language)]
    model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    together = margins_of([text for text, _ in rows], [language for _, language in rows])
    near = odds_to_neighbours([text for text, _ in rows], [language for _, language in rows])
    for (text, language), found, odds in zip(rows, together, near.tolist(), strict=True):
        assert found == margins(text, language)
        assert odds == found.odds_to_neighbours
        data = model._encode(text.encode("utf-8", "replace").decode())
        scores = dict(enumerate((model._raw_score(data) / len(data or " ") ** 0.5).tolist()))
        own = max(scores[place] for place, label in enumerate(model.nb_classes) if label in group_of(language))
        near_ones = [scores[place] for place, label in enumerate(model.nb_classes) if label in neighbours_of(language)]
        if near_ones:
            assert found.to_neighbours == pytest.approx(own - max(near_ones), abs=1e-3)
