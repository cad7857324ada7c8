"""py3langid beside lid.176: near relatives told apart, good text of weak languages kept, and what is warned about."""

import numpy as np
import pytest
from filters_examples import CAPTIONS, reason_of, translation
from py3langid import langid

from benchmarks import filters_calibrate
from florenz.filters.chain import FilterChain
from florenz.filters.words import folded_words
from florenz.languages import telling_words
from florenz.languages.calibration import MARGINS
from florenz.languages.caption_words import CAPTION_FAMILIES
from florenz.languages.codes import NAMES
from florenz.languages.second_opinion import (
    GROUPS,
    group_of,
    knows,
    least_margins,
    least_to_first,
    margins,
    margins_of,
    neighbours_of,
    odds_to_neighbours,
    warnings,
)
from florenz.languages.telling_words import balance

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
    assert MARGINS["de"].kept == 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MARGINS, "yi", MARGINS["yi"]._replace(kept=0.923))
        (line,) = warnings(("de", "yi"), ())
    assert "keeps 92.3% of good Yiddish (yi) sentences" in line
    (line,) = warnings(("pt", "es"), ("es",))
    assert line.startswith("es is held out beside pt")
    (line,) = warnings(("mt",), ())
    assert line.startswith("language ID has not been measured on Maltese (mt)")
    assert warnings(("de", "fr", "ru", "zh"), ("fr", "zh")) == []
    assert warnings(("hr", "sr"), ("sr",))[0].startswith("sr is held out beside hr")


@pytest.mark.parametrize(
    ("claimed", "true", "words"),
    [
        ("no", "da", "Han er også hjemme nu"),
        ("no", "nn", "Dei er ikkje her"),
        ("cs", "sk", "Ona je v kuchyni a ja som tu"),
        ("es", "gl", "Hoxe non hai tempo"),
        ("id", "ms", "Saya hendak pergi esok"),
        ("mk", "sr", "Где је он данас"),
    ],
)
def test_telling_words_speak_for_the_language_that_has_them(claimed, true, words):
    folded = folded_words(words)
    assert balance(folded, true, claimed) > 0 and balance(folded, claimed, true) == -balance(folded, true, claimed)
    assert balance([*folded, *folded], true, claimed) == balance(folded, true, claimed)
    assert balance(folded, "de", claimed) == 0
    plain, told = margins(words, claimed), margins(words, claimed, folded)
    assert told.odds_to_neighbours < plain.odds_to_neighbours and told.to_others == plain.to_others


def test_a_text_that_only_words_tell_is_told():
    text, source = "Canto custan dez pratos de papel?", "How much do ten paper plates cost?"
    least_near, _ = least_margins("es")
    assert (
        margins(text, "es").odds_to_neighbours
        >= least_near
        > margins(text, "es", folded_words(text)).odds_to_neighbours
    )
    assert reason_of(translation(text, "es", source=source)) == "wrong_language"
    assert reason_of(translation(text, "gl", source=source)) == ""


@pytest.mark.parametrize(
    ("language", "other", "text", "english"),
    [
        ("ru", "bg", "На пляже стоят три синих цветка.", "There are three blue flowers on the beach."),
        ("ru", "bg", "Два синих зонта висят в море.", "Two blue umbrellas hang in the sea."),
        ("ru", "bg", "На улице сидят две синие улитки.", "Two blue snails sit in the street."),
    ],
)
def test_a_caption_is_not_decided_by_one_word(language, other, text, english):
    assert margins(text, language).nearest == other and margins(text, language).odds_to_neighbours < 0
    assert balance(folded_words(text), language, other) > 0
    assert reason_of(translation(text, language, source=english)) == ""


def test_no_word_of_a_pair_of_relatives_counts_twice():
    tables = [telling_words._read(table) for table in (*telling_words._FAMILIES, *CAPTION_FAMILIES)]
    languages = [frozenset().union(*table.values()) for table in tables]
    for place, table in enumerate(tables):
        for other in range(place):
            if len(languages[place] & languages[other]) > 1:
                assert table.keys().isdisjoint(tables[other]), (languages[place], languages[other])


