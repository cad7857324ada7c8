"""The user's keys: which variables hold them, and how they are kept out of what a server says.

A server may repeat whatever it was sent: the body of a 400 that echoes the request's headers is enough. What it says
ends in the ledger, in rejects, in the report and on the screen, so each of its texts passes `scrubbed` first (reply.py
does that, and nobody else reads a reply).
"""

import base64
import functools
import html
import logging
import os
import re
from collections.abc import Callable, Iterator

API_KEY_VARIABLES = ("FLORENZ_API_KEY", "OPENAI_API_KEY")
SECRET_VARIABLES = (*API_KEY_VARIABLES, "VLLM_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
MIN_SECRET_CHARS = 6
MASK = "[secret]"


def api_key() -> str:
    """The first key that is set and not blank, without the white space around it; "" without one.

    Raises ValueError, one line that names the variable and never the value, for what no HTTP header can carry.
    """
    for name in API_KEY_VARIABLES:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise ValueError(f"{name} holds characters that no API key has: set it to the key alone, in one line")
            return key
    return ""


def scrubbed(text: str) -> str:
    """The text with "[secret]" in the place of every secret of the environment.

    Found also with its punctuation escaped (JSON, URL, HTML, a repr of any of these) and within base64. Keys of fewer
    than 6 characters stay: dummy keys such as "EMPTY" are words that a translation may hold. Scrub first, cut then:
    half a key is no longer found.
    """
    return scrubber()(text)


def scrubber() -> Callable[[str], str]:
    """`scrubbed` for many texts: looks at the environment once (6 us; a text of 200 characters takes 4 us)."""
    values = (os.environ.get(name, "").strip() for name in SECRET_VARIABLES)
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
