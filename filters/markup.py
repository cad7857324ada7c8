"""HTML, JSON, Markdown, an escape or an address where the source has none: `<b>...</b>`, `{"translation": "..."}`,
`**...**`, a backslash and an n.

What a program would render or parse, as against the marks of chat templates (`chat_markup`). Each kind is held against
the source: a caption about a sign that reads "www.shop.com" may say so. All patterns are linear: no repeated group
inside another, and every repetition is bounded or can't begin where it ends. Cost: a few microseconds.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.characters import CharacterTable, one_of

_KINDS: dict[str, re.Pattern[str]] = {
    "an HTML tag": re.compile(
        r"</?[a-zA-Z][a-zA-Z0-9]{0,11}(?:\s[^<>]{0,200})?/?>|<!--|<\?\w|\A\s{0,8}<[^<>\n]{1,2000}>\s{0,8}\Z"
    ),
    "an HTML entity": re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,6});"),
    "JSON": re.compile(r"""\A\s{0,8}[\[{]\s{0,8}["']|["']\w{1,40}["']\s?:\s?["'\[{]|\A\s{0,8}\w{1,40}\s?=\s?["'“]"""),
    "an escape": re.compile(
        r"""\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt](?![a-z])|["']|[a-zA-Z]{2,20}\{)|(?<=[\w.!?,])\\[nrt]"""
    ),
    "an address": re.compile(
        r"https?://|\bwww\.\w|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2}"
        r"|(?<![\w@.-])[a-z0-9-]{2,63}\.(?:(?:com|org|net|info)\b|[a-z]{2,6}/)",
        re.IGNORECASE,
    ),
    "Markdown": re.compile(
        r"\*\*[^\s*]|~~[^\s~]|(?<![\w*])\*[^\s*][^*\n]{0,200}\*(?![\w*])"
        r"|(?<![\w_])_[^\s_][^_\n]{0,200}_(?![\w_])|(?<![\w_])__[^\s_]|(?<!\w)`[^\s`][^`\n]{0,200}`(?!\w)"
        r"|```|\]\(|'{3}|\"{3}|\[\d{1,3}\]\s{0,8}\Z"
        r"|^[ \t]{0,8}(?:[*+•#>]{1,6}|-)[ \t]{1,8}\S",
        re.MULTILINE,
    ),
    "a list": re.compile(r"\A\s{0,8}(?:\d{1,2}[.)]\s+\D|[(（]\d{1,2}[)）]\s*\D|(?:→|⇒|[=-]>))"),
}
_MARKS = re.compile(r"'{3}|\"{3}|[<&{\[:*_`#>•+~=→⇒@\\-]|www|\d[.)）]|\.[a-z]", re.IGNORECASE)


_SINGLE, _WS, _DIGITS, _BEHIND_DIGITS = (
    one_of("<&{[:*_`#>•+-~=→⇒@\\"),
    one_of("wW"),
    CharacterTable(str.isdecimal),
    one_of(".)）"),
)
_STRAIGHT_QUOTES = one_of("'\"")
_DOT, _LATIN_LETTERS = one_of("."), CharacterTable(lambda one: one.isascii() and one.isalpha())


def may_be_markup(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a character that one of the kinds needs."""
    pairs = ((_WS, _WS), (_DIGITS, _BEHIND_DIGITS), (_DOT, _LATIN_LETTERS), (_STRAIGHT_QUOTES, _STRAIGHT_QUOTES))
    found = columns.have(_SINGLE)
    for first, second in pairs:
        found |= columns.have_pairs(first, second)
    return found


def check_markup(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with a kind of markup that its source does not have; the detail names it and quotes the place."""
    if not _MARKS.search(candidate.text):
        return KEEP
    for kind, pattern in _KINDS.items():
        found = pattern.search(candidate.text)
        if found and not pattern.search(candidate.source) and not _is_said(kind, found.group(), candidate):
            return reject("markup", f"{kind}: {found.group().strip()[:60]!r} at character {found.start()}")
    return KEEP


def _is_said(kind: str, mark: str, candidate: Candidate) -> bool:
    """Whether it may be content: "1. Mai" for "May 1st", a dash that opens speech for a quotation mark."""
    if kind == "a list":
        number = re.search(r"\d+", mark)
        return number is not None and number.group() in re.findall(r"\d+", candidate.source)
    if kind == "Markdown" and mark.lstrip().startswith("-"):
        return any(quote in candidate.source for quote in '–—"“”«')
    return False
