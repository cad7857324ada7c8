"""What was rejected is asked again by itself: whole runs with the tiny captioner and a translator that can be told."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from pipeline_examples import MODELS, instant_answer, recipe_for

from benchmarks.stand_in_server import Request, StandInServer
from florenz.captioners.florence2 import Settings as Captioner
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import caption_fingerprint, translation_fingerprint
from florenz.pipeline.answers.retry import ALL, forget_rejected
from florenz.pipeline.recipe import Recipe, Translator
from florenz.pipeline.report import RunFacts
from florenz.pipeline.run import run
from florenz.playground.world import picture
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.verify import verify
from florenz.translators.settings import TranslatorSettings

pytestmark = pytest.mark.slow  # whole runs, several for each test

NUM_PICTURES = 6
UNTRANSLATED = "empty"  # the reason of a filter
REFUSED = "translator_refused"


@pytest.fixture
def translator() -> Iterator[StandInServer]:
    with StandInServer(str(MODELS / "translator"), instant_answer) as server:
        yield server


@pytest.fixture
def recipe(tmp_path: Path, translator: StandInServer) -> Recipe:
    """Six scenes, a cut-off one, and one style; German and French."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(NUM_PICTURES):
        name, data, _ = picture(11, number)
        (folder / name).write_bytes(data)
    whole = io.BytesIO()  # a BMP: what it lacks shows only when it is decoded
    Image.open(io.BytesIO(picture(11, NUM_PICTURES)[1])).save(whole, "BMP")
    (folder / "cut.bmp").write_bytes(whole.getvalue()[:-1500])
    settings = TranslatorSettings(model=translator.model, prompt="playground", backoff_s=0.01)
    return recipe_for(
        tmp_path / "out",
        folder,
        captioner=Captioner(model=str(MODELS / "captioner"), styles=("short",), cpu_threads=1),
        translator=Translator(settings=settings, endpoint=translator.endpoint),
    )


def go(recipe: Recipe, retry: str | None = None) -> RunFacts:
    return run(recipe, say=print, retry=retry)


def reasons_of(facts: RunFacts, step: str) -> dict[str, dict[str, int]]:
    return facts.manifest.rejected.get(step, {})


def test_a_text_that_a_filter_dropped_is_asked_again_and_nothing_else(
    recipe: Recipe, translator: StandInServer
) -> None:
    undisturbed = go(replace(recipe, out=recipe.out + "-undisturbed"))
    poisoned = next(prompt for prompt in translator.asked if "<|fr|>" in prompt)
    translator.answer = lambda prompt: "" if prompt == poisoned else instant_answer(prompt)
    facts = go(recipe)
    assert reasons_of(facts, "filter")[UNTRANSLATED] == {"fr": 1}

    translator.forget()
    assert go(recipe).asked["translations"] == 0, "a rerun does not ask again"
    translator.answer = instant_answer
    facts = go(recipe, retry=UNTRANSLATED)
    assert translator.asked == [poisoned] and facts.asked == {"captions": 0, "translations": 1}
    assert facts.manifest.shards == undisturbed.manifest.shards and facts.manifest.build == undisturbed.manifest.build
    assert verify(recipe.out).problems == ()


def test_a_retry_without_a_reason_asks_for_all_that_was_rejected(recipe: Recipe, translator: StandInServer) -> None:
    translator.answer = lambda prompt: "" if "<|de|>" in prompt else instant_answer(prompt)
    go(recipe)
    translator.answer = instant_answer
    translator.forget()
    facts = go(recipe, retry=ALL)
    assert facts.asked == {"captions": 1, "translations": NUM_PICTURES}, "the cut-off picture, and all German texts"
    assert all("<|de|>" in prompt for prompt in translator.asked) and "filter" not in facts.manifest.rejected
    assert reasons_of(facts, "caption") == {"truncated_image": {"en": 1}}, "asked again, and still cut off"


def test_a_reason_in_the_ledger_is_asked_again_by_its_name(recipe: Recipe, translator: StandInServer) -> None:
    go(recipe)
    translator.forget()
    facts = go(recipe, retry="truncated_image")
    assert facts.asked == {"captions": 1, "translations": 0} and translator.asked == []


def test_a_reason_that_nothing_has_is_refused_and_nothing_is_forgotten(recipe: Recipe) -> None:
    go(recipe)
    before = ledger_of(recipe)
    with pytest.raises(RecipeError, match=r"REASON.*'tuncated_image'; reasons here: truncated_image \(1\)$"):
        go(recipe, retry="tuncated_image")
    assert ledger_of(recipe) == before


def test_a_picture_that_could_not_be_read_is_read_again(recipe: Recipe, translator: StandInServer) -> None:
    whole = go(recipe).manifest
    hidden = sorted(Path(recipe.images.source).glob("scene*"))[0]
    content = hidden.read_bytes()

    def vanish(request: Request) -> None:
        hidden.unlink(missing_ok=True)

    translator.rule = vanish  # after it was captioned, before the shards are written
    out = replace(recipe, out=recipe.out + "-2")
    assert reasons_of(go(out), "write")["unreadable_file"] == {"": 1}
    hidden.write_bytes(content)
    translator.recover()
    assert reasons_of(go(out), "write")["unreadable_file"] == {"": 1}, "a rerun finds nothing new in the ledger"
    facts = go(out, retry="unreadable_file")
    assert facts.asked == {"captions": 0, "translations": 0} and "unreadable_file" not in reasons_of(facts, "write")
    assert facts.manifest.counts == whole.counts and verify(out.out).problems == ()
    assert go(out).manifest.counts == whole.counts


def test_without_a_run_there_is_nothing_to_retry(recipe: Recipe) -> None:
    retried = forget_rejected(recipe, Ledger(recipe.out), ALL)
    assert str(retried).startswith("nothing") and (retried.captions, retried.translations, retried.images) == (0, 0, 0)


def ledger_of(recipe: Recipe) -> list[object]:
    ledger = Ledger(recipe.out)
    print_of_translator = translation_fingerprint(recipe.translator.settings)
    translations = [ledger.read_translations(language, print_of_translator) for language in recipe.languages]
    return [ledger.read_captions(caption_fingerprint(recipe.captioner)), *translations]
