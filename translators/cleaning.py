"""Take the translation out of what a chat model said around it.

Instruct models add to a translation what nobody asked for: thoughts, a code fence, "Here is the translation:", quotes
around it, a note on a word choice. Each rule removes only what the source itself lacks, because a caption may well
quote a sign or begin with "Note:". The rules only ever shorten, and are repeated until nothing changes, so that
cleaning a clean text is a no-op. What they can't be sure about is left in: a filter that rejects a text costs one
example, a rule that cuts a right one falsifies it silently.

A family of translators names its steps with their version (`note.1`), and the names enter the fingerprint. A step that
shall take away something else is one more (`note.2`): what was paid for by families with the old one stays right.
"""

import re
from collections.abc import Callable, Sequence

_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
# Some templates put the opening tag into the prompt, so that the answer only has the closing one.
_THOUGHTS_WITHOUT_OPENING = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"\A```[^\n`]*\n(.*?)\n?```\Z", re.DOTALL)

# "translation" and "translated" in the languages that models announce them in: the prompt's and the usual targets'.
_TRANSLATION_WORD = (
    r"(?:translat\w*|übersetz\w*|tradu\w*|перевод\w*|переклад\w*|překlad\w*|tłumacz\w*|vertaling"
    r"|翻译|翻譯|译文|譯文|翻訳)"
)
_LABEL_LINE = re.compile(rf"\A[^\n:：]{{0,80}}{_TRANSLATION_WORD}[^\n:：]{{0,60}}[:：](?:\*\*)?", re.IGNORECASE)
_PLEASANTRY = re.compile(r"\A(?:sure|certainly|of course|okay|ok|here(?:['’]s| is))\b[^\n]{0,80}[:!.][ \t]*\n", re.I)

_NOTE_WORD = (
    r"(?:notes?|translator['’]s note|explanation|hinweis|anmerkung|erklärung|erläuterung|nota|remarque|explication"
    r"|explicación|примечание|пояснение|poznámka|uwaga|注|注意|说明|說明|備考)"
)
# On a line of its own, or in brackets. Anchored to one character, not to a run of blanks: an answer may be thousands
# of newlines, on which a run would take cubic time.
_NOTE = re.compile(
    rf"(?:\n[ \t]*|(?<=[ \t])(?=[(（\[]))[(（\[]?(?:\*\*|__|\*|_)?{_NOTE_WORD}(?:\*\*|__)?[ \t]?[:：].*\Z",
    re.DOTALL | re.IGNORECASE,
)

_QUOTES = (
    ('"', '"'), ("“", "”"), ("„", "“"), ("„", "”"), ("“", "“"), ("”", "”"), ("«", "»"), ("»", "«"),
    ("'", "'"), ("‘", "’"), ("‚", "‘"), ("「", "」"), ("『", "』"), ("`", "`"), ("**", "**"),
)  # fmt: skip


def clean_answer(answer: str, source: str, steps: Sequence[str]) -> str:
    """The translation alone; empty when nothing but thoughts or a note came back. Idempotent.

    `steps` are names from STEPS, taken in this order; without any, white space alone goes.
    """
    text = answer.strip()
    while (shorter := _clean_once(text, source, steps)) != text:
        text = shorter
    return text


def _clean_once(text: str, source: str, steps: Sequence[str]) -> str:
    for step in steps:
        text = STEPS[step](text, source)
    return text.strip()


def _without_thoughts(text: str, source: str) -> str:
    if "<" not in text or _THOUGHTS_WITHOUT_OPENING.search(source):
        return text
    return _THOUGHTS_WITHOUT_OPENING.sub("", _THOUGHTS.sub("", text)).strip()


def _without_fence(text: str, source: str) -> str:
    inside = _FENCE.match(text)
    return inside.group(1).strip() if inside and "```" not in inside.group(1) else text


def _without_preamble(text: str, source: str) -> str:
    if re.search(_TRANSLATION_WORD, source, re.IGNORECASE) or _PLEASANTRY.match(source):
        return text  # the caption speaks about a translation itself
    return _LABEL_LINE.sub("", _PLEASANTRY.sub("", text)).strip()


def _without_note(text: str, source: str) -> str:
    if re.search(rf"\b{_NOTE_WORD}\s*[:：]", source, re.IGNORECASE):
        return text
    return _NOTE.sub("", text).strip()


def _without_quotes(text: str, source: str) -> str:
    """Take off one pair that holds the whole text; `"A" and "B"` only looks like one, and a quoted source is quoted."""
    if _is_quoted(source.strip()):
        return text
    for opening, closing in _QUOTES:
        is_held = text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing)
        inside = text[len(opening) : len(text) - len(closing)]
        if is_held and opening not in inside and closing not in inside:
            return inside.strip()
    return text


def _is_quoted(source: str) -> bool:
    return any(source.startswith(opening) and source.endswith(closing) for opening, closing in _QUOTES)


STEPS: dict[str, Callable[[str, str], str]] = {
    "thoughts.1": _without_thoughts,
    "fence.1": _without_fence,
    "preamble.1": _without_preamble,
    "note.1": _without_note,
    "quotes.1": _without_quotes,
}
