"""What the translate step leaves in the ledger: each answer under its own question, whatever comes back when."""

import hashlib
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from pipeline_examples import recipe_for
from servers_examples import fake

from benchmarks.stand_in_server import STUCK_S, Fault, Request, StandInServer, answer, die
from florenz.pipeline.answers import translation
from florenz.pipeline.answers.graphs import run_translation
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import translation_fingerprint
from florenz.pipeline.answers.questions import TranslationTask
from florenz.pipeline.recipe import Recipe, Translator
from florenz.translators.endpoint import ServerError
from florenz.translators.settings import TranslatorSettings
from florenz.translators.shared_server import SharedServer

LANGUAGES, STYLES = ("de", "fr"), ("short", "detailed")


def told(prompt: str) -> str:
    """An answer that belongs to this prompt alone."""
    return f"answer {hashlib.sha256(prompt.encode()).hexdigest()[:12]}"


def tasks(count: int) -> list[TranslationTask]:
    return [
        TranslationTask(
            key=f"{number // 4:032x}",
            style=STYLES[number % 2],
            language=LANGUAGES[number // 2 % 2],
            source_text=f"a car {number}",
        )
        for number in range(count)
    ]


def recipe_with(out: Path, servers: Sequence[StandInServer], **changes: Any) -> Recipe:
    settings = TranslatorSettings(
        **{"model": "org/m", "prompt": "playground", "max_retries": 1, "backoff_s": 0.01, **changes}
    )
    recipe = recipe_for(out)
    endpoints = tuple(server.endpoint for server in servers)
    return Recipe(**{**vars(recipe), "translator": Translator(settings=settings, endpoints=endpoints)})


def translate(recipe: Recipe, asked: Sequence[TranslationTask]) -> None:
    run_translation(recipe, beam.Create(asked), recipe.translator.running_servers, None)


def in_the_ledger(recipe: Recipe) -> dict[tuple[str, str, str], str | None]:
    """(style, language, source text) -> text."""
    fingerprint, ledger = translation_fingerprint(recipe.translator.settings), Ledger(recipe.out)
    rows = [row for language in LANGUAGES for row in ledger.read_translations(language, fingerprint).values()]
    found = {(row.style, row.language, row.source_text): row.text for row in rows}
    assert len(found) == len(rows)
    return found


def right_answers(asked: Sequence[TranslationTask]) -> dict[tuple[str, str, str], str]:
    return {
        (task.style, task.language, task.source_text): told(f"<s>{task.source_text}<|{task.language}|>")
        for task in asked
    }


@pytest.fixture
def servers() -> Iterator[list[StandInServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(StandInServer("org/m", told)) for _ in range(4)]


class Shuffle:
    """Holds requests back until enough are there, then lets them go in any order; all of them at the end."""

    def __init__(self, num_prompts: int, *, at_once: int) -> None:
        self._rng, self._at_once = random.Random(5), at_once
        self._changed = threading.Condition()
        self._held: list[Request] = []
        self._num_left = num_prompts

    def __call__(self, request: Request) -> Fault:
        return self.hold

    def hold(self, request: Request) -> None:
        with self._changed:
            self._held.append(request)
            self._num_left -= len(request.prompts)
            self._let_go()
            self._changed.wait_for(lambda: request not in self._held, STUCK_S)
        answer(request)

    def _let_go(self) -> None:
        while self._held and (self._num_left == 0 or len(self._held) >= self._at_once):
            self._held.pop(self._rng.randrange(len(self._held)))
            self._changed.notify_all()


def test_ten_thousand_answers_in_any_order_land_on_their_own_questions(
    servers: list[StandInServer], tmp_path: Path
) -> None:
    asked = tasks(10_000)
    order: list[str] = []
    servers[0].rule = Shuffle(len(asked), at_once=8)
    servers[0].answer = lambda prompt: (order.append(prompt), told(prompt))[1]
    recipe = recipe_with(tmp_path, servers[:1], prompts_per_request=50, max_in_flight=8)
    translate(recipe, asked)
    assert order != [f"<s>{task.source_text}<|{task.language}|>" for task in asked], "they came in order"
    assert in_the_ledger(recipe) == right_answers(asked)


def test_an_endpoint_that_dies_loses_no_answer_and_none_is_asked_of_nobody(
    servers: list[StandInServer], tmp_path: Path
) -> None:
    asked = tasks(2_000)
    servers[2].rule = lambda request: die if request.number > 3 else None
    recipe = recipe_with(tmp_path, servers, prompts_per_request=20)
    translate(recipe, asked)
    assert in_the_ledger(recipe) == right_answers(asked)
    assert all(server.answered for server in servers)


def test_a_translator_that_says_the_same_to_all_is_stopped_before_anything_is_kept(
    servers: list[StandInServer], tmp_path: Path
) -> None:
    servers[0].answer = lambda prompt: "Übersetzung"
    servers[0].try_answer = "Übersetzung"
    recipe = recipe_with(tmp_path, servers[:1])
    with pytest.raises(ServerError, match="says the same to 32 different texts"):
        translate(recipe, tasks(500))
    assert in_the_ledger(recipe) == {}


def test_what_gets_nothing_again_does_not_stop_the_step(servers: list[StandInServer], tmp_path: Path) -> None:
    """After `make retry REASON=empty`: if it did, the same command would be stopped there for ever."""
    servers[0].answer = lambda prompt: ""
    recipe = recipe_with(tmp_path, servers[:1])
    translate(recipe, tasks(100))
    assert set(in_the_ledger(recipe).values()) == {""} and len(in_the_ledger(recipe)) == 100


def test_a_server_of_the_worker_s_own_is_asked_before_its_first_answer_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster, where the launcher knows no endpoint that it could ask."""
    with StandInServer("org/m", told) as server:

        class Own:
            def __init__(self, settings: TranslatorSettings) -> None:
                pass

            def endpoint(self) -> str:
                return server.endpoint

        monkeypatch.setattr(translation, "SharedServer", Own)
        recipe = recipe_with(tmp_path / "out", [])
        server.try_answer = " "
        with pytest.raises(ServerError, match="'org/m' at .* has no word for"):
            run_translation(recipe, beam.Create(tasks(8)), (), None)
        assert in_the_ledger(recipe) == {} and server.asked == []
        server.try_answer = "Ein Hund."
        run_translation(recipe, beam.Create(tasks(8)), (), None)
        assert len(in_the_ledger(recipe)) == 8


DIES_ONCE = """
import os, sys
from benchmarks.stand_in_server import StandInServer
is_first = not os.path.exists(sys.argv[2])
print("start", file=open(sys.argv[2], "a"))
server = StandInServer("org/m", port=int(sys.argv[1]))
server.rule = lambda request: (lambda request: os._exit(1)) if is_first and request.number > 3 else None
server.start(); server.wait()
"""


def test_a_server_of_the_worker_s_own_that_dies_is_started_again_and_no_answer_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process under the guard, which the launcher has never heard of."""
    found: list[SharedServer] = []

    def own(settings: TranslatorSettings) -> SharedServer:
        command = fake(DIES_ONCE, str(tmp_path / "starts"))
        found.append(SharedServer(settings, folder=tmp_path / "machine", command=command))
        return found[-1]

    monkeypatch.setattr(translation, "SharedServer", own)
    recipe, asked = recipe_with(tmp_path / "out", [], prompts_per_request=20), tasks(400)
    try:
        run_translation(recipe, beam.Create(asked), (), None)
    finally:
        for server in found:
            server.stop()
    assert (tmp_path / "starts").read_text() == "start\nstart\n"
    answers = in_the_ledger(recipe)
    assert answers.keys() == right_answers(asked).keys() and None not in answers.values()


def test_endpoints_and_one_endpoint_exclude_each_other() -> None:
    settings = TranslatorSettings(model="org/m", prompt="playground")
    with pytest.raises(ValueError, match="both given"):
        Translator(settings=settings, endpoint="http://a:1/v1", endpoints=("http://b:1/v1",))
    with pytest.raises(ValueError, match="'http://b:1/v1' twice"):
        Translator(settings=settings, endpoints=("http://b:1/v1",) * 2)
