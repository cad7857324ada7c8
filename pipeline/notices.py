"""What a report says beside its counts: a filter that drops most of a language, and where no alignment was learned.

Neither stops a run. The first is the report's first line, because such a filter is more often wrong than the language.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from florenz.filters.alignment_check import MIN_PAIRS
from florenz.languages.codes import NAMES
from florenz.pipeline.assemble.books import IN, KEPT, Entry, rejected_counts

_STEP, _MOST = "filter", 0.5


def drops_of_most(books: Mapping[Entry, int]) -> list[str]:
    """A line for each language that lost more than half of its texts to one filter, or to all together."""
    return [line for line in map(lambda language: _drop_of_most(books, language), _filtered(books)) if line]


def _filtered(books: Mapping[Entry, int]) -> list[str]:
    return sorted({language for step, language, _ in books if step == _STEP})


def _drop_of_most(books: Mapping[Entry, int], language: str) -> str:
    of_reason = {
        reason: by_language.get(language, 0) for reason, by_language in rejected_counts(books).get(_STEP, {}).items()
    }
    went_in = books[_STEP, language, IN]
    worst = max(of_reason, key=lambda reason: (of_reason[reason], reason), default="")
    for who, number in ((worst, of_reason.get(worst, 0)), ("all filters together", sum(of_reason.values()))):
        if number > _MOST * went_in:
            name = NAMES.get(language, language)
            return f"{who} dropped {number:,} of {went_in:,} {name} texts ({language}): read some before you believe it"
    return ""


def silent_languages(books: Mapping[Entry, int], languages: Collection[str], tables: Collection[str]) -> Iterator[str]:
    """The languages in which nothing could be `misaligned`, with how many texts there are; `tables`: those that had a
    table. At most one line.
    """
    silent = [f"{one} {books.get(('translate', one, KEPT), 0):,}" for one in languages if one not in tables]
    if silent:
        yield f"no table for {', '.join(silent)} texts: a language needs {MIN_PAIRS:,} pairs to learn one"
