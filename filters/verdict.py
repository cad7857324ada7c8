"""What a filter is asked and what it answers.

A reject is a value: a stable `reason` that is also the counter's name and the `disabled` word in the settings, and a
`detail` for the person who reads the reject file. One dataclass for English captions and translations alike, so that
one chain serves both; the price is the empty `source` that a caption carries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from florenz.filters.words import SourceWords, folded, source_words, split_words


class _Once:
    """Worked out when it is first asked for: `functools.cached_property` without its lock, which takes longer than the
    work here."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work, self.name = work, work.__name__

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        instance.__dict__[self.name] = found = self.work(instance)
        return found


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

    @_Once
    def folded(self) -> str:
        """The text in one spelling: compatibility forms (a full-width colon is a colon) and case folded."""
        return folded(self.text)

    @_Once
    def words(self) -> list[str]:
        """Folded words of the text, cut once for all filters; not to be changed."""
        return split_words(self.folded)

    @_Once
    def source_words(self) -> SourceWords:
        """Folded words, names and numbers of the source."""
        return source_words(self.source)


@dataclass(frozen=True)
class Verdict:
    """Keep, or reject with a reason in snake_case; `detail` says in a few words what was seen.

    `language` is what language ID reads in the text, "" where it was not asked: kept here so that coverage need not ask
    again. Two verdicts that decide the same are equal whatever it says.
    """

    keep: bool
    reason: str = ""
    detail: str = ""
    language: str = field(default="", compare=False)


KEEP = Verdict(True)
_QUOTED_CHARS = 60


def read_as(verdict: Verdict, language: str) -> Verdict:
    """The same verdict, with what language ID reads in the text."""
    return _kept(language) if verdict.keep else Verdict(False, verdict.reason, verdict.detail, language)


@cache
def _kept(language: str) -> Verdict:
    return Verdict(True, language=language)


def reject(reason: str, detail: str) -> Verdict:
    """A verdict that drops the text. `detail` quotes the words at fault, as `quoted` does."""
    return Verdict(False, reason, detail)


def quoted(words: str) -> str:
    """A piece of a text for a detail: its beginning, with line ends and invisible characters spelled out."""
    return repr(words.strip()[:_QUOTED_CHARS])
