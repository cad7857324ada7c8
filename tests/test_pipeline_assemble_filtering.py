"""What becomes of one image's answers: nothing is lost, nothing is counted twice, nothing withheld gets through."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_examples import caption_row, text_of, translation_row

from florenz.filters.chain import FilterChain
from florenz.languages.identification import LanguageIdentifier
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.books import IN, KEPT, imbalances, rejected
from florenz.pipeline.assemble.covering import CoveredImage, cover
from florenz.pipeline.assemble.filtering import ImageTexts, filter_texts, gather
from florenz.shards.schema import Example

KEY = "0" * 32
STYLES = ("short", "detailed")
LANGUAGES = ("de", "fr")
CHAIN = FilterChain()
CAPTIONER = "captioner (c)"
TRANSLATORS = {"de": ("one translator (a)",), "fr": ("another translator (b)",)}
MADE: dict[str, Any] = {
    "captioners": dict.fromkeys(STYLES, CAPTIONER),
    "translators": TRANSLATORS,
    "identifier": LanguageIdentifier(),
}
MAKERS = {"en": CAPTIONER, "de": "one translator (a)", "fr": "another translator (b)"}
CAPTIONS = [caption_row(KEY, 0, style) for style in STYLES]
TRANSLATIONS = [translation_row(KEY, 0, language, style) for language in LANGUAGES for style in STYLES]


def gathered(captions: list[CaptionRow], translations: list[TranslationRow]) -> ImageTexts:
    return gather(KEY, "a.jpg", captions, translations, styles=STYLES, languages=LANGUAGES)


def judged(
    captions: list[CaptionRow], translations: list[TranslationRow], held_out: tuple[str, ...] = ("fr",)
) -> CoveredImage:
    texts = filter_texts(gathered(captions, translations), CHAIN)
    return cover(
        texts,
        languages=LANGUAGES,
        held_out=held_out,
        captioners=dict.fromkeys(STYLES, CAPTIONER),
        translators=TRANSLATORS,
        identifier=LanguageIdentifier(),
    )


def pairs(image: CoveredImage) -> Counter[tuple[str, str]]:
    return Counter((example.task, example.language) for example in image.examples)


def test_good_answers_become_every_example_that_the_plan_allows() -> None:
    image = judged(CAPTIONS, TRANSLATIONS)
    assert pairs(image) == {
        ("caption", "en"): 2, ("caption", "de"): 2, ("translation", "de"): 2, ("translation", "fr"): 2
    }  # fmt: skip
    assert image.rejects == ()
    assert {caption.style: caption.text for caption in image.captions} == {
        style: text_of(0, "en", style) for style in STYLES
    }


def test_each_text_says_who_made_it_and_how() -> None:
    image = judged(CAPTIONS, TRANSLATIONS)
    for text in [*image.captions, *image.examples, *image.withheld]:
        language = text.language if isinstance(text, Example) else "en"
        assert text.made_by == MAKERS[language]
        assert text.way == ("captioned" if language == "en" else "translated")


def test_a_held_out_language_has_captions_in_the_withheld_alone() -> None:
    image = judged(CAPTIONS, TRANSLATIONS)
    assert ("caption", "fr") not in pairs(image)
    assert {(example.task, example.language) for example in image.withheld} == {("caption", "fr")}
    assert sorted(example.text for example in image.withheld) == sorted(text_of(0, "fr", style) for style in STYLES)


def test_nothing_is_withheld_when_no_language_is_held_out() -> None:
    image = judged(CAPTIONS, TRANSLATIONS, held_out=())
    assert image.withheld == () and pairs(image)["caption", "fr"] == 2


def test_a_text_in_the_held_out_language_is_no_caption_whatever_it_claims_to_be() -> None:
    chain_without_language_id = FilterChain(
        replace(CHAIN.settings, disabled=("wrong_language", "mixed_language", "length_ratio"))
    )
    stray = translation_row(KEY, 0, "de", text=text_of(0, "fr"))
    texts = filter_texts(gathered(CAPTIONS[:1], [stray]), chain_without_language_id)
    image = cover(
        texts,
        languages=LANGUAGES,
        held_out=("fr",),
        captioners=dict.fromkeys(STYLES, CAPTIONER),
        translators=TRANSLATORS,
        identifier=LanguageIdentifier(),
    )
    assert pairs(image)["caption", "de"] == 0
    (reject,) = [reject for reject in image.rejects if reject.step == "cover"]
    assert (reject.language, reject.reason, reject.text) == ("de", "places_in_heldout_language", stray.text)


def test_the_translation_of_an_older_caption_is_not_used() -> None:
    stale = translation_row(KEY, 1, "de")
    texts = gathered([caption_row(KEY, 0)], [stale, translation_row(KEY, 0, "fr")])
    assert set(texts.translations) == {("short", "fr")}
    assert "translate (de): 1 in, 0 kept or rejected" in imbalances(texts.tally)


def test_of_two_translations_the_one_of_the_present_caption_is_used() -> None:
    texts = gathered([caption_row(KEY, 0)], [translation_row(KEY, number, "de") for number in (1, 0, 2)])
    assert texts.translations["short", "de"].text == text_of(0, "de")


@pytest.mark.parametrize("lost", range(len(CAPTIONS)))
def test_a_caption_that_was_never_asked_for_unbalances_the_books(lost: int) -> None:
    captions = [row for place, row in enumerate(CAPTIONS) if place != lost]
    assert imbalances(judged(captions, TRANSLATIONS).tally)[0] == "caption (en): 2 in, 1 kept or rejected"


@pytest.mark.parametrize("lost", range(len(TRANSLATIONS)))
def test_a_translation_that_was_never_asked_for_unbalances_the_books(lost: int) -> None:
    translations = [row for place, row in enumerate(TRANSLATIONS) if place != lost]
    language = TRANSLATIONS[lost].language
    assert f"translate ({language}): 2 in, 1 kept or rejected" in imbalances(judged(CAPTIONS, translations).tally)


def test_answers_without_a_text_are_rejects_with_the_models_reason() -> None:
    captions = [caption_row(KEY, 0), caption_row(KEY, 0, "detailed", text=None, reason="broken_image", detail="cut")]
    translations = [
        translation_row(KEY, 0, "de", text=None, reason="translator_refused", detail="too long"),
        translation_row(KEY, 0, "fr"),
    ]
    image = judged(captions, translations)
    assert not imbalances(_without_write(image))
    told = {(reject.step, reject.language, reject.style, reject.reason, reject.detail) for reject in image.rejects}
    assert told == {
        ("caption", "en", "detailed", "broken_image", "cut"),
        ("translate", "de", "short", "translator_refused", "too long"),
    }


def test_a_filtered_english_caption_takes_its_translations_along() -> None:
    cut = caption_row(KEY, 0, finish_reason="length")
    image = judged([cut, CAPTIONS[1]], TRANSLATIONS)
    assert [caption.style for caption in image.captions] == ["detailed"]
    orphans = [reject for reject in image.rejects if reject.reason == "no_english_caption"]
    assert sorted(reject.language for reject in orphans) == ["de", "fr"]
    assert {example.style for example in image.examples} == {"detailed"}


def test_an_image_without_any_example_is_a_reject_of_its_own() -> None:
    captions = [caption_row(KEY, 0, style, text=None, reason="broken_image") for style in STYLES]
    image = judged(captions, [])
    assert image.examples == () and image.withheld == ()
    assert image.rejects[-1].reason == "no_examples" and image.rejects[-1].source == "a.jpg"
    assert not imbalances(image.tally)


def test_answers_in_styles_and_languages_outside_the_recipe_are_left_alone() -> None:
    strangers = [caption_row(KEY, 0, "detailed")]
    texts = gather(KEY, "a.jpg", [*CAPTIONS[:1], *strangers], TRANSLATIONS, styles=("short",), languages=("de",))
    assert set(texts.captions) == {"short"} and set(texts.translations) == {("short", "de")}
    assert texts.tally == {
        ("caption", "en", IN): 1, ("caption", "en", KEPT): 1, ("translate", "de", IN): 1, ("translate", "de", KEPT): 1
    }  # fmt: skip


TEXTS = st.one_of(
    st.sampled_from([text_of(n, language) for n in range(3) for language in ("en", "de", "fr")]),
    st.sampled_from(["", " ", "Как дела?", "a a a a a a a a a a", "### Sure! Here is the translation:"]),
    st.text(max_size=30),
)


@st.composite
def caption_rows(draw: st.DrawFn) -> list[CaptionRow]:
    """Every style has an answer: a text of any kind, or a reason."""
    rows = []
    for style in STYLES:
        text = draw(st.one_of(st.none(), TEXTS))
        finish_reason = draw(st.sampled_from(["stop", "length", ""]))
        reason = "" if text is not None else "broken_image"
        rows.append(caption_row(KEY, 0, style, text=text, reason=reason, finish_reason=finish_reason))
    return rows


@st.composite
def all_rows(draw: st.DrawFn) -> tuple[list[CaptionRow], list[TranslationRow]]:
    captions = draw(caption_rows())
    translations = []
    for caption in captions:
        for language in LANGUAGES:
            text = draw(st.one_of(st.none(), TEXTS))
            translations.append(
                translation_row(
                    KEY, 0, language, caption.style, source_text=caption.text or "", text=text,
                    reason="" if text is not None else "translator_refused",
                )
            )  # fmt: skip
    return captions, draw(st.permutations(translations))


@settings(max_examples=150, deadline=None)
@given(all_rows(), st.sampled_from([(), ("fr",), ("de", "fr")]))
def test_the_books_balance_whatever_the_models_answer(
    rows: tuple[list[CaptionRow], list[TranslationRow]], held_out: tuple[str, ...]
) -> None:
    image = judged(*rows, held_out=held_out)
    assert not imbalances(_without_write(image))
    rejects = Counter((reject.step, reject.language, rejected(reject.reason)) for reject in image.rejects)
    counted = Counter({entry: n for entry, n in image.tally.items() if entry[2] not in (IN, KEPT)})
    assert rejects == counted
    assert not [example for example in image.examples if example.task == "caption" and example.language in held_out]


def _without_write(image: CoveredImage) -> Counter[tuple[str, str, str]]:
    """A sample counts as kept only when its shard is written."""
    if not image.examples:
        return image.tally
    return Counter({entry: number for entry, number in image.tally.items() if entry[0] != "write"})
