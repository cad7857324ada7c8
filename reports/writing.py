"""How a language's text stands on a page: its tag, its direction, and that a stranger's text is text.

Fonts are named, none is brought along: CJK text needs its language's own (the same code points look different in
Chinese and Japanese), the rest of them is found by script. `style.css` has the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

from florenz.languages.codes import LANGUAGES

RIGHT_TO_LEFT = {"ARABIC", "HEBREW", "SYRIAC", "THAANA", "NKO"}
QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"|“([^”]+)”|«([^»]+)»")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")  # also what turns the line's direction


def direction(language: str) -> str:
    """ "rtl" or "ltr", for the attribute `dir`."""
    known = LANGUAGES.get(language)
    return "rtl" if known and RIGHT_TO_LEFT & set(known.scripts) else "ltr"


def shown(text: str) -> str:
    """Characters that can't be seen, or that would turn what stands around them, as \\u202e."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def marked(text: str, detail: str) -> Markup:
    """The text with the words that `detail` quotes in <mark>; all else is escaped."""
    found = [piece for piece in _quoted(detail) if piece in text]
    if not found:
        return escape(shown(text))
    pattern = "|".join(re.escape(piece) for piece in sorted(found, key=len, reverse=True))
    pieces = re.split(f"({pattern})", text)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(shown(piece)) if number % 2 else escape(shown(piece))
        for number, piece in enumerate(pieces)
    )


def _quoted(detail: str) -> Iterator[str]:
    for groups in QUOTED.findall(detail):
        yield from filter(None, groups)
