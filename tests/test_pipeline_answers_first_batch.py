"""A model that does not work is noticed before its answers are kept; one that works is never taken for one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image
from pipeline_examples import MODELS

from benchmarks.stand_in_server import TRIES, StandInServer
from florenz.captioners.contract import Answer, CaptionerError
from florenz.captioners.florence2 import Settings
from florenz.captioners.vision_chat import Settings as VisionSettings
from florenz.captioners.vision_chat.model import VisionChat
from florenz.limits.table import Limits
from florenz.pipeline import asking
from florenz.pipeline.answers.captioning import forget_captioner, load_captioner
from florenz.pipeline.answers.first_batch import (
    TEXTS,
    FirstCaptions,
    FirstTranslations,
    NoWord,
    prove,
    prove_translator,
    prove_translators,
    said_to_texts,
)
from florenz.pipeline.answers.ledger import CaptionRow
from florenz.pipeline.budget import UNLIMITED
from florenz.pipeline.routing import Translator
from florenz.pipeline.run import Run
from florenz.pipeline.serving import Serving
from florenz.recipes.recipe_file import RecipeError
from florenz.translators.answer import Answer as Translation
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError
from florenz.translators.settings import TranslatorSettings
from florenz.translators.stream import Question

SETTINGS = Settings(model="org/model")


class Captioner:
    """Says what `words` says about a picture's mean brightness."""

    def __init__(self, words: Any) -> None:
        self._words = words

    def prepare(self, picture: Image.Image) -> float:
        return sum(picture.convert("L").resize((1, 1)).getdata())

    def caption(self, prepared: Sequence[float], styles: Sequence[Sequence[str]]) -> list[Mapping[str, Answer]]:
        return [
            {style: Answer(text=self._words(grey)) for style in wanted}
            for grey, wanted in zip(prepared, styles, strict=True)
        ]


def rows(*texts: str | None) -> list[CaptionRow]:
    return [
        CaptionRow(key=f"{number:032}", style="short", text=text, reason="" if text is not None else "broken_image")
        for number, text in enumerate(texts)
    ]


def test_a_captioner_without_a_word_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(CaptionerError, match="'org/model' has no word for a picture, in any of short, detailed"):
        prove(Captioner(lambda grey: ""), SETTINGS)
    prove(Captioner(lambda grey: "a picture" if grey < 200 else ""), SETTINGS)


def test_the_playground_s_captioner_passes() -> None:
    load_captioner(Settings(model=str(MODELS / "captioner"), cpu_threads=1))
    forget_captioner()


@pytest.mark.parametrize("text", ["", "a red car"])
def test_a_captioner_that_says_the_same_to_every_picture_is_stopped(text: str) -> None:
    first = FirstCaptions(Captioner(lambda grey: text), SETTINGS)
    with pytest.raises(CaptionerError, match="says the same to every picture .* 8 times, style short") as caught:
        first.check(rows(*[text] * 8, None))
    assert "\n" not in str(caught.value)


def test_pictures_that_are_alike_are_no_fault_of_the_captioner() -> None:
    """The frames of a film: the probes get another caption."""
    FirstCaptions(Captioner(lambda grey: f"grey {grey:.0f}"), SETTINGS).check(rows(*["a car park at night"] * 32))


def test_few_equal_captions_prove_nothing_and_later_batches_are_not_looked_at() -> None:
    first = FirstCaptions(Captioner(lambda grey: "same"), SETTINGS)
    first.check(rows(*["same"] * 7))
    first.check(rows("same", "other"))
    first.check(rows(*["same"] * 32))


def test_small_batches_count_together_and_each_style_for_itself() -> None:
    """As with batch_size = 4, and one style whose prompt the model has no answer for."""
    first = FirstCaptions(Captioner(lambda grey: ""), SETTINGS)
    both = [[*rows("a", "b", "c", "d"), *(replace(row, style="detailed") for row in rows(*[""] * 4))] for _ in range(2)]
    first.check(both[0])
    with pytest.raises(CaptionerError, match="8 times, style detailed"):
        first.check(both[1])


def test_pictures_that_are_alike_are_asked_about_once() -> None:
    probes: list[float] = []
    first = FirstCaptions(Captioner(lambda grey: probes.append(grey) or f"grey {grey:.0f}"), SETTINGS)
    for _ in range(5):
        first.check(rows(*["a car park at night"] * 32))
    assert len(probes) == 3


def asked(count: int, language: str = "de", first: int = 0) -> list[Question]:
    return [Question(text=f"text {first + number}", language=language) for number in range(count)]


def saying(text: str) -> FirstTranslations:
    """Of a model that says this to TEXTS."""
    return FirstTranslations("org/model", lambda language: [{text}])


@pytest.mark.parametrize("text", ["", "Ein Auto."])
def test_a_translator_that_says_the_same_to_every_text_is_stopped(text: str) -> None:
    with pytest.raises(ServerError, match="'org/model' says the same to 16 different texts .*, de"):
        saying(text).check(asked(16), [Translation(text=text)] * 16)


def test_small_lists_count_together_as_those_of_a_chat_which_hold_one_text_each() -> None:
    first = saying("Ein Auto.")
    for number in range(15):
        first.check(asked(1, first=number), [Translation(text="Ein Auto.")])
        first.check(asked(1, "fr", first=number), [Translation(text=f"Une voiture {number}.")])
    with pytest.raises(ServerError, match="16 different texts .*, de"):
        first.check(asked(1, first=15), [Translation(text="Ein Auto.")])


