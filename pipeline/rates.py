"""How fast each model was: what a run notes beside the ledger, and what a plan and a budget are worked out from.

    OUT/ledger/rates.json    {fingerprint: [[items, seconds, characters], ...]}, the last of each

A step takes a time for itself (a graph, the first batch) and a time for each item; a line through what was measured
tells them apart, so that a few questions are enough to measure. Characters are those of captions, of which translations
have about as many. Under `<fingerprint>.start` stands how long a model took to come up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from florenz.recipes.checks import not_above_0, raise_if
from florenz.recipes.fingerprints import effort
from florenz.stores import files

START = ".start"
BESIDE = "beside"  # captioning and translating at once: captions, and the time that both took
KEPT = 20  # measurements of one model
CHARS_PER_TOKEN = 4.0  # of English and its like; other scripts have fewer


@dataclass(frozen=True, kw_only=True)
class PlanSettings:
    """[plan]: what is known of speed and cost; what is left out is measured."""

    captions_per_s: float | None = effort(None)
    translations_per_s: float | None = effort(None)

    cost_per_hour: float | None = effort(None)
    """Of one machine, in any currency."""

    def __post_init__(self) -> None:
        raise_if(
            not_above_0(
                captions_per_s=self.captions_per_s,
                translations_per_s=self.translations_per_s,
                cost_per_hour=self.cost_per_hour,
            )
        )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One step: questions asked, wall time, characters of the answers."""

    items: int
    seconds: float
    chars: int


@dataclass(frozen=True, kw_only=True)
class Rate:
    """seconds = fixed_s + items / per_s; chars: of an answer, on average. start_s: before the first question."""

    per_s: float
    fixed_s: float
    chars: float
    start_s: float = 0.0


def rates_path(out: str) -> str:
    return files.join(out, "ledger", "rates.json")


def read_rates(out: str) -> dict[str, list[Measurement]]:
    """By fingerprint; nothing where none was noted, or what was noted can't be read: it can be measured again."""
    try:
        found = json.loads(files.read_bytes(rates_path(out)))
        return {
            name: [Measurement(items=int(items), seconds=float(s), chars=int(chars)) for items, s, chars in rows]
            for name, rows in found.items()
        }
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def note_rate(out: str, fingerprint: str, measured: Measurement) -> None:
    known = read_rates(out)
    known[fingerprint] = [*known.get(fingerprint, []), measured][-KEPT:]
    rows = {name: [[one.items, one.seconds, one.chars] for one in several] for name, several in known.items()}
    with files.atomic_write(rates_path(out)) as file:
        file.write(json.dumps(rows).encode())


def known_rate(measured: Mapping[str, Sequence[Measurement]], name: str) -> Rate | None:
    """What is known of a model by its fingerprint, or of a step by its name."""
    starts = measured.get(f"{name}{START}", ())
    rate = rate_of(measured.get(name, ()))
    return replace(rate, start_s=sum(one.seconds for one in starts) / len(starts)) if rate and starts else rate


def rate_of(measured: Sequence[Measurement]) -> Rate | None:
    """The line of least squares through what was measured, the more items the more it counts; None without any."""
    measured = [one for one in measured if one.items > 0 and one.seconds > 0]
    if not measured:
        return None
    items, seconds = sum(one.items for one in measured), sum(one.seconds for one in measured)
    chars = sum(one.chars for one in measured) / items
    weights = [one.items for one in measured]
    mean_x = sum(w * one.items for w, one in zip(weights, measured, strict=True)) / items
    mean_y = sum(w * one.seconds for w, one in zip(weights, measured, strict=True)) / items
    spread = sum(w * (one.items - mean_x) ** 2 for w, one in zip(weights, measured, strict=True))
    together = sum(w * (one.items - mean_x) * (one.seconds - mean_y) for w, one in zip(weights, measured, strict=True))
    slope = together / spread if spread else 0.0
    fixed_s = mean_y - slope * mean_x
    if slope <= 0 or fixed_s < 0:  # too few to tell the two apart
        return Rate(per_s=items / seconds, fixed_s=0.0, chars=chars)
    return Rate(per_s=1 / slope, fixed_s=fixed_s, chars=chars)
