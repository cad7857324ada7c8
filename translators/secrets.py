"""The user's keys: which variables hold them, and how they are kept out of what a server says.

A server may repeat whatever it was sent: the body of a 400 that echoes the request's headers is enough. What it says
ends in the ledger, in rejects, in the report and on the screen, so each of its texts passes `scrubbed` first (reply.py
does that, and nobody else reads a reply).
"""

from __future__ import annotations

import base64
import functools
import html
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import NoReturn

DOTS = "••••••"
API_KEY_VARIABLES = ("FLORENZ_API_KEY", "OPENAI_API_KEY")
HUB_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
SECRET_VARIABLES = (*API_KEY_VARIABLES, "VLLM_API_KEY", *HUB_VARIABLES)
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")  # a name, as MY_KEY; few keys are capitals with a _ between
MAX_VARIABLE_CHARS = 64
MIN_SECRET_CHARS = 6
MASK = "[secret]"


class Secret:
    """A key of the environment. Whatever prints, formats, logs or stores it gets dots; `reveal` is for a header alone.

    It can be neither pickled nor copied into JSON, so it travels into no worker, recipe or report.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def from_environment(cls, name: str) -> Secret | None:
        """What the variable holds, without the white space around it; None where that is nothing."""
        value = os.environ.get(name, "").strip()
        return cls(value) if value else None

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return DOTS

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(DOTS, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: read it from the environment where it is needed")


_NAMED: dict[str, None] = {}  # variables that a recipe names, and that this process has read


def variable_problems(label: str, variable: str) -> list[str]:
    """What is wrong with the name of a variable; nothing of it is repeated, since it may be the key itself."""
    if not variable or (VARIABLE.fullmatch(variable) and len(variable) <= MAX_VARIABLE_CHARS):
        return []
    return [f"{label} is the name of an environment variable, as MY_SERVERS_KEY, and never the key: write that name"]


def secret_variables() -> tuple[str, ...]:
    """All that may hold a key."""
    return (*SECRET_VARIABLES, *_NAMED)


def api_key(variable: str = "") -> Secret | None:
    """The first key that is set and not blank; None without one. variable: that of this server alone, which must be
    set; "": any of the usual.

    Raises ValueError, one line that names the variable and never the value, for what no HTTP header can carry.
    """
    if variable:
        _NAMED[variable] = None
        if Secret.from_environment(variable) is None:
            raise ValueError(
                f"{variable}, which the recipe names as key_variable, is not set: set it to the server's key"
            )
    for name in (variable,) if variable else API_KEY_VARIABLES:
        if key := Secret.from_environment(name):
            if not (key.reveal().isascii() and key.reveal().isprintable()):
                raise ValueError(f"{name} holds characters that no API key has: set it to the key alone, in one line")
            return key
    return None


def credentials(label: str, uri: str) -> list[str]:
    """A problem if a user name or password stands in a URI. It is not repeated: the message may land in a log."""
    _, has_scheme, rest = uri.partition("://")
    if not has_scheme or "@" not in rest.partition("/")[0]:
        return []
    return [
        f"{label} holds a user name or password, and recipes are copied into the manifest: "
        "take it out and set it in the environment"
    ]


def scrubbed(text: str) -> str:
    """The text with "[secret]" in the place of every secret of the environment.

    Found also with its punctuation escaped (JSON, URL, HTML, a repr of any of these) and within base64. Keys of fewer
    than 6 characters stay: dummy keys such as "EMPTY" are words that a translation may hold. Scrub first, cut then:
    half a key is no longer found.
    """
    return scrubber()(text)


def scrubber() -> Callable[[str], str]:
    """`scrubbed` for many texts: looks at the environment once (6 us; a text of 200 characters takes 4 us)."""
    secrets = (Secret.from_environment(name) for name in secret_variables())
    values = (secret.reveal() for secret in secrets if secret)
    pattern = _pattern(tuple(value for value in values if len(value) >= MIN_SECRET_CHARS))
    return functools.partial(pattern.sub, MASK) if pattern else str


class LogFilter(logging.Filter):
    """Scrubs the records of a logger: HTTP libraries log the reason phrase, and in detail all headers of a reply."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrubbed(record.getMessage()), ()
        return True


@functools.lru_cache(maxsize=4)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Longest first, so that a secret which holds another is replaced as a whole."""
    spellings = {spelling for secret in secrets for spelling in (secret, *_base64_cores(secret))}
    ordered = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    return re.compile("|".join("".join(map(_any_escape, spelling)) for spelling in ordered)) if ordered else None


def _base64_cores(secret: str) -> Iterator[str]:
    """What base64 makes of it at each of the three places where it may begin, without what its neighbours decide."""
    data = secret.encode("utf-8", "surrogateescape")
    for num_before, first in ((0, 0), (1, 2), (2, 3)):
        padded = bytes(num_before) + data
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode()[first : len(padded) * 8 // 6]


def _any_escape(char: str) -> str:
    """A pattern for one character. Letters and digits are never escaped; what is may be so more than once."""
    if char.isascii() and char.isalnum():
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    json_escape = "".join(rf"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    url_escape = "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
    html_escape = f"&#0*{ord(char)};|&#x0*{ord(char):x};|{re.escape(html.escape(char))}"
    return rf"\\{{0,7}}(?:(?i:{json_escape}|{url_escape}|{html_escape})|{re.escape(char)})"
