"""Replies that are bombs, that never end, that go too deep or say nonsense: a limit, one line, nothing kept of them."""

import contextlib
import json
import re
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.stand_in_server import Fault, Request, StandInServer, completions
from florenz.limits.table import Limits
from florenz.translators.answer import Answer
from florenz.translators.answered import retry_after_s
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError, check_endpoint, list_models, normal_endpoint
from florenz.translators.settings import TranslatorSettings

MIB = 1 << 20
SMALL = Limits(reply_bytes=100_000)


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m", lambda prompt: "gut") as stand_in:
        yield stand_in


def client(server: StandInServer, limits: Limits = SMALL, **settings: Any) -> Client:
    async def no_sleep(seconds: float) -> None:
        pass

    chosen: dict[str, Any] = {"model": "m", "prompt": "playground", "max_retries": 1, "max_tokens": 16, **settings}
    return Client(server.endpoint, "m", TranslatorSettings(**chosen), limits=limits, sleep=no_sleep)


def packed(size: int, window: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


def poisoned(fault: Fault) -> Any:
    return lambda request: fault if any("poison" in prompt for prompt in request.prompts) else None


def sent(content: bytes, status: int = 200, **headers: str) -> Fault:
    return lambda request: request.send(content, status, **headers)


def endless(request: Request) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(20_000):
            request.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
    request.close_connection = True


@pytest.mark.parametrize(
    "fault",
    [
        sent(packed(256 * MIB, zlib.MAX_WBITS | 16), Content_Encoding="gzip"),
        sent(packed(256 * MIB, zlib.MAX_WBITS), Content_Encoding="deflate"),
        sent(packed(256 * MIB, zlib.MAX_WBITS | 16), 400, Content_Encoding="gzip"),
        sent(b" " * (64 * MIB)),
        sent(b" " * (64 * MIB), 500),
        endless,
    ],
    ids=["gzip", "deflate", "gzip of an error", "long", "long error", "endless"],
)
def test_a_reply_beyond_the_limit_costs_its_own_item_and_little_memory(server: StandInServer, fault: Fault) -> None:
    server.rule = poisoned(fault)
    asking = client(server)
    tracemalloc.start()
    try:
        good, bad = asking.translate(["a", "poison"], "de")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert good.text == "gut"
    assert bad.reason == "translator_bad_reply" and bad.text == ""
    assert (
        bad.detail
        == "a reply has more than 100,000 bytes, the limit (raise [limits] reply_bytes in the recipe if it is sound)"
    )
    assert peak < (100 if fault in () else 140) * MIB, "the server's own 64 MiB are counted too"


def test_the_limit_rises_with_what_is_asked_for(server: StandInServer) -> None:
    """Long answers to many prompts are no attack: max_tokens and prompts_per_request say how much may come."""
    server.answer = lambda prompt: "gut " * 2000
    asking = client(server, Limits(reply_bytes=10), prompts_per_request=8, max_tokens=2000)
    found = asking.translate([f"text {number}" for number in range(8)], "de")
    assert all(len(answer.text) > 7000 for answer in found)


def test_a_packed_reply_within_the_limit_is_read(server: StandInServer) -> None:
    def gzipped(request: Request) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        content = json.dumps(completions(["gut"])).encode()
        request.send(packer.compress(content) + packer.flush(), Content_Encoding="gzip")

    server.rule = lambda request: gzipped
    assert client(server).translate(["a"], "de") == [Answer(text="gut", finish_reason="stop")]
    assert all(headers["Accept-Encoding"] == "gzip, deflate" for headers in server.headers)


@pytest.mark.parametrize("encoding, content", [("br", b"x"), ("zstd", b"x"), ("gzip", b"no gzip"), ("gzip", b"")])
def test_a_reply_packed_otherwise_is_the_servers_fault(server: StandInServer, encoding: str, content: bytes) -> None:
    server.rule = lambda request: sent(content, Content_Encoding=encoding)
    with pytest.raises(ServerError, match="DecodingError"):
        client(server).translate(["a"], "de")


def test_a_reply_cut_off_inside_gzip_is_the_servers_fault(server: StandInServer) -> None:
    server.rule = lambda request: sent(packed(MIB, zlib.MAX_WBITS | 16)[:-20], Content_Encoding="gzip")
    with pytest.raises(ServerError, match="that is cut off"):
        client(server, Limits()).translate(["a"], "de")


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500])
@pytest.mark.parametrize("depth", [40, 900, 100_000])
def test_json_that_goes_deep_is_one_line(server: StandInServer, status: int, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    server.rule = poisoned(sent(b'{"error": {"message": %s}, "choices": %s}' % (nested, nested), status))
    try:
        answer = client(server, Limits()).translate(["poison"], "de")[0]
        assert answer.reason in ("translator_bad_reply", "translator_refused", "translator_failed")
    except ServerError as problem:
        assert status in (404, 429) and "\n" not in str(problem)


NUMBERS = ["1e999", "-1e999", "NaN", "9" * 5000, '"x"', "[[]]", "-1", "1.5", "1" + "0" * 20]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_count_of_tokens_that_is_none_costs_its_own_item(server: StandInServer, number: str) -> None:
    body = '{"choices": [{"index": 0, "text": "x"}], "usage": {"completion_tokens": ' + number + "}}"
    server.rule = poisoned(sent(body.encode()))
    assert client(server).translate(["poison"], "de")[0].reason == "translator_bad_reply"


@pytest.mark.parametrize("place", ["index", "text", "finish_reason", "choices", "usage"])
@pytest.mark.parametrize("value", ["1e999", "null", "[]", "{}", "true", '"\\ud800"', "-7"])
def test_a_field_of_any_kind_is_an_answer_or_a_reason(server: StandInServer, place: str, value: str) -> None:
    choice = {"index": "0", "text": '"x"', "finish_reason": '"stop"', place: value}
    inside = "{" + ", ".join(f'"{name}": {choice[name]}' for name in ("index", "text", "finish_reason")) + "}"
    choices = value if place == "choices" else f"[{inside}]"
    usage = value if place == "usage" else "{}"
    server.rule = poisoned(sent(f'{{"choices": {choices}, "usage": {usage}}}'.encode()))
    (answer,) = client(server).translate(["poison"], "de")
    assert bool(answer.text) != bool(answer.reason)


@pytest.mark.parametrize("header", ["nan", "inf", "-1", "9" * 300, "Thu, 01 Jan 0001 00:00:00 GMT", "\xff", "1e999"])
def test_whatever_retry_after_says_is_a_number_of_seconds(header: str) -> None:
    assert retry_after_s(header) >= 0


@pytest.mark.parametrize(
    "models", ['[{"id": 1}]', '[{"id": null}]', "[null]", '{"id": 1}', "7", '[{"id": ["x"]}]', "[" * 5000, "[{}]"]
)
def test_models_without_names_are_one_line(server: StandInServer, models: str) -> None:
    server.describe = sent(b'{"data": ' + models.encode() + b"}")
    with pytest.raises(ServerError, match=r"its /models is no list of models|more than 32 levels") as caught:
        check_endpoint(server.endpoint, "m")
    assert "\n" not in str(caught.value)


def test_a_long_list_of_models_is_cut_in_the_message(server: StandInServer) -> None:
    server.describe = sent(json.dumps({"data": [{"id": f"{n}" + "x" * 5000} for n in range(100)]}).encode())
    with pytest.raises(ServerError, match="and 90 more") as caught:
        check_endpoint(server.endpoint, "other")
    assert len(str(caught.value)) < 3000
    with pytest.raises(ServerError, match="reply_bytes"):
        list_models(server.endpoint, limits=SMALL)


@pytest.mark.parametrize(
    "endpoint",
    ["http://a\x7f/v1", "http://a\x1b[2Jb/v1", "http://[::1/v1", "http://a b/v1", "http://a/\x00", "http://\ud800/v1",
     "http://" + "a" * 70_000, "http://a:99999/v1", "http://a:-1/v1", "http://%/v1"],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_one_line(endpoint: str) -> None:
    try:
        normal_endpoint(endpoint)
    except ValueError as problem:
        assert re.search(r"is no URL", str(problem)) and str(problem).isprintable()
