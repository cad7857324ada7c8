"""What the models still have to be asked: all that has no answer, and nothing else."""

from dataclasses import replace
from pathlib import Path

from pipeline_examples import MODELS, caption_row, recipe_for, text_of, translation_row

from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import caption_fingerprint, makers_of, translation_fingerprint
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.recipe import Recipe

A, B = "a" * 32, "b" * 32
IMAGES = {B: "b.jpg", A: "a.jpg"}


def answers_of(recipe: Recipe) -> CurrentAnswers:
    return CurrentAnswers(Ledger(recipe.out), makers_of(recipe), styles=recipe.captioner.styles)


def answer_captions(recipe: Recipe, *rows: object) -> None:
    Ledger(recipe.out).append_captions(caption_fingerprint(recipe.captioner), rows)  # type: ignore[arg-type]


def answer_translations(recipe: Recipe, language: str, *rows: object) -> None:
    fingerprint = translation_fingerprint(recipe.translator.settings)
    Ledger(recipe.out).append_translations(language, fingerprint, rows)  # type: ignore[arg-type]


def asked(recipe: Recipe) -> list[tuple[str, str, str]]:
    tasks = answers_of(recipe).missing_translations(IMAGES)
    return [(task.language, task.key[0], task.style) for task in tasks]


def test_at_first_every_caption_is_missing_and_no_translation_can_be(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    assert answers_of(recipe).missing_captions(IMAGES) == [
        CaptionTask(key=A, source="a.jpg", styles=("short", "detailed")),
        CaptionTask(key=B, source="b.jpg", styles=("short", "detailed")),
    ]
    assert asked(recipe) == []


def test_an_image_is_asked_for_in_the_styles_that_it_lacks(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    refused = caption_row(B, 0, "detailed", text=None, reason="broken_image")
    answer_captions(recipe, caption_row(A, 0, "short"), caption_row(B, 0, "short"), refused)
    assert answers_of(recipe).missing_captions(IMAGES) == [CaptionTask(key=A, source="a.jpg", styles=("detailed",))]


def test_every_caption_with_a_text_is_asked_for_in_every_language(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    empty, refused = caption_row(B, 0, "short", text=""), caption_row(B, 0, "detailed", text=None, reason="broken")
    answer_captions(recipe, caption_row(A, 0, "short"), caption_row(A, 0, "detailed"), empty, refused)
    assert asked(recipe) == [
        ("de", "a", "detailed"), ("de", "a", "short"), ("fr", "a", "detailed"), ("fr", "a", "short")
    ]  # fmt: skip


def test_what_was_answered_is_not_asked_again_even_if_the_answer_was_no(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    answer_captions(recipe, caption_row(A, 0), caption_row(B, 0))
    answer_translations(recipe, "de", translation_row(A, 0, "de"))
    answer_translations(recipe, "fr", translation_row(B, 0, "fr", text=None, reason="translator_refused"))
    assert asked(recipe) == [("de", "b", "short"), ("fr", "a", "short")]


def test_the_translation_of_an_older_caption_is_no_answer(tmp_path: Path) -> None:
    recipe = replace(recipe_for(tmp_path), languages=("de",))
    answer_captions(recipe, caption_row(A, 0))
    answer_translations(recipe, "de", translation_row(A, 1, "de"))
    (task,) = answers_of(recipe).missing_translations(IMAGES)
    assert task.source_text == text_of(0, "en")


def test_images_and_styles_that_the_run_does_not_have_are_left_alone(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    answer_captions(recipe, caption_row("c" * 32, 0), caption_row(A, 0, "detailed"))
    short_only = replace(recipe, captioner=replace(recipe.captioner, styles=("short",)))
    assert answers_of(short_only).missing_translations(IMAGES) == []


def test_fingerprints_change_with_what_changes_an_answer_and_with_nothing_else(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    captioner, translator = recipe.captioner, recipe.translator.settings
    same = (replace(captioner, batch_size=3), replace(captioner, device="cpu"), replace(captioner, styles=("short",)))
    assert {caption_fingerprint(one) for one in same} == {caption_fingerprint(captioner)}
    others = (replace(captioner, num_beams=3), replace(captioner, revision="abc"), replace(captioner, dtype="float16"))
    assert len({caption_fingerprint(one) for one in (captioner, *others)}) == 4
    assert translation_fingerprint(replace(translator, max_in_flight=9)) == translation_fingerprint(translator)
    assert translation_fingerprint(replace(translator, prompt="chat")) != translation_fingerprint(translator)
    assert translation_fingerprint(replace(translator, model=str(MODELS / "translator"))) != translation_fingerprint(
        translator
    )
