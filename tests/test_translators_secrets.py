"""No text of a server brings a key back: a small real server repeats the Authorization header everywhere."""

import ast
import base64
import html
import json
import logging
import sys
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.stand_in_server import Request, StandInServer
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.crash import TAIL_BYTES, crash_reason
from florenz.translators.endpoint import ServerError, check_endpoint, list_models
from florenz.translators.secrets import SECRET_VARIABLES, api_key, scrubbed
from florenz.translators.server import Server
from florenz.translators.settings import TranslatorSettings

CORE = "Zq7KernelOfTheKey9x"  # in every spelling but base64, and in no other text
KEY = f"""sk-{CORE}/a+b=c&"d'e<f>g\\h"""
POISON = "poison"
ROOM = Path(__file__).resolve().parents[1] / "translators"

Echo = Callable[[str, str], bytes]  # Authorization header, body of the request -> the whole reply, as it is on the wire


class EchoServer(StandInServer):
    """Replies with what `echo` makes of the request, whatever was asked for."""

    echo: Echo

    def __init__(self) -> None:
        super().__init__("m")
        self.rule = lambda request: self.reply
        self.describe = self.reply

    def reply(self, request: Request) -> None:
        request.send_raw(self.echo(request.headers.get("Authorization", ""), json.dumps(request.body)))


def on_the_wire(status: int, body: str, *, reason: str = "Sorry", kind: str = "text/plain") -> bytes:
    lines = (f"HTTP/1.1 {status} {reason}", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}")
    return "\r\n".join((*lines, "Connection: close", "", body)).encode()


def translation(text: str, finish_reason: str = "stop", num_tokens: Any = 1) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": finish_reason}
    return on_the_wire(200, json.dumps({"choices": [choice], "usage": {"completion_tokens": num_tokens}}))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLORENZ_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as echo_server:
        yield echo_server


def translate(server: EchoServer, text: str = "a") -> Answer:
    async def no_sleep(seconds: float) -> None:
        pass

    chosen = TranslatorSettings(model="m", prompt="playground", max_retries=1)
    return Client(server.endpoint, "m", chosen, sleep=no_sleep).translate([text], "de")[0]


def complaint(call: Callable[[], object]) -> str:
    """All that anybody could print of the ServerError: its words, and the traceback with every error before it."""
    with pytest.raises(ServerError) as caught:
        call()
    return repr(caught.value) + "".join(traceback.format_exception(caught.value))


def assert_masked(text: str) -> None:
    assert "[secret]" in text and CORE not in text and "sk-" not in text


BODIES: dict[str, tuple[str, Callable[[str], str]]] = {
    "message": ("application/json", lambda words: json.dumps({"error": {"message": f"unknown header {words}"}})),
    "slashes escaped": ("application/json", lambda words: json.dumps({"error": words}).replace("/", "\\/")),
    "headers as an object": (
        "application/json",
        lambda words: json.dumps({"error": {"message": [{"Authorization": words}]}}),
    ),
    "key as a name": ("application/json", lambda words: json.dumps({"error": {"message": {words: 1}}})),
    "JSON as text": ("text/plain", lambda words: "headers: " + json.dumps({"Authorization": words})),
    "plain text": ("text/plain", lambda words: f"bad header: {words}"),
    "HTML": ("text/html", lambda words: f"<html><body>{html.escape(words)}</body></html>"),
    "a link": ("text/html", lambda words: f"<a href='/?auth={urllib.parse.quote(words, safe='')}'>"),
    "cut off in its middle": ("text/plain", lambda words: "x" * 275 + words),
}


@pytest.mark.parametrize("status", [302, 400, 404, 422, 429, 500])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_an_error_that_repeats_the_headers_does_not_repeat_the_key(server: EchoServer, status: int, body: Any) -> None:
    kind, words = body
    server.echo = lambda authorization, _: on_the_wire(status, words(authorization), kind=kind)
    assert_masked(complaint(lambda: translate(server)))


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_the_detail_of_a_reject_holds_no_key(server: EchoServer, status: int, body: Any) -> None:
    kind, words = body

    def refuse_poison(authorization: str, request: str) -> bytes:
        return on_the_wire(status, words(authorization), kind=kind) if POISON in request else translation("fine")

    server.echo = refuse_poison
    answer = translate(server, POISON)
    assert answer.reason and answer.detail.startswith(f"HTTP {status}")
    assert_masked(repr(answer))


