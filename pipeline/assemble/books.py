"""The books: what went into each step, what came out and what was dropped, per language. They must balance.

An entry is (step, language, outcome) -> number. Outcomes: `in`, `kept`, or `rejected:<reason>`. A thing that went in
and is in no other entry was lost, and losing something is the one fault that nobody would notice later: a build whose
books don't balance fails.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Entry = tuple[str, str, str]
Tally = Counter[Entry]
STEPS = ("read", "caption", "translate", "rephrase", "filter", "cover", "write")
IN, KEPT = "in", "kept"
WITHHOLD = "withhold"
"""A step of images that show a withheld concept, all of which are kept: they have translations and no captions."""
_REJECTED = "rejected:"
_OF = " of "  # between what was judged and a source: one more step for each, whose rejects are booked elsewhere too


class BooksError(RuntimeError):
    """Something went in and neither came out nor was rejected; the message names step and language."""


def rejected(reason: str) -> str:
    return _REJECTED + reason


def of_source(what: str, source: str) -> str:
    """The step of a judgement about what comes from one source, so that its rate there can be told."""
    return f"{what}{_OF}{source}"


def kept_by_source(tally: Mapping[Entry, int]) -> list[tuple[str, str, str, int, int]]:
    """(what was judged, source, language, how many went in, how many were kept), sorted."""
    rows = []
    for (step, language, outcome), number in sorted(tally.items()):
        what, of, source = step.partition(_OF)
        if of and outcome == IN:
            rows.append((what, source, language, number, tally.get((step, language, KEPT), 0)))
    return rows


def imbalances(tally: Mapping[Entry, int]) -> list[str]:
    """A line for each step and language where in != kept + rejected."""
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for (step, language, outcome), number in tally.items():
        totals[step, language][outcome != IN] += number
    return [
        f"{step}{f' ({language})' if language else ''}: {went_in} in, {came_out} kept or rejected"
        for (step, language), (went_in, came_out) in sorted(totals.items())
        if went_in != came_out
    ]


def rejected_counts(tally: Mapping[Entry, int]) -> dict[str, dict[str, dict[str, int]]]:
    """step -> reason -> language -> number, as the manifest holds it; each reject once."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (step, language, outcome), number in sorted(tally.items()):
        if outcome.startswith(_REJECTED) and _OF not in step:
            counts.setdefault(step, {}).setdefault(outcome.removeprefix(_REJECTED), {})[language] = number
    return counts


def total(tally: Mapping[Entry, int], step: str, outcome: str) -> int:
    """Over all languages."""
    return sum(number for (a_step, _, an_outcome), number in tally.items() if (a_step, an_outcome) == (step, outcome))


def to_json(tally: Mapping[Entry, int]) -> list[dict[str, Any]]:
    return [
        {"step": step, "language": language, "outcome": outcome, "number": number}
        for (step, language, outcome), number in sorted(tally.items())
    ]


def from_json(entries: Iterable[Mapping[str, Any]]) -> Tally:
    return Counter({(entry["step"], entry["language"], entry["outcome"]): entry["number"] for entry in entries})
