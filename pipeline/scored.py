"""[filters.quality] and its like in a recipe: scores of texts by a model of its own (`scorers/`), which may drop some.

They are sections within [filters], and no part of `FilterSettings`: a filter asks no model. What stands here is what
one of them scores, under which reason it drops a text, and how it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from florenz.recipes.kinds import KindError, load_kind
from florenz.recipes.sections import SectionReader
from florenz.scorers.contract import ROOM, ScorerSettings, kind_of, threshold_problems

FILTERS = "filters"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What is asked of a scorer. reason: of texts that are worse than the threshold, which stays what it is.
    of_captions: whether English captions are scored as well as translations. sees_image: whether it is about the image.
    asks_again: whether a translator can do better about it.
    """

    reason: str
    kind: str
    of_captions: bool
    sees_image: bool
    asks_again: bool = False


SCORED: Mapping[str, Scored] = {
    "quality": Scored(reason="low_quality", kind="metricx", of_captions=False, sees_image=False, asks_again=True),
    "image_text": Scored(reason="unlike_image", kind="siglip", of_captions=True, sees_image=True),
}


def take_scored(table: Mapping[str, Any]) -> dict[str, Any]:
    """What is scored -> its section, which is no longer in [filters] then."""
    filters = table.get(FILTERS)
    return {name: filters.pop(name) for name in SCORED if name in filters} if isinstance(filters, dict) else {}


def read_scored(tables: Mapping[str, Any], reader: SectionReader) -> dict[str, ScorerSettings]:
    """Faults go into the reader's problems."""
    found: dict[str, ScorerSettings] = {}
    for name, table in tables.items():
        section = f"{FILTERS}.{name}"
        kind = table.get("kind") if isinstance(table, Mapping) else None
        try:
            described = load_kind(ROOM, kind if isinstance(kind, str) else SCORED[name].kind).Settings
        except KindError as problem:
            reader.problems.append(f"[{section}] {problem}")
            continue
        settings = reader.read(described, table, section)
        if settings is not None:
            found[name] = settings
    return found


def asking_again(scorers: Mapping[str, ScorerSettings]) -> tuple[str, ScorerSettings] | None:
    """What is asked again where it is worse than the threshold, and how; None for nothing."""
    return next((one for one in scorers.items() if one[1].candidates > 1), None)


def scored_problems(
    scorers: Mapping[str, ScorerSettings], own_reasons: Sequence[str], *, is_rephrased: bool
) -> list[str]:
    """own_reasons: names of [[filters.words]]. is_rephrased: whether translations are."""
    problems = []
    for name, settings in scorers.items():
        scored, section = SCORED[name], f"[{FILTERS}.{name}]"
        if kind_of(settings).facts(settings).needs_image != scored.sees_image:
            looks = "looks at images" if not scored.sees_image else "looks at no image"
            problems.append(f"{section} kind = {settings.kind!r} {looks}: choose one like {scored.kind!r}")
        again = f"{section} candidates is {settings.candidates}"
        if settings.candidates > 1 and not scored.asks_again:
            problems.append(f"{again}: nothing is asked again for this, leave it out")
        elif settings.candidates > 1 and is_rephrased:
            problems.append(f"{again}, and there are [[rephrasers]]: keep one of both")
        problems += [f"{section} {problem}" for problem in threshold_problems(settings)]
        if scored.reason in own_reasons:
            problems.append(f"[[{FILTERS}.words]] name {scored.reason!r} is a reason of {section}: choose another name")
    return problems


def scored_warnings(scorers: Mapping[str, ScorerSettings]) -> list[str]:
    """What runs, and has less effect than one may think."""
    return [
        f"[{FILTERS}.{name}] has no threshold: scores are written into the samples, and no text is dropped for one"
        for name, settings in scorers.items()
        if settings.threshold is None
    ]
