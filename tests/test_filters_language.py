"""The decisions about language: whole texts and parts of them, on built-in captions and on human sentence pairs."""

import json

import pytest
from filters_examples import (
    CAPTIONS,
    ENGLISH,
    FEW,
    MANY,
    PAIR_LANGUAGES,
    SHARED,
    english_caption,
    half_translated,
    reason_of,
    sentence_pairs,
    translation,
)  # fmt: skip

from florenz.filters.chain import FilterChain
from florenz.filters.language_match import check_wrong_language, is_confidently_another
from florenz.filters.mixed_language import copied_run, foreign_script_share, split_parts
from florenz.filters.settings import FilterSettings
from florenz.filters.words import folded_words
from florenz.languages.identification import Identified, LanguageIdentifier
from florenz.languages.second_opinion import least_margins, margins

CHAIN = FilterChain()
SETTINGS = FilterSettings()


def share_kept(candidates):
    return sum(verdict.keep for verdict in CHAIN(candidates)) / len(candidates)


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_caption_in_its_language_is_kept(language):
    assert reason_of(translation(CAPTIONS[language], language)) == ""


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_caption_under_any_other_claim_is_rejected(language):
    claims = sorted(set(CAPTIONS) - {language})
    # A third as long as German: claimed Chinese under other claims may also fail for its length.
    reasons = {verdict.reason for verdict in CHAIN([translation(CAPTIONS[language], claim) for claim in claims])}
    assert reasons <= {"wrong_language", "length_ratio"}


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_english_caption_has_to_be_english(language):
    assert reason_of(english_caption(ENGLISH)) == ""
    assert reason_of(english_caption(CAPTIONS[language])) == "wrong_language"


@pytest.mark.parametrize(
    ("top", "own", "keep"),
    [(0.84, 0.05, True), (0.85, 0.05, False), (0.84, 0.03, False), (0.45, 0.04, True), (0.10, 0.0, False)],
)
def test_another_language_needs_confidence_or_a_claim_that_is_next_to_impossible(top, own, keep):
    seen = Identified("nl", top, {"nl": top, "de": own})
    alone = FilterSettings(second_opinion=False)  # the rule of lid.176, before py3langid has a say
    assert check_wrong_language(translation("x"), seen, alone).keep is keep


def test_the_claimed_language_on_top_is_enough_at_any_probability():
    assert check_wrong_language(translation("x"), Identified("de", 0.12, {"de": 0.12}), SETTINGS).keep


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_half_translated_caption_is_rejected(language):
    text = half_translated(ENGLISH, CAPTIONS[language], language)
    assert reason_of(translation(text, language)) in {"mixed_language", "wrong_language", "copied_tail"}


def test_english_half_that_the_source_does_not_have_is_seen_by_language_id():
    text = "Ein rotes Auto steht heute neben einem vehicle that has been left there by their owners"
    verdict = CHAIN([translation(text, source="A red car stands next to a bike, abandoned since last year.")])[0]
    assert (verdict.reason, verdict.detail[:10]) == ("mixed_language", "English at")


def test_copied_run_counts_ordinary_words_only():
    text = "Ein Mann liest the New York Times on a bench"
    candidate = translation(text, source="A man reads the New York Times on a bench")
    assert copied_run(candidate) == (4, 7)  # the, on, a, bench; and Ein Mann liest


def test_names_in_latin_letters_are_no_foreign_script():
    source = "Tom gave Mary a red T-shirt and a DVD."
    assert foreign_script_share(translation("Tom给了Mary一件红色的T恤和一张DVD。", "zh", source=source)) == 0.0
    assert foreign_script_share(translation("Том дал red shirt", "ru", source=source)) == pytest.approx(8 / 14)


def test_foreign_script_is_rejected_in_both_directions():
    assert reason_of(translation("一辆红色的汽车停在 the old garden house", "zh")) == "mixed_language"
    assert reason_of(translation("Ein rotes Auto parkt neben 一座老房子旁边的树", "de")) == "mixed_language"


def test_parts_cover_long_texts_and_leave_short_ones_alone():
    assert split_parts(translation("zwei Hunde spielen")) == []
    assert split_parts(translation("eins zwei drei vier fünf sechs")) == ["eins zwei drei", "vier fünf sechs"]
    assert len(split_parts(translation("wort " * 100))) == 4
    assert split_parts(english_caption("one two three four five six seven")) == []


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def folder(request):
    """Of sentence pairs."""
    return request.param


@pytest.mark.parametrize("language", PAIR_LANGUAGES)
def test_human_translations_are_kept(language, folder):
    pairs = sentence_pairs(language, folder)
    verdicts = CHAIN([translation(text, language, source=english) for english, text in pairs])
    assert sum(not verdict.keep for verdict in verdicts) <= max(1, 0.02 * len(pairs))


@pytest.mark.parametrize("language", PAIR_LANGUAGES)
def test_texts_of_other_languages_are_rejected(language, folder):
    wrong = [
        translation(text, language, source=english)
        for other in PAIR_LANGUAGES
        if other != language
        for english, text in sentence_pairs(other, folder)[:150]
    ]
    assert share_kept(wrong) <= 0.05


