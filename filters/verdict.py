"""What a filter is asked and what it answers.

A reject is a value: a stable `reason` that is also the counter's name and the `disabled` word in the settings, and a
`detail` for the person who reads the reject file. One dataclass for English captions and translations alike, so that
one chain serves both; the price is the empty `source` that a caption carries.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A text that a model gave, and what it is meant to be.

    `source` is the English text it was translated from, "" for an English caption. `language` is the claimed ISO 639-1
    code. `finish_reason` is the server's word for why the answer ended: "stop", "length", or "" where nobody said.
    """

    source: str
    text: str
    language: str
    finish_reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """Keep, or reject with a reason in snake_case; `detail` says in a few words what was seen."""

    keep: bool
    reason: str = ""
    detail: str = ""


KEEP = Verdict(True)


def reject(reason: str, detail: str) -> Verdict:
    """A verdict that drops the text. `detail` should name the numbers or the words at fault."""
    return Verdict(False, reason, detail)