@pytest.mark.parametrize("said", [[{"Ein Hund.", "Ein Haus."}], [{"Ein Hund."}], [set(), {"Ein Hund."}]])
def test_texts_that_get_the_same_from_a_model_that_works_are_no_fault_of_it(said: list[set[str]]) -> None:
    """As those that are asked again because they got nothing, and get nothing again."""
    probed: list[str] = []
    first = FirstTranslations("org/model", lambda language: probed.append(language) or said)
    for start in (0, 16):
        first.check(asked(16, first=start), [Translation(text="")] * 16)
    assert probed == ["de"], "once"


def test_one_of_several_servers_that_says_the_same_to_all_is_enough() -> None:
    first = FirstTranslations("org/model", lambda language: [{"Ein Hund.", "Ein Haus."}, {"Ein Auto."}])
    with pytest.raises(ServerError, match="says the same"):
        first.check(asked(16), [Translation(text="Ein Auto.")] * 16)


def test_a_text_that_is_asked_often_gets_the_same_answer_and_that_is_right() -> None:
    same = [Question(text="a red car", language="de")] * 64
    saying("ein rotes Auto").check(same, [Translation(text="ein rotes Auto")] * 64)


def test_each_language_is_looked_at_until_it_has_two_answers() -> None:
    first = saying("Text")
    first.check(asked(16), [Translation(text=f"Text {number}") for number in range(16)])
    first.check(asked(16), [Translation(text="Text")] * 16)
    with pytest.raises(ServerError, match=", fr"):
        first.check(asked(16, "fr"), [Translation(text="Text")] * 16)


def test_refusals_are_not_taken_for_answers() -> None:
    saying("").check(asked(16), [Translation(text="", reason="translator_refused")] * 16)


def test_the_stand_in_knows_what_is_asked_first() -> None:
    assert TRIES == TEXTS


def test_a_translator_without_a_word_is_refused_before_it_is_paid() -> None:
    with StandInServer("m") as server:
        server.try_answer = ""
        client = Client(server.endpoint, "m", TranslatorSettings(model="m", prompt="playground"))
        with pytest.raises(NoWord, match=f"translator 'm' at {server.endpoint} has no word for 'A dog .*' in de: name"):
            prove_translator(client, ["de", "fr"])
        server.try_answer = "Ein Hund."
        prove_translator(client, ["de", "fr"])


def test_what_a_server_says_to_texts_is_nothing_where_it_is_gone() -> None:
    with StandInServer("m") as server:
        client = Client(server.endpoint, "m", TranslatorSettings(model="m", prompt="playground", max_retries=0))
        assert said_to_texts(client, "de") == {server.try_answer}
    assert said_to_texts(client, "de") == set()


def test_each_of_several_servers_is_asked_before_it_is_paid() -> None:
    settings = TranslatorSettings(model="m", prompt="playground", max_retries=0)
    with StandInServer("m") as first, StandInServer("m") as second:
        clients = [Client(server.endpoint, "m", settings) for server in (first, second)]
        assert prove_translators(clients, ["de"]) == []
        second.try_answer = ""
        with pytest.raises(NoWord, match=f"at {second.endpoint} has no word"):
            prove_translators(clients, ["de"])
        second.stop()
        (failed,) = prove_translators(clients, ["de"])
        assert second.endpoint in failed and "\n" not in failed, "the first answers all the same"
        first.stop()
        with pytest.raises(ServerError):
            prove_translators(clients, ["de"])


def test_a_run_s_servers_are_asked_once_and_the_one_that_is_mute_is_named(tmp_path: Path) -> None:
    settings = TranslatorSettings(model="m", prompt="playground", max_retries=0)
    with StandInServer("m") as first, StandInServer("m") as second:
        endpoints = (first.endpoint, second.endpoint)
        translator = Translator(settings=settings, endpoints=endpoints)
        serving = Serving(translator, tmp_path / "log", is_local=True, limits=Limits())
        second.try_answer = ""
        with pytest.raises(RecipeError, match=second.endpoint):
            serving.prove(endpoints, ("de",))
        second.stop()
        said: list[str] = []
        this = SimpleNamespace(recipe=SimpleNamespace(languages=("de",)), say=said.append, budget=UNLIMITED)
        asking._prove(cast(Run, this), serving, endpoints)
        (line,) = said
        assert (
            line.startswith("warning: ")
            and second.endpoint in line
            and line.endswith("; the other endpoints are asked")
        )
        first.stop()
        assert serving.prove(endpoints, ("de",)) == [], "once in a run"


def test_each_server_of_a_captioner_is_asked() -> None:
    with StandInServer("m", lambda prompt: "A picture.") as sees, StandInServer("m", lambda prompt: "") as blind:
        settings = VisionSettings(model="m", endpoints=(sees.endpoint, blind.endpoint), max_retries=0)
        with pytest.raises(CaptionerError, match=f"'m' at {blind.endpoint} has no word for a picture"):
            prove(VisionChat(settings), settings)
        blind.answer = lambda prompt: "Another."
        prove(VisionChat(settings), settings)
        blind.stop()
        prove(VisionChat(settings), settings)
        assert len(sees.asked) == 3 * 3 * 2, "three pictures in two styles, each time"
