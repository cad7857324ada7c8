"""The client against a stand-in server that misbehaves on command: the network edge is all that is not real."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.stand_in_server import (
    STUCK_S,
    Fault,
    Request,
    Rule,
    StandInServer,
    answer,
    completions,
    drip,
    reset,
    script,
    status,
)
from florenz.translators.answer import Answer
from florenz.translators.answered import retry_after_s
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError, check_endpoint, list_models, normal_endpoint
from florenz.translators.settings import TranslatorSettings

POISON = "poison"


def shout(prompt: str) -> str:
    """Translates "<s>x<|de|>" to "X"."""
    return f" {prompt.removeprefix('<s>').partition('<|')[0].upper()}\n"


def shouted(prompts: list[str]) -> dict[str, Any]:
    return completions([shout(prompt) for prompt in prompts])


def reordered(order: Callable[[list[Any]], list[Any]]) -> Fault:
    """The right answers, listed in another order."""

    def reply(request: Request) -> None:
        record = shouted(request.prompts)
        request.send_json({**record, "choices": order(record["choices"])})

    return reply


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m", shout) as running:
        yield running


def client_of(server: StandInServer, *, waits: list[float] | None = None, **changes: Any) -> Client:
    async def no_sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    chosen = TranslatorSettings(**{"model": "m", "prompt": "playground", "max_retries": 3, **changes})
    return Client(server.endpoint, "m", chosen, sleep=no_sleep, jitter=lambda: 1.0)


def texts_of(answers: list[Answer]) -> list[str]:
    return [answer.text for answer in answers]


def on_poison(fault: Fault) -> Rule:
    return lambda request: fault if any(POISON in prompt for prompt in request.prompts) else None


def refuses(number: int) -> Rule:
    return on_poison(status(number, b'{"error": {"message": "too  long"}}'))


def test_every_text_gets_its_own_answer_in_order_over_several_requests(server: StandInServer) -> None:
    client = client_of(server, prompts_per_request=4)
    texts = [f"text {number}" for number in range(10)]
    answers = client.translate(texts, "de")
    assert answers == [Answer(text=text.upper(), finish_reason="stop") for text in texts]
    assert sorted(len(body["prompt"]) for body in server.bodies) == [2, 4, 4]
    stats = client.stats
    assert (stats.requests, stats.prompts, stats.completion_tokens, stats.retries) == (3, 10, 20, 0)


def test_nothing_to_translate_asks_nobody(server: StandInServer) -> None:
    assert client_of(server).translate([], "de") == [] and not server.bodies


def test_a_request_says_all_that_decides_the_text(server: StandInServer) -> None:
    client_of(server, max_tokens=7, temperature=0.5, top_p=0.9, repetition_penalty=1.1, seed=3).translate(["a"], "de")
    expected = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.1, "seed": 3}
    assert server.bodies == [{"model": "m", "prompt": ["<s>a<|de|>"], "add_special_tokens": False, **expected}]


def test_what_a_family_needs_goes_into_the_request_too(server: StandInServer) -> None:
    client_of(server, prompt="alma", top_k=5, stop=("\n",), stop_token_ids=(2,)).translate(["a"], "de")
    (body,) = server.bodies
    assert body["prompt"] == ["<s>Translate this from English to German:\nEnglish: a\nGerman:"]
    assert {name: body[name] for name in ("top_k", "stop", "stop_token_ids")} == {
        "top_k": 5, "stop": ["\n"], "stop_token_ids": [2],
    }  # fmt: skip


def test_answers_are_matched_by_index_not_by_position(server: StandInServer) -> None:
    server.rule = lambda request: reordered(lambda choices: choices[::-1])
    assert texts_of(client_of(server).translate(["a", "b", "c"], "de")) == ["A", "B", "C"]


@pytest.mark.parametrize("number", [400, 413, 422, 500])
def test_a_refused_prompt_costs_itself_and_no_neighbour(server: StandInServer, number: int) -> None:
    server.rule = refuses(number)
    client = client_of(server)
    answers = client.translate(["a", "b", POISON, "d", "e"], "de")
    assert texts_of(answers) == ["A", "B", "", "D", "E"]
    reason = "translator_failed" if number == 500 else "translator_refused"
    assert answers[2] == Answer(text="", reason=reason, detail=f"HTTP {number}: too long")
    assert client.stats.refused == 1


def test_a_single_refused_prompt_is_blamed_only_after_a_harmless_one_was_answered(server: StandInServer) -> None:
    server.rule = refuses(400)
    assert client_of(server).translate([POISON], "de")[0].reason == "translator_refused"
    assert server.bodies[-1]["prompt"] == ["<s>a red car<|de|>"]


@pytest.mark.parametrize("number", [400, 500])
def test_a_server_that_refuses_everything_is_an_error_not_a_heap_of_rejects(server: StandInServer, number: int) -> None:
    server.rule = lambda request: status(number, b'{"message": "unknown field"}')
    with pytest.raises(ServerError, match="harmless prompt too: HTTP .*unknown field"):
        client_of(server).translate(["a", "b", "c"], "de")


def answered(prompts: list[str]) -> bytes:
    return json.dumps(shouted(prompts)).encode()


BAD_REPLIES: dict[str, Callable[[list[str]], bytes]] = {
    "one answer short": lambda prompts: answered(prompts[:-1]),
    "one answer too many": lambda prompts: answered([*prompts, "x"]),
    "an index that nobody has": lambda prompts: answered(prompts).replace(b'"index": 0', b'"index": 1'),
    "not JSON": lambda prompts: b"<html>gateway</html>",
    "other JSON": lambda prompts: b"[1]",
    "no text": lambda prompts: answered(prompts).replace(b'"text"', b'"message"'),
    "text is null": lambda prompts: json.dumps({"choices": [{"index": 0, "text": None}]}).encode(),
    "half a character": lambda prompts: json.dumps({"choices": [{"index": 0, "text": "\ud83d"}]}).encode(),
}


@pytest.mark.parametrize("bad_reply", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
def test_an_unreadable_reply_costs_the_prompt_that_brings_it(server: StandInServer, bad_reply: Any) -> None:
    server.rule = on_poison(lambda request: request.send(bad_reply(request.prompts)))
    answers = client_of(server).translate(["a", "b", "c", POISON], "de")
    assert texts_of(answers) == ["A", "B", "C", ""]
    assert answers[3].reason == "translator_bad_reply" and answers[3].detail


@given(
    st.lists(st.sampled_from(["fine", "refused", "failed", "garbled"]), max_size=14),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_whoever_is_at_fault_every_other_text_keeps_its_own_answer(
    server: StandInServer, kinds: list[str], prompts_per_request: int, rng: random.Random
) -> None:
    """Any mix of culprits, any batch size, and answers listed in any order."""

    def rule(request: Request) -> Fault:
        for kind, number in (("refused", 400), ("failed", 500), ("garbled", 200)):
            if any(kind in prompt for prompt in request.prompts):
                return status(number, b"<html>")
        return reordered(lambda choices: rng.sample(choices, len(choices)))

    server.rule = rule
    texts = [f"{kind} {number}" for number, kind in enumerate(kinds)]
    answers = client_of(server, prompts_per_request=prompts_per_request, max_retries=0).translate(texts, "de")
    reasons = {"refused": "translator_refused", "failed": "translator_failed", "garbled": "translator_bad_reply"}
    assert [(answer.text, answer.reason) for answer in answers] == [
        (text.upper(), "") if kind == "fine" else ("", reasons[kind]) for kind, text in zip(kinds, texts, strict=True)
    ]


def test_a_text_that_is_no_unicode_costs_itself(server: StandInServer) -> None:
    answers = client_of(server).translate(["a", "broken \ud83d", "c"], "de")
    assert texts_of(answers) == ["A", "", "C"] and answers[1].reason == "translator_refused"


@pytest.mark.parametrize("number", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_waited_out(server: StandInServer, number: int) -> None:
    server.rule = script(status(number), status(number))
    waits: list[float] = []
    client = client_of(server, waits=waits, backoff_s=0.5)
    assert texts_of(client.translate(["a", "b"], "de")) == ["A", "B"]
    assert waits == [0.5, 1.0] and client.stats.retries == 2 and client.stats.requests == 3


def test_a_reset_connection_is_waited_out(server: StandInServer) -> None:
    server.rule = script(reset)
    assert texts_of(client_of(server).translate(["a"], "de")) == ["A"]


def test_the_wait_is_what_the_server_asks_for_but_never_longer_than_a_request_may_take(server: StandInServer) -> None:
    server.rule = script(
        status(429, Retry_After="7"), status(503, Retry_After="86400"), status(503, Retry_After="soon")
    )
    waits: list[float] = []
    client_of(server, waits=waits, request_timeout_s=60).translate(["a"], "de")
    assert waits == [7.0, 60.0, 2.0]


def test_backoff_doubles_up_to_its_limit(server: StandInServer) -> None:
    server.rule = script(*[status(503)] * 5)
    waits: list[float] = []
    client_of(server, waits=waits, max_retries=5, backoff_s=1.0, backoff_max_s=4.0).translate(["a"], "de")
    assert waits == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_past_the_budget_the_run_stops_with_what_to_do(server: StandInServer) -> None:
    server.rule = lambda request: status(503, b'{"error": "engine is down"}')
    client = client_of(server, max_retries=2)
    with pytest.raises(ServerError, match="HTTP 503: engine is down .tried 3 times.*run again") as caught:
        client.translate(["a"], "de")
    assert len(server.bodies) == 3 and "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_an_error_within_the_budget() -> None:
    with StandInServer("m") as closed:
        client = client_of(closed)
    with pytest.raises(ServerError, match="Connect"):
        client.translate(["a"], "de")
    assert client.stats.requests == 4


def test_a_slow_drip_ends_at_the_deadline(server: StandInServer) -> None:
    server.rule = script(drip)
    started = time.monotonic()
    client = client_of(server, request_timeout_s=1.0)
    assert texts_of(client.translate(["a"], "de")) == ["A"] and client.stats.retries >= 1
    assert time.monotonic() - started < STUCK_S / 2, "the drip would go on"


@pytest.mark.parametrize("number", [401, 403, 404, 405, 501, 302])
def test_what_no_waiting_mends_is_an_error_at_once(server: StandInServer, number: int) -> None:
    server.rule = lambda request: status(number, b"", Location="/x")
    with pytest.raises(ServerError, match="API key" if number in (401, 403) else "check the endpoint"):
        client_of(server).translate(["a", "b"], "de")
    assert len(server.bodies) == 1


def test_requests_fly_together_up_to_the_limit(server: StandInServer) -> None:
    together = threading.Barrier(3)
    running: set[Request] = set()
    most_running: list[int] = []

    def wait_for_the_others(request: Request) -> None:
        running.add(request)
        together.wait(STUCK_S)
        most_running.append(len(running))
        together.wait(STUCK_S)
        running.discard(request)
        answer(request)

    server.rule = lambda request: wait_for_the_others
    client_of(server, prompts_per_request=1, max_in_flight=3).translate(list("abcdef"), "de")
    assert most_running == [3] * 6


def test_the_key_from_the_environment_is_sent_and_never_logged(
    server: StandInServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("FLORENZ_API_KEY", "sk-secret")
    caplog.set_level(logging.DEBUG)
    client = client_of(server)
    client.translate(["a"], "de")
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    server.rule = lambda request: status(401, b"wrong key: sk-secret")
    with pytest.raises(ServerError) as caught:
        client.translate(["a"], "de")
    assert "sk-" not in caplog.text + str(caught.value) + repr(client.stats) + repr(vars(client))


def test_a_proxy_from_the_environment_does_not_see_calls_to_this_machine(
    server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert texts_of(client_of(server, max_retries=0).translate(["a"], "de")) == ["A"]


def test_the_preflight_names_what_is_served_and_what_is_not(server: StandInServer) -> None:
    assert list_models(server.endpoint) == ["m"]
    check_endpoint(server.endpoint, "m")
    with pytest.raises(ServerError, match="serves m, not 'other'"):
        check_endpoint(server.endpoint, "other")


def test_the_preflight_says_when_nobody_answers() -> None:
    with StandInServer("m") as closed:
        endpoint = closed.endpoint
    with pytest.raises(ServerError, match=f"{endpoint} is out of reach .*start the server"):
        list_models(endpoint)


def test_an_endpoint_may_lack_its_version_and_nothing_else() -> None:
    assert normal_endpoint("http://host:8000/") == "http://host:8000/v1"
    assert normal_endpoint("https://host/api/v1/") == "https://host/api/v1"
    for wrong in ("host:8000", "ftp://host", "http://", "http://host:99999", "http://host:port"):
        with pytest.raises(ValueError, match="no URL"):
            normal_endpoint(wrong)
    with pytest.raises(ValueError, match="password") as caught:
        normal_endpoint("http://me:hunter2@host/v1")
    assert "hunter2" not in str(caught.value)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert (
        retry_after_s("1.5") == 1.5 and retry_after_s("-3") == 0 and retry_after_s("") == 0 and retry_after_s("x") == 0
    )
    assert retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", lambda: 45.0) == 15.0
