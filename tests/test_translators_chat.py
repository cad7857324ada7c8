"""Servers that have chat and nothing else: one conversation a request, standard fields, the same faults and rules."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.stand_in_server import Fault, Request, StandInServer, script, status
from florenz.pipeline.answers.makers import translation_fingerprint
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError
from florenz.translators.prompts import HARMLESS_TEXT, render_problems
from florenz.translators.settings import TranslatorSettings

POISON = "poison"


def last_line(prompt: str) -> str:
    return prompt.rpartition("\n")[2].upper()


def only_chat(request: Request) -> Fault | None:
    """As hosted servers are."""
    return None if request.path == "/v1/chat/completions" else status(404)


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m", last_line) as running:
        running.rule = only_chat
        yield running


def settings_of(**changes: Any) -> TranslatorSettings:
    return TranslatorSettings(**{"model": "m", "api": "chat", "max_retries": 2, **changes})


def client_of(server: StandInServer, **changes: Any) -> Client:
    async def no_sleep(seconds: float) -> None:
        pass

    return Client(server.endpoint, "m", settings_of(**changes), sleep=no_sleep)


def test_each_text_is_a_conversation_of_its_own_and_gets_its_own_answer(server: StandInServer) -> None:
    texts = [f"text {number}" for number in range(300)]
    answers = client_of(server, max_in_flight=40).translate(texts, "de")
    assert answers == [Answer(text=text.upper(), finish_reason="stop") for text in texts]
    assert len(server.bodies) == 300


def test_a_chat_request_holds_standard_fields_and_what_the_family_asks_of_the_template(server: StandInServer) -> None:
    client_of(server, max_tokens=9, seed=4, stop=("END",)).translate(["a red car"], "de")
    (body,) = server.bodies
    (turn,) = body.pop("messages")
    assert turn["role"] == "user" and turn["content"].endswith("\n\na red car") and "into German" in turn["content"]
    assert body == {
        "model": "m", "max_tokens": 9, "seed": 4, "temperature": 0.0, "top_p": 1.0, "stop": ["END"],
        "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip


def test_a_server_that_knows_no_templates_is_told_nothing_of_them(server: StandInServer) -> None:
    client_of(server, template_options=False).translate(["a red car"], "de")
    assert not server.bodies[0].keys() & {"chat_template_kwargs", "repetition_penalty", "add_special_tokens", "top_k"}


def test_what_a_model_must_be_asked_with_is_sent_even_so(server: StandInServer) -> None:
    client_of(server, prompt="hunyuan_mt", model="m").translate(["a red car"], "de")
    body = server.bodies[0]
    assert (body["top_k"], body["repetition_penalty"], body["add_generation_prompt"]) == (20, 1.05, False)


def test_the_key_of_the_environment_goes_with_it(server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", "sk-0123456789")
    client_of(server).translate(["a"], "de")
    assert server.headers[0]["Authorization"] == "Bearer sk-0123456789"


def test_one_text_that_is_refused_costs_itself_alone(server: StandInServer) -> None:
    refusal = status(400, b'{"error": {"message": "too long"}}')
    server.rule = lambda request: refusal if POISON in request.prompts[0] else None
    answers = client_of(server).translate(["a", POISON, "b"], "de")
    assert [answer.reason for answer in answers] == ["", "translator_refused", ""]
    assert answers[1].detail == "HTTP 400: too long"
    assert any(HARMLESS_TEXT in prompt for prompt in server.asked), "the server was cleared of suspicion first"


def test_a_server_that_refuses_every_field_is_told_in_one_line(server: StandInServer) -> None:
    server.rule = lambda request: status(400, b'{"error": {"message": "unknown field chat_template_kwargs"}}')
    with pytest.raises(ServerError, match="unknown field chat_template_kwargs; check that it serves chat for 'm'"):
        client_of(server).translate(["a"], "de")


def test_faults_of_the_server_are_waited_out(server: StandInServer) -> None:
    server.rule = script(status(503), status(429))
    assert client_of(server).translate(["a"], "de")[0].text == "A"


def test_a_model_that_only_thought_has_answered_with_nothing(server: StandInServer) -> None:
    def without_content(request: Request) -> None:
        message = {"role": "assistant", "content": None, "reasoning_content": "hm"}
        request.send_json({"choices": [{"index": 0, "message": message, "finish_reason": "length"}]})

    server.rule = lambda request: without_content
    assert client_of(server).translate(["a"], "de") == [Answer(text="", finish_reason="length")]


@pytest.mark.parametrize(
    "choice", [{"index": 0}, {"index": 0, "message": {"content": 3}}, {"index": 0, "message": "x"}]
)
def test_a_reply_that_is_no_answer_is_that_of_its_text(server: StandInServer, choice: dict[str, Any]) -> None:
    def broken(request: Request) -> None:
        request.send_json({"choices": [choice]})

    server.rule = lambda request: broken if POISON in request.prompts[0] else None
    (answer,) = client_of(server).translate([POISON], "de")
    assert answer.reason == "translator_bad_reply"


def test_no_tokenizer_is_needed_and_a_raw_family_is_refused_before_the_work() -> None:
    assert render_problems(settings_of(model="nobody/has-this"), ["de", "fr"]) == []
    (line,) = render_problems(settings_of(prompt="alma"), ["de"])
    assert "prompt = 'alma' writes the whole prompt, and api = 'chat' takes turns" in line


def test_a_hosted_model_s_name_may_bear_a_tag() -> None:
    names = ["org/model", "org/model:free", "org/model:8b-q4_K_M", "llama3.2:3b"]
    assert len({translation_fingerprint(settings_of(model=name)) for name in names}) == len(names)
    for wrong in ("org/model:", "org/model:a b", "gs://bucket:1/model", "./model:free"):
        with pytest.raises(ValueError):
            translation_fingerprint(settings_of(model=wrong))


def test_the_way_of_asking_decides_the_answer() -> None:
    chat = settings_of(model="org/m")
    assert translation_fingerprint(chat) != translation_fingerprint(replace(chat, api="completions"))
    assert translation_fingerprint(chat) != translation_fingerprint(replace(chat, template_options=False))
    with pytest.raises(ValueError, match="api is 'chats': choose completions or chat"):
        settings_of(api="chats")