def test_telling_words_are_folded_and_tell_something():
    for table in (*telling_words._FAMILIES, *CAPTION_FAMILIES):
        family = telling_words._read(table)
        languages = frozenset().union(*family.values())
        for word, having in family.items():
            assert folded_words(word) == [word] and having < languages
        near = {one for language in languages for one in neighbours_of(language)}
        assert languages <= set(NAMES) and languages <= near


def test_margins_to_others_tell_even_where_good_text_would_lose_by_it():
    low, high = filters_calibrate.BOUNDS_OF_OTHERS
    assert all(low <= one.to_others <= high for language, one in MARGINS.items() if knows(language))
    assert all(one.to_neighbours <= 0 for one in MARGINS.values())
    assert least_margins("mt") == (0.0, -1.5) and least_to_first("sc") == 0.0


def test_the_lowest_text_alone_does_not_set_a_threshold():
    odds = 30 + 10 * np.random.default_rng(0).standard_normal(500)
    odds[0] = 0.0
    before, _ = filters_calibrate.least(read_of(odds), "no")
    odds[0] = -50.0  # a text in the wrong file
    after, margin = filters_calibrate.least(read_of(odds), "no")
    assert before - 8 < after <= before
    assert filters_calibrate.is_lost(read_of(odds), after, margin)[0]


def read_of(odds):
    return filters_calibrate.Read(np.zeros(len(odds), dtype=bool), odds - 3, np.full(len(odds), 9.0))


@pytest.mark.parametrize("text", ["איך האב ליב דעם פרילינג.", "קוק אויף דעם.", "עס רעגנט."])
def test_yiddish_that_lid_takes_for_hebrew_stays(text):
    candidate = translation(text, "yi", source="I love spring very much.")
    assert FilterChain()([candidate])[0].keep


def test_hebrew_and_english_are_no_yiddish():
    source = "The old man sits in front of the house and reads."
    assert reason_of(translation("הזקן יושב לפני הבית וקורא ספר.", "yi", source=source)) == "wrong_language"
    assert reason_of(translation("The dogs bark at night here.", "yi", source=source)) != ""


def test_languages_without_a_table_keep_what_both_models_find_possible():
    candidate = translation("Ir-raġel ix-xiħ bilqiegħda quddiem id-dar.", "mt", source=ENGLISH)
    assert reason_of(candidate) == ""
    assert reason_of(translation("L'uomo anziano siede davanti alla casa.", "mt", source=ENGLISH)) == "wrong_language"


def test_margins_are_py3langids_own_whoever_is_asked_with():
    texts = {**CAPTIONS, "en": "", "sl": "\ud800 12", "hr": "Crveni automobil " * 60}
    rows = [(text, language) for language, text in texts.items() if knows(language)]
    model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    texts_of_rows, languages = [text for text, _ in rows], [language for _, language in rows]
    words = [folded_words(text) for text in texts_of_rows]
    none = [()] * len(rows)
    together = margins_of(texts_of_rows, languages, none)
    near = odds_to_neighbours(texts_of_rows, languages, none)
    with_words = odds_to_neighbours(texts_of_rows, languages, words)
    assert with_words.tolist() == [one.odds_to_neighbours for one in margins_of(texts_of_rows, languages, words)]
    for (text, language), found, odds in zip(rows, together, near.tolist(), strict=True):
        assert found == margins(text, language)
        assert odds == found.odds_to_neighbours
        data = model._encode(text.encode("utf-8", "replace").decode())
        scores = dict(enumerate(model._raw_score(data).tolist()))
        own = max(scores[place] for place, label in enumerate(model.nb_classes) if label in group_of(language))
        near_ones = [scores[place] for place, label in enumerate(model.nb_classes) if label in neighbours_of(language)]
        if near_ones:
            assert found.odds_to_neighbours == pytest.approx(own - max(near_ones), abs=0.02)
