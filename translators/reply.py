"""The only place that reads what a server sent: every text leaves it without the user's keys (see secrets.py).

A test reads the other files of this room and fails when one of them reads a reply by itself.
"""

from collections.abc import Callable
from typing import Any

import httpx

from florenz.translators.secrets import scrubbed, scrubber


class NotJson(ValueError):
    """The body is no JSON, or JSON that can't be loaded."""


def reply_json(response: httpx.Response) -> Any:
    """The body, every string at any depth scrubbed. Raises NotJson."""
    try:
        return _scrubbed_within(response.json(), scrubber())
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
