"""The filters that only look at the text: each one's own reason, and what it must let pass."""

import pytest
from filters_examples import CAPTIONS, ENGLISH, english_caption, reason_of, translation
from hypothesis import given, settings
from hypothesis import strategies as st

from florenz.filters import commentary
from florenz.filters.chat_markup import check_chat_markup
from florenz.filters.commentary import check_commentary
from florenz.filters.completeness import check_empty, check_truncated
from florenz.filters.control_characters import check_control_characters
from florenz.filters.copied_source import check_copied_source
from florenz.filters.length_ratio import EXPECTED_RATIO, check_length_ratio
from florenz.filters.repetition import check_repetition
from florenz.filters.settings import FilterSettings
from florenz.filters.words import folded, folded_words

SETTINGS = FilterSettings()


@pytest.mark.parametrize("text", ["", "   \n", "...", "?! 12"])
def test_text_without_a_letter_is_empty(text):
    assert reason_of(translation(text)) == "empty"
    assert reason_of(english_caption(text)) == "empty"


def test_a_number_for_a_number_is_not_empty():
    assert check_empty(translation("42", source="42"), SETTINGS).keep
    assert not check_empty(translation("", source="42"), SETTINGS).keep


def test_answer_cut_off_at_the_token_limit_is_truncated():
    assert reason_of(translation(CAPTIONS["de"], finish_reason="length")) == "truncated"
    assert check_truncated(translation(CAPTIONS["de"], finish_reason="stop"), SETTINGS).keep
    assert check_truncated(translation(CAPTIONS["de"], finish_reason=""), SETTINGS).keep


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x85", "\ufffd", "\ud83d", "\ue001", "\u202e", "\uffff"])
def test_stray_character_is_rejected_and_named(character):
    verdict = check_control_characters(translation(f"Ein rotes{character} Auto"), SETTINGS)
    assert verdict.reason == "control_characters"
    assert f"U+{ord(character):04X} at character 9" in verdict.detail


@pytest.mark.parametrize("text", ["Ein\tAuto\nein Haus", "می‌خواهم", "क्‍ष", "👩‍🚒 löscht", "Auto\u00adbahn"])
def test_joiners_tabs_and_line_ends_are_no_stray_characters(text):
    assert check_control_characters(translation(text), SETTINGS).keep


@pytest.mark.parametrize(
    "mark",
    ["<|im_end|>", "<|endoftext|>", "</s>", "<pad>", "<end_of_turn>", "[INST]", "<</SYS>>", "<0x0A>", "<loc_52>"],
)
def test_chat_markup_is_rejected(mark):
    assert reason_of(translation(CAPTIONS["de"] + mark)) == "chat_markup"
    assert reason_of(english_caption(ENGLISH + mark)) == "chat_markup"


@pytest.mark.parametrize("text", ["```\nEin Auto\n```", "### Antwort\nEin Auto", "assistant: Ein Auto", "▁Ein▁Auto"])
def test_fences_headings_roles_and_raw_tokens_are_chat_markup(text):
    assert check_chat_markup(translation(text), SETTINGS).reason == "chat_markup"


def test_markup_that_the_source_shows_is_content():
    assert check_chat_markup(translation("Ein Schild mit </s>", source="A sign that reads </s>"), SETTINGS).keep
    assert check_chat_markup(translation("2 < 3, ein Preis > 5", source="2 < 3, a price > 5"), SETTINGS).keep


@pytest.mark.parametrize(
    "text",
    [
        "Here is the translation: " + CAPTIONS["de"],
        "Sure! Here's the German translation:\n" + CAPTIONS["de"],
        "Translation: " + CAPTIONS["de"],
        "**German:** " + CAPTIONS["de"],
        "Übersetzung: " + CAPTIONS["de"],
        "Hier ist die Übersetzung: " + CAPTIONS["de"],
        "Voici la traduction : " + CAPTIONS["fr"],
        "翻译：" + CAPTIONS["zh"],
        "Вот перевод: " + CAPTIONS["ru"],
        CAPTIONS["de"] + " (Note: literal translation)",
        CAPTIONS["de"] + "\n\nAnmerkung: wörtlich",
        CAPTIONS["de"] + "\n" + "Ein Wagen parkt neben einem Haus.",
        "As an AI language model, I cannot translate this.",
    ],
)
def test_commentary_is_rejected(text):
    assert check_commentary(translation(text), SETTINGS).reason == "commentary"


@pytest.mark.parametrize(
    "text", ["Here is a dog that sits on a sofa.", "I'm sorry I opened my mouth.", "This is a note on a door: hi."]
)
def test_plain_sentences_that_begin_like_commentary_stay(text):
    assert check_commentary(english_caption(text), SETTINGS).keep


def test_preamble_that_the_source_has_is_content():
    assert check_commentary(translation("Antwort: ja", source="Answer: yes"), SETTINGS).keep
    assert check_commentary(translation("Note: fermé", "fr", source="Note: closed"), SETTINGS).keep


def test_as_many_lines_as_the_source_are_no_commentary():
    assert check_commentary(translation("Ein Auto.\nEin Haus.", source="A car.\nA house."), SETTINGS).keep


@pytest.mark.parametrize("text", [ENGLISH, ENGLISH.upper(), ENGLISH.rstrip(".") + " !", ENGLISH.replace(" ", "  ")])
def test_source_handed_back_is_copied(text):
    assert reason_of(translation(text)) == "copied_source"


def test_source_with_one_word_changed_is_copied():
    assert reason_of(translation(ENGLISH.replace("car", "Auto"))) == "copied_source"