@pytest.mark.parametrize(
    "garbled",
    [
        lambda words: on_the_wire(200, f"<html>{words}"),
        lambda words: on_the_wire(200, words + "x" * 80),
        lambda words: on_the_wire(200, "x" * 68 + words),  # the detail cuts it at 80
        lambda words: translation("fine", num_tokens=words),
        lambda words: translation(words + "\ud83d"),
    ],
    ids=["not JSON", "key first", "key cut", "no number", "half a character"],
)
def test_a_garbled_reply_is_reported_without_the_key(server: EchoServer, garbled: Any) -> None:
    def garble_poison(authorization: str, request: str) -> bytes:
        return garbled(authorization) if POISON in request else translation("fine")

    server.echo = garble_poison
    answer = translate(server, POISON)
    assert answer.reason == "translator_bad_reply" and "sk-" not in answer.detail and CORE not in repr(answer)


def test_a_translation_and_its_finish_reason_hold_no_key(server: EchoServer) -> None:
    server.echo = lambda authorization, _: translation(f"your key: {authorization}", authorization)
    assert translate(server) == Answer(text="your key: Bearer [secret]", finish_reason="Bearer [secret]")


def test_a_reply_in_no_encoding_of_texts_is_an_error_like_any_other(server: EchoServer) -> None:
    server.echo = lambda authorization, _: on_the_wire(404, authorization, kind="text/html; charset=hex")
    assert CORE not in complaint(lambda: translate(server))


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_a_reason_phrase_is_neither_reported_nor_logged_with_the_key(
    server: EchoServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.echo = lambda authorization, _: on_the_wire(status, "{}", reason=authorization)
    said = complaint(lambda: list_models(server.endpoint)) + caplog.text
    assert_masked(said)


def test_a_header_line_that_is_none_is_reported_without_the_key(server: EchoServer) -> None:
    server.echo = lambda authorization, _: f"HTTP/1.1 200 OK\r\nbad line {authorization}\r\n\r\n".encode()
    for call in (lambda: translate(server), lambda: list_models(server.endpoint)):
        assert_masked(complaint(call))


def models(*names: str) -> bytes:
    return on_the_wire(200, json.dumps({"data": [{"id": name} for name in names]}))


def test_the_names_of_models_hold_no_key(server: EchoServer) -> None:
    server.echo = lambda authorization, _: models("m", authorization)
    assert list_models(server.endpoint) == ["m", "Bearer [secret]"]
    assert_masked(complaint(lambda: check_endpoint(server.endpoint, "other")))


def test_a_model_whose_name_holds_the_dummy_key_is_found(server: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", "ollama")
    server.echo = lambda authorization, _: models("ollama/m")
    check_endpoint(server.endpoint, "ollama/m")


def test_a_key_is_sent_without_the_white_space_around_it(server: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", " \n")
    monkeypatch.setenv("OPENAI_API_KEY", " four\r\n")
    server.echo = lambda authorization, _: translation(authorization)
    assert translate(server).text == "Bearer four"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert api_key() is None and translate(server).text == ""


@pytest.mark.parametrize("wrong", [f"{CORE}\nX-Other: 1", f"{CORE}é", f"{CORE}\x7f", f"{CORE}\udcff"])
def test_a_key_that_no_header_can_carry_is_refused_in_one_line_that_names_the_variable(
    server: EchoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str
) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", wrong)
    own = Server(TranslatorSettings(model="m", prompt="playground"), tmp_path / "log")
    for call in (
        lambda: translate(server),
        lambda: check_endpoint(server.endpoint, "m"),
        own.start,
    ):
        with pytest.raises((ServerError, ValueError), match="^FLORENZ_API_KEY holds .*: set it") as caught:
            call()
        assert CORE not in "".join(traceback.format_exception(caught.value)) and "\n" not in str(caught.value)


def test_a_short_key_is_a_word_that_a_translation_may_hold(server: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", "EMPTY")
    server.echo = lambda *_: translation("an EMPTY box")
    assert translate(server).text == "an EMPTY box"


@pytest.mark.parametrize("name", SECRET_VARIABLES)
def test_every_secret_of_the_environment_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "other-secret\n")
    assert scrubbed("my other-secret, my token") == "my [secret], my token"


def test_a_secret_that_holds_another_is_replaced_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", KEY + "-longer")
    assert scrubbed(f"{KEY}-longer {KEY}") == "[secret] [secret]"


def test_texts_without_a_secret_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'C:\\\\path %2F &amp; "sk-" \ud83d ' + CORE
    assert scrubbed(text) == text
    monkeypatch.delenv("FLORENZ_API_KEY")
    assert scrubbed(KEY) == KEY


ENCODERS: tuple[Callable[[str], str], ...] = (
    str,
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: json.dumps(json.dumps(secret))[3:-3],
    lambda secret: "".join(char if char.isalnum() else f"\\u{ord(char):04X}" for char in secret),
    lambda secret: urllib.parse.quote(secret),
    lambda secret: urllib.parse.quote_plus(secret).lower() if secret.islower() else urllib.parse.quote_plus(secret),
    lambda secret: urllib.parse.quote(urllib.parse.quote(secret, safe="")),
    html.escape,
    lambda secret: html.escape(json.dumps(secret)[1:-1]),
    lambda secret: repr(secret)[1:-1],
    lambda secret: repr(secret.encode())[2:-1],
)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40), st.sampled_from(ENCODERS))
@settings(max_examples=300, deadline=None)
def test_a_secret_is_found_in_every_usual_spelling(
    monkeypatch: pytest.MonkeyPatch, secret: str, encode: Callable[[str], str]
) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", secret)
    assert scrubbed(f"é {encode(secret)} é") == "é [secret] é"


@given(st.binary(max_size=5), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
@settings(deadline=None)
def test_a_secret_is_found_within_base64(before: bytes, encode: Callable[[bytes], bytes]) -> None:
    encoded = encode(before + KEY.encode() + b":x").decode()
    left, mask, right = scrubbed(encoded).partition("[secret]")
    assert mask and len(left) * 6 <= (len(before) + 1) * 8 and len(right) <= 8  # less than a character remains


def test_what_a_dead_server_said_last_is_reported_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", f"hf_{CORE}")
    program = "import os; raise ValueError('x' * 270 + ' bad token ' + os.environ['HF_TOKEN'])"
    chosen = TranslatorSettings(model="m", prompt="playground", startup_timeout_s=300)
    with Server(chosen, tmp_path / "log", command=lambda port: [sys.executable, "-c", program]) as own:
        said = complaint(own.wait_ready)
    assert "bad token [secret" in said and "hf_" not in said and CORE in (tmp_path / "log").read_text()


def test_the_tail_of_a_log_does_not_begin_with_half_a_secret(tmp_path: Path) -> None:
    log = tmp_path / "log"
    whole = f"bad key {KEY}"
    log.write_text(whole + "\n" + " " * (TAIL_BYTES - 10))
    assert crash_reason(log) == ""
    log.write_text(whole)
    assert crash_reason(log) == "bad key [secret]"


OURS = ("answer", "question", "self.question", "text.question")
ALLOWED = ("response.headers.get('Retry-After', '')", "fault_in_words(error)")


def reads_past_the_scrubber(source: str) -> set[str]:
    """Names of what holds a reply's words (the text of our own Answer or Question is another thing), and of HTTP errors
    put into words."""
    code = ast.unparse(ast.parse(source))  # one way of writing
    for allowed in ALLOWED:
        code = code.replace(allowed, "None")
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in OURS:
            found |= {node.attr} & {"text", "json", "content", "reason_phrase", "headers", "aread", "iter_lines"}
        elif isinstance(node, ast.ExceptHandler) and node.type and node.name and "httpx." in ast.unparse(node.type):
            found |= {node.name} & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_only_one_file_reads_what_a_server_sent(path: Path) -> None:
    assert bool(reads_past_the_scrubber(path.read_text())) == (path.name == "reply.py")


@pytest.mark.parametrize(
    "line",
    [
        "x = response.text",
        "x = (await http.get(url)).json()",
        "x = response.headers['Server']",
        "try: pass\nexcept httpx.HTTPError as error: print(f'{error}')",
    ],
)
def test_a_file_that_reads_a_reply_itself_is_noticed(line: str) -> None:
    assert reads_past_the_scrubber(line)
