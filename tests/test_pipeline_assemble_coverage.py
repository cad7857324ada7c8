"""Which examples an image may give: above all, never a caption in a held-out language."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.assemble.coverage import (
    NO_ENGLISH_CAPTION,
    PLACES_IN_HELDOUT_LANGUAGE,
    plan_examples,
    withheld_examples,
)
from florenz.shards.schema import Example

LANGUAGES = ("de", "fr", "es")
CAPTIONS = {"short": "A bat.", "detailed": "A bat hangs in a tree."}
TRANSLATIONS = {
    ("short", "de"): "Eine Fledermaus.",
    ("short", "fr"): "Une chauve-souris.",
    ("detailed", "de"): "Eine Fledermaus hängt im Baum.",
}
AS_ASKED = {(style, language): language for style in ("short", "detailed") for language in ("en", *LANGUAGES)}


def caption(language: str, style: str, text: str) -> Example:
    return Example(task="caption", language=language, style=style, text=text)


def translation(language: str, style: str, text: str) -> Example:
    return Example(
        task="translation", language=language, style=style, text=text, source_language="en", source_text=CAPTIONS[style]
    )


def test_an_image_gives_captions_then_translations_by_language_then_style() -> None:
    plan = plan_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out={"fr", "es"}, identified=AS_ASKED)
    assert plan.rejects == ()
    assert plan.examples == (
        caption("en", "short", "A bat."),
        caption("en", "detailed", "A bat hangs in a tree."),
        caption("de", "short", "Eine Fledermaus."),
        caption("de", "detailed", "Eine Fledermaus hängt im Baum."),
        translation("de", "short", "Eine Fledermaus."),
        translation("de", "detailed", "Eine Fledermaus hängt im Baum."),
        translation("fr", "short", "Une chauve-souris."),
    )


def test_languages_come_in_the_order_of_the_recipe_not_of_the_alphabet() -> None:
    plan = plan_examples(
        {"short": "A bat."},
        {("short", "de"): "d", ("short", "fr"): "f"},
        languages=("fr", "de"),
        held_out=(),
        identified={},
    )
    assert [example.language for example in plan.examples] == ["en", "fr", "de", "fr", "de"]


def test_the_order_of_the_answers_does_not_matter() -> None:
    plans = {
        plan_examples(CAPTIONS, dict(order), languages=LANGUAGES, held_out={"fr"}, identified=AS_ASKED).examples
        for order in permutations(TRANSLATIONS.items())
    }
    assert len(plans) == 1


def test_the_withheld_captions_are_exactly_those_in_held_out_languages() -> None:
    withheld = withheld_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out={"fr", "es"})
    assert withheld == (caption("fr", "short", "Une chauve-souris."),)


def test_a_caption_that_reads_as_a_held_out_language_is_dropped_but_its_translation_stays() -> None:
    identified = {**AS_ASKED, ("short", "de"): "fr"}
    plan = plan_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out={"fr"}, identified=identified)
    (reject,) = plan.rejects
    assert (reject.task, reject.language, reject.style, reject.reason) == (
        "caption",
        "de",
        "short",
        PLACES_IN_HELDOUT_LANGUAGE,
    )
    assert reject.text == "Eine Fledermaus." and "fr" in reject.detail
    assert caption("de", "short", "Eine Fledermaus.") not in plan.examples
    assert translation("de", "short", "Eine Fledermaus.") in plan.examples


def test_an_english_caption_that_reads_as_a_held_out_language_is_dropped_too() -> None:
    identified = {**AS_ASKED, ("short", "en"): "fr"}
    plan = plan_examples(CAPTIONS, {}, languages=LANGUAGES, held_out={"fr"}, identified=identified)
    assert [example.style for example in plan.examples] == ["detailed"]
    assert [reject.language for reject in plan.rejects] == ["en"]


def test_reading_as_another_language_that_is_not_held_out_is_not_the_business_of_coverage() -> None:
    identified = {**AS_ASKED, ("short", "de"): "nl"}
    plan = plan_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out={"fr"}, identified=identified)
    assert plan.rejects == ()


def test_an_unidentified_text_never_passes_for_a_checked_one() -> None:
    with pytest.raises(KeyError):
        plan_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out={"fr"}, identified={})


def test_nothing_needs_identifying_when_nothing_is_held_out() -> None:
    plan = plan_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out=(), identified={})
    assert caption("fr", "short", "Une chauve-souris.") in plan.examples
    assert withheld_examples(CAPTIONS, TRANSLATIONS, languages=LANGUAGES, held_out=()) == ()


def test_a_translation_whose_english_caption_was_dropped_is_a_reject() -> None:
    plan = plan_examples(
        {"detailed": "A bat hangs in a tree."}, TRANSLATIONS, languages=LANGUAGES, held_out={"fr"}, identified=AS_ASKED
    )
    assert [(reject.style, reject.language, reject.reason) for reject in plan.rejects] == [
        ("short", "de", NO_ENGLISH_CAPTION),
        ("short", "fr", NO_ENGLISH_CAPTION),
    ]
    assert all(example.style == "detailed" for example in plan.examples)
    assert withheld_examples({}, TRANSLATIONS, languages=LANGUAGES, held_out={"fr"}) == ()


@pytest.mark.parametrize(
    ("held_out", "translations"),
    [
        ("fr", {}),  # a string would hold out by substring
        (("it",), {}),  # held out of nothing
        ((), {("short", "it"): "Un pipistrello."}),  # an answer in a language nobody asked for
    ],
)
def test_a_plan_that_contradicts_its_recipe_is_a_bug(held_out: tuple[str, ...], translations: dict) -> None:
    with pytest.raises(AssertionError):
        plan_examples(CAPTIONS, translations, languages=LANGUAGES, held_out=held_out, identified=AS_ASKED)


styles = st.sampled_from(["short", "detailed", "alt", "long"])
languages = st.sampled_from(["de", "fr", "es", "ru", "zh"])


@st.composite
def images(draw: st.DrawFn) -> dict:
    targets = draw(st.lists(languages, min_size=1, unique=True))
    pairs = st.tuples(styles, st.sampled_from(targets))
    captions = draw(st.dictionaries(styles, st.text(max_size=4), max_size=4))
    translations = draw(st.dictionaries(pairs, st.text(max_size=4)))
    read_as = st.sampled_from(["en", "it", *targets])
    identified = {pair: draw(read_as) for pair in [*translations, *((style, "en") for style in captions)]}
    return {
        "captions": captions,
        "translations": translations,
        "languages": targets,
        "held_out": draw(st.sets(st.sampled_from(targets))),
        "identified": identified,
    }


@given(images())
def test_no_caption_is_ever_in_or_reads_as_a_held_out_language(image: dict) -> None:
    plan = plan_examples(**image)
    for example in plan.examples:
        if example.task == "caption":
            assert example.language not in image["held_out"]
            assert image["identified"][example.style, example.language] not in image["held_out"]


@given(images())
def test_the_books_balance(image: dict) -> None:
    plan = plan_examples(**image)
    withheld = withheld_examples(**{name: part for name, part in image.items() if name != "identified"})
    captions = [example for example in plan.examples if example.task == "caption"]
    translations = [example for example in plan.examples if example.task == "translation"]
    misplaced = [reject for reject in plan.rejects if reject.reason == PLACES_IN_HELDOUT_LANGUAGE]
    orphans = [reject for reject in plan.rejects if reject.reason == NO_ENGLISH_CAPTION]
    assert len(translations) + len(orphans) == len(image["translations"])
    assert len(captions) + len(misplaced) + len(withheld) == len(image["captions"]) + len(translations)
    assert all(example.language in image["held_out"] for example in withheld)
    assert all(example.source_text == image["captions"][example.style] for example in translations)