@pytest.mark.parametrize("language", PAIR_LANGUAGES)
def test_half_translated_pairs_are_rejected(language, folder):
    pairs = sentence_pairs(language, folder)
    halves = [translation(half_translated(*pair, language), language, pair[0]) for pair in pairs]
    assert share_kept(halves) <= 0.2


def test_human_english_captions_are_kept():
    path = SHARED / "photos" / "captions.jsonl"
    if not path.is_file():
        pytest.skip("shared photo captions are absent: captions.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert share_kept([english_caption(caption) for row in rows for caption in row["captions_en"]]) >= 0.98


@pytest.mark.parametrize("language", PAIR_LANGUAGES)
def test_no_kept_text_that_lid_is_sure_of_lacks_a_margin(language, folder):
    texts = [text for other in PAIR_LANGUAGES for _, text in sentence_pairs(other, folder)[:60]]
    verdicts = CHAIN([translation(text, language, source="") for text in texts])
    least_near, least_other = least_margins(language)
    for text, verdict, seen in zip(texts, verdicts, LanguageIdentifier().identify(texts), strict=True):
        if verdict.keep and is_confidently_another(seen, language, SETTINGS):
            found = margins(text, language, folded_words(text))
            assert found.odds_to_neighbours >= least_near and found.to_others >= least_other, (text, seen)


@pytest.mark.parametrize(
    ("language", "source", "text"),
    [
        ("af", "I was drunk.", "Ek was dronk."),
        ("af", "Here is your bag.", "Jou handsak is hier."),
        ("nl", "Blood is red.", "Bloed is rood."),
        ("oc", "This is my question.", "Es la mea question."),
        ("la", "I kept the cheese in the cellar.", "Servavi caseum in cella."),
    ],
)
def test_words_that_english_has_too_make_no_text_english(language, source, text):
    assert LanguageIdentifier().identify([text])[0].language in ("en", "nl", "la")
    assert reason_of(translation(text, language, source=source)) == ""


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Kot.", "pl"),
        ("Кот.", "ru"),
        ("En kat.", "da"),
        ("Mačka.", "sk"),
        ("Kass.", "et"),
        ("Cath.", "cy"),
        ("猫。", "ja"),
    ],
)
def test_a_word_alone_is_kept_if_py3langid_takes_it_for_one_of_the_language(text, language):
    assert reason_of(translation(text, language, source="A cat.")) == ""


@pytest.mark.parametrize(("text", "language"), [("Кот.", "pl"), ("A dog.", "ru"), ("猫。", "de"), ("Ein Hut", "ru")])
def test_a_word_alone_in_another_script_is_not(text, language):
    assert reason_of(translation(text, language, source="A cat.")) != ""


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("A BMW X5 stands outside a McDonald's.", "BMW X5 стоит у McDonald's.", "ru"),
        ("A Mercedes-Benz in front of a hotel.", "سيارة Mercedes-Benz أمام فندق.", "ar"),
        ("Visit www.example.com for details.", "详情请访问www.example.com。", "zh"),
        ("Visit https://example.com for more photos.", "Weitere Fotos gibt es auf https://example.com.", "de"),
        ("Sunset at the beach #sunset", "Закат на пляже #sunset", "ru"),
        ("Sunset at the beach 🌅 #sunset #beach", "Atardecer en la playa 🌅 #sunset #beach", "es"),
        ("Follow us on Instagram @coolpics #travel", "Siga-nos no Instagram @coolpics #travel", "pt"),
        ("Speed limit 50 km/h.", "Tempolimit 50 km/h.", "de"),
    ],
)
def test_addresses_hashtags_units_and_names_with_marks_in_them_stay_as_they_are(source, text, language):
    assert reason_of(translation(text, language, source=source)) == ""


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("What're you watching?", "What're вы смотрите?", "ru"),
        ("There's no mistake.", "There's 错误。", "zh"),
        ("Tom's dog barked.", "Tom's 狗叫。", "zh"),
        ("Sunset at the beach #beach", "Atardecer at the beach #beach", "es"),
    ],
)
def test_english_beside_them_does_not(source, text, language):
    assert reason_of(translation(text, language, source=source)) != ""


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ein Mann fährt heute mit dem busy street belebte Wege entlang, neben einem gelben Bus.", "de"),
        ("Un homme en chemise bleue roule à vélo busy street rue animée à côté d'un bus jaune.", "fr"),
    ],
)
def test_two_words_amid_the_text_that_are_english_alone_are_told(text, language):
    source = "A man rides a bicycle down a busy street next to a yellow bus."
    verdict = FilterChain()([translation(text, language, source=source)])[0]
    assert verdict.reason == "mixed_language" and "'busy street'" in verdict.detail
    lenient = FilterChain(FilterSettings(max_copied_words=3))
    assert lenient([translation(text, language, source=source)])[0].keep


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("A man is eating a hot dog.", "Ein Mann isst einen Hot Dog.", "de"),
        ("A hot dog.", "Un hot dog.", "es"),
        ("A golden retriever runs on the beach.", "Un golden retriever court sur la plage.", "fr"),
        ('She said "good morning" to us today.', "Sie hat heute „good morning“ zu uns gesagt.", "de"),
    ],
)
def test_loans_of_two_words_and_quotations_stay(source, text, language):
    assert reason_of(translation(text, language, source=source)) == ""