@pytest.mark.parametrize("text", ["Coca Cola", "Boeing 747", "Tom, Mary, John", "New York 2024"])
def test_names_and_numbers_may_stay_what_they_are(text):
    assert check_copied_source(translation(text, source=text), SETTINGS).keep


def test_caption_full_of_names_is_not_copied():
    text = "Tom Smith und Mary Jones in New York"
    assert reason_of(translation(text, source="Tom Smith and Mary Jones in New York")) == ""


def test_a_source_in_title_case_excuses_nothing():
    source = "A Red Car On A Wet Road"
    assert check_copied_source(translation(source, source=source), SETTINGS).reason == "copied_source"


@pytest.mark.parametrize("language", sorted(EXPECTED_RATIO))
def test_expected_length_passes_and_ten_times_it_does_not(language):
    expected = "x" * round(EXPECTED_RATIO[language] * len(ENGLISH))
    assert check_length_ratio(translation(expected, language), SETTINGS).keep
    assert check_length_ratio(translation(expected * 10, language), SETTINGS).reason == "length_ratio"


def test_length_that_fits_german_is_too_long_for_chinese():
    text, source = "字" * 117, "x" * 100
    assert check_length_ratio(translation(text, "de", source=source), SETTINGS).keep
    assert check_length_ratio(translation(text, "zh", source=source), SETTINGS).reason == "length_ratio"


def test_lost_half_of_a_long_caption_is_seen_and_short_texts_have_slack():
    assert check_length_ratio(translation("Ein Auto.", source=ENGLISH * 3), SETTINGS).reason == "length_ratio"
    assert check_length_ratio(translation("Et alors ?", "fr", source="So?"), SETTINGS).keep


def test_caption_has_no_length_ratio():
    assert check_length_ratio(english_caption("A car." * 100), SETTINGS).keep


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ein rotes Auto" + " und ein rotes Auto" * 4, "de"),
        ("ein Hund und ein ein ein ein ein Auto", "de"),
        ("一辆红色的汽车一辆红色的汽车一辆红色的汽车一辆红色的汽车", "zh"),
        ("Auto" + "haus" * 8, "de"),
    ],
)
def test_loops_are_rejected(text, language):
    assert check_repetition(translation(text, language), SETTINGS).reason == "repetition"


@pytest.mark.parametrize("text", ["Ha ha ha!", "Warte ...................", "Nein, nein, nein!", "1000000000000 Autos"])
def test_short_echoes_dots_and_zeros_are_no_loops(text):
    assert check_repetition(translation(text), SETTINGS).keep


def test_similar_sentences_about_several_things_are_no_loop():
    text = "Ein roter Ball liegt auf dem Tisch. Ein blauer Ball liegt auf dem Tisch. Ein alter Ball liegt dort."
    assert check_repetition(translation(text), SETTINGS).keep


def test_repetition_of_the_source_may_be_translated():
    source, text = "No no no no no no!", "Nein nein nein nein nein nein!"
    assert check_repetition(translation(text, source=source), SETTINGS).keep
    assert not check_repetition(translation(text, source="No!"), SETTINGS).keep


def test_of_a_text_far_too_long_both_ends_are_looked_at():
    """So that no check pays for the middle, and what a model says or does at the end is still seen."""
    long = "".join(f"Ein Hund w{number:x} läuft zum Bach {number * 7:o}k. " for number in range(12_000))
    for text in (f"{'und dann ' * 20}{long}", f"{long}{'und dann ' * 20}"):
        found = check_repetition(translation(text, source=long), SETTINGS)
        assert found.reason == "repetition" and "und dann" in found.detail
    for text in (f"Translation: {long}", f"{long}(Note: I cannot see the image.)"):
        assert check_commentary(translation(text, source=long), SETTINGS).reason == "commentary"
    assert check_repetition(translation(long, source=long), SETTINGS).keep
    assert check_commentary(translation(long, source=long), SETTINGS).keep
    hidden = translation(f"{long}\x1b[2J{long}", source=long)
    assert check_control_characters(hidden, SETTINGS).reason == "control_characters", "this is looked for everywhere"


@settings(max_examples=150, deadline=None)
@given(st.one_of(*(st.from_regex(pattern) for pattern in (commentary._PREAMBLE, commentary._ABOUT_A_TRANSLATION))))
def test_what_a_pattern_of_commentary_matches_has_a_sign_of_it(text):
    """The signs are looked for first: one that a pattern does without would be a hole in it."""
    assert commentary._has_sign(folded(text))


@pytest.mark.parametrize(
    "text",
    [
        "Ein Auto (Note: rot).", "Ein Auto\nN.B.: rot", "*Hinweis: rot", "As an AI I don't know.",
        "A large language model",
        "I'm unable to translate this", "I am not able to see it", "I cannot view it", "I can’t provide that",
        "This translation is free", "Hier ist die gewünschte Übersetzung", "Voici une traduction", "Ecco la traduzione",
        "Aquí tienes la traducción", "Hier is de vertaling", "Вот перевод", "Ось переклад", "Zde je překlad",
        "Oto tłumaczenie", "以下是中文翻译", "以下は日本語の翻訳", "Sure, here", "Okay. The answer", "Absolutely! I",
    ],
)  # fmt: skip
def test_each_phrase_of_commentary_has_a_sign(text):
    patterns = (commentary._PREAMBLE, commentary._NOTE, commentary._ABOUT_A_TRANSLATION)
    assert any(pattern.search(text) for pattern in patterns) and commentary._has_sign(folded(text))


def test_capitals_with_a_dot_are_the_same_words():
    assert folded_words("İKİ KEDİ") == folded_words("iki kedi") == ["iki", "kedi"]
