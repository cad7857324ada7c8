"""The only place that reads what a server sent: every text leaves it without the user's keys (see secrets.py).

It is also where a reply is bounded, in bytes on the wire, in bytes once unpacked, and in depth: httpx by itself reads
whatever comes, and unpacks a kilobyte to as many megabytes as somebody packed into it.

A test reads the other files of this room and fails when one of them reads a reply by itself.
"""

import zlib
from collections.abc import Callable
from typing import Any

import httpx

from florenz.limits.errors import TooLarge
from florenz.limits.reading import depth_of
from florenz.limits.table import Limits
from florenz.translators.secrets import scrubbed, scrubber

ACCEPTED = "gzip, deflate"  # what is unpacked here, piece by piece; httpx would offer what it finds installed
_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_ABOUT_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class NotJson(ValueError):
    """The body is no JSON, or JSON that can't be loaded."""


class ReplyTooLarge(ValueError):
    """The reply was left at a limit; the message says at which. Nothing of the reply is repeated."""


async def received(http: httpx.AsyncClient, request: httpx.Request, max_bytes: int) -> httpx.Response:
    """The response with its whole body, unpacked.

    Raises:
        ReplyTooLarge: more than `max_bytes`, packed or unpacked. httpx.HTTPError.
    """
    response = await http.send(request, stream=True)
    try:
        content = await _content(response, max_bytes)
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.raw if name.decode().lower() not in _ABOUT_THE_BODY]
    return httpx.Response(response.status_code, headers=headers, content=content, request=request)


async def _content(response: httpx.Response, max_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", *_WINDOW):
        raise httpx.DecodingError(f"packed as {encoding!r}, which was not asked for")
    unpacker = zlib.decompressobj(_WINDOW[encoding]) if encoding in _WINDOW else None
    pieces: list[bytes] = []
    room, room_packed = max_bytes, max_bytes
    async for packed in response.aiter_raw():
        room_packed -= len(packed)
        try:
            piece = unpacker.decompress(packed, room + 1) if unpacker else packed
        except zlib.error as error:
            raise httpx.DecodingError(f"not {encoding}") from error
        room -= len(piece)
        if min(room, room_packed) < 0:
            raise ReplyTooLarge(str(TooLarge("a reply", None, max_bytes, "bytes", "[limits] reply_bytes")))
        pieces.append(piece)
    if unpacker and not unpacker.eof:
        raise httpx.DecodingError(f"{encoding} that is cut off")
    return b"".join(pieces)


def reply_json(response: httpx.Response, *, max_depth: int = Limits.reply_depth) -> Any:
    """The body, every string at any depth scrubbed. Raises NotJson, ReplyTooLarge for one that goes too deep."""
    try:
        value = response.json()
        if depth_of(value, max_depth) > max_depth:
            raise ReplyTooLarge(str(TooLarge("a reply", None, max_depth, "levels", "[limits] reply_depth")))
        return _scrubbed_within(value, scrubber())
    except ReplyTooLarge:
        raise
    except (ValueError, RecursionError) as error:
        problem = type(error).__name__
    raise NotJson(problem)  # out here, so that no traceback drags along an error that holds the body


def reply_text(response: httpx.Response) -> str:
    """The body as text, scrubbed."""
    try:
        return scrubbed(response.text)
    except (UnicodeError, TypeError, AssertionError):  # charset=hex and other codecs that are none for texts
        return "a body in no encoding of texts"


def fault_in_words(error: httpx.HTTPError) -> str:
    """Kind and first line of an error. Scrubbed, because httpx repeats header lines that it finds illegal."""
    return f"{type(error).__name__}: {scrubbed(str(error)).partition(chr(10))[0]}"


def _scrubbed_within(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_scrubbed_within(item, scrub) for item in value]
    if isinstance(value, dict):
        return {scrub(name): _scrubbed_within(item, scrub) for name, item in value.items()}
    return value
