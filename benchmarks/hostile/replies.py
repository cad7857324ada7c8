"""What a server may answer: bombs, bodies without end, nonsense, and codes for the terminal."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile.place import MODEL, Done, Place, case, fault
from benchmarks.stand_in_server import Fault, Request, Rule, completions, no_fault


def reply_with(content: bytes, status: int = 200, **headers: str) -> Fault:
    return lambda request: request.send(content, status, **headers)


def always(fault: Fault) -> Rule:
    return lambda request: fault


@case
def gzip_bomb(place: Place) -> Iterator[tuple[Done, str]]:
    """2 GiB of zeros in 2 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    zeros = bytes(1 << 24)
    bomb = b"".join([*(packer.compress(zeros) for _ in range(128)), packer.flush()])
    for encoding, word in (("gzip", "reply_bytes"), ("br", "packed as")):
        faulty = reply_with(bomb, Content_Encoding=encoding)
        place.server.rule = always(faulty)
        done = place.run()
        yield done, fault(done, 1, word)


@case
def endless_body(place: Place) -> Iterator[tuple[Done, str]]:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        piece = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(8192):
                request.wfile.write(piece)
        request.close_connection = True

    place.server.rule = lambda request: endless
    done = place.run()
    yield done, fault(done, 1, "more than 8,388,608 bytes", "raise [limits] reply_bytes")


@case
def endless_list_of_models(place: Place) -> Iterator[tuple[Done, str]]:
    place.server.describe = reply_with(b'{"data": [' + b'{"id": "x"},' * (1 << 22) + b"]}")
    done = place.run()
    yield done, fault(done, 2, "raise [limits] reply_bytes")


@case
def deep_json(place: Place) -> Iterator[tuple[Done, str]]:
    for depth, status in ((900, 200), (900, 400)):
        body = (
            b'{"error": {"message": ' + b"[" * depth + b"]" * depth + b'}, "choices": ' + b"[" * 50 + b"]" * 50 + b"}"
        )
        place.server.rule = always(reply_with(body, status))
        done = place.run()
        yield done, fault(done, 1, "fails on a harmless prompt too")


@case
def wild_numbers(place: Place) -> Iterator[tuple[Done, str]]:
    for number in ("1e999", "9" * 5000):
        body = '{"choices": [{"index": 0, "text": "x"}], "usage": {"completion_tokens": ' + number + "}}"
        faulty = reply_with(body.encode(), Retry_After=number[:200])
        place.server.rule = always(faulty)
        done = place.run()
        yield done, fault(done, 1, "fails on a harmless prompt too")


@case
def models_without_names(place: Place) -> Iterator[tuple[Done, str]]:
    for models in ('[{"id": 1}]', '[{"id": null}]'):
        place.server.describe = reply_with(b'{"data": ' + models.encode() + b"}")
        done = place.run()
        yield done, fault(done, 2, "is no list of models")


@case
def endpoints_that_are_none(place: Place) -> Iterator[tuple[Done, str]]:
    for endpoint in ("http://127.0.0.1:1\x7f/v1", "http://a\x1b[2Jb/v1"):
        done = place.run(f"ENDPOINT={endpoint}")
        yield done, fault(done, 2, "is no URL") or ("\x1b" in done.said and "an escape code reached the screen" or "")


@case
def escape_codes(place: Place) -> Iterator[tuple[Done, str]]:
    """In an error's words, a model's name and a translation."""
    code = "\x1b[2J\x1b]0;owned\x07\u202e\r\nflorenz: all is well\x9b"
    place.server.rule = lambda request: lambda one: one.send_json({"error": {"message": code}}, 400)
    done = place.run()
    yield done, fault(done, 1, "owned") or unescaped(done)
    place.server.rule = no_fault
    place.server.model = code
    done = place.run()
    yield done, fault(done, 2, "owned") or unescaped(done)
    place.server.model = MODEL
    place.server.rule = lambda request: lambda one: one.send_json(completions([code for _ in one.prompts]))
    done = place.run()
    yield done, fault(done, 0) or unescaped(done, Path(done.out, "REPORT.md").read_text())


def unescaped(done: Done, report: str = "") -> str:
    found = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.said + report)
    if found:
        return f"{found.group()!r} reached the screen"
    return "a server's line end made a message of its own" if "\nflorenz: all is well" in done.said else ""
