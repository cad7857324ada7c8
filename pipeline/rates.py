"""How fast each model was: what a run notes beside the ledger, and what a plan and a budget are worked out from.

    OUT/ledger/rates.json    {fingerprint: [[items, seconds, characters], ...]}, the last of each

Seconds are those from the first question to the last answer; a line through what was measured tells a time for the
step from that for each item, so that a few questions are enough to measure. Characters are those of captions, of which
translations have about as many. Under `<fingerprint>.start` stands how long a model took to come up, under `.own` what
a step took before its first question and after its last answer, and under `.beside` how fast the model was while
another one worked on the same machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from florenz.recipes.checks import not_above_0, raise_if
from florenz.recipes.fingerprints import effort
from florenz.stores import files

START, OWN, WHILE_BESIDE = ".start", ".own", ".beside"
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
    """What is known of a model by its fingerprint, or of a step by its name. One that was never alone is as fast alone
    as beside the other.
    """
    rate = rate_of(measured.get(name, ())) or rate_of(measured.get(f"{name}{WHILE_BESIDE}", ()))
    if rate is None:
        return None
    start_s, own_s = (_mean_s(measured.get(f"{name}{suffix}", ())) for suffix in (START, OWN))
    return replace(rate, start_s=start_s, fixed_s=rate.fixed_s + own_s)


def share_beside(measured: Mapping[str, Sequence[Measurement]], name: str) -> float:
    """Of its speed that a model keeps while the other one works on the same machine; 1 where that was not measured."""
    alone, beside = rate_of(measured.get(name, ())), measured.get(f"{name}{WHILE_BESIDE}", ())
    items, seconds = sum(one.items for one in beside), sum(one.seconds for one in beside)
    if alone is None or not items or seconds <= 0:
        return 1.0
    return min(1.0, items / seconds / alone.per_s)


def _mean_s(measured: Sequence[Measurement]) -> float:
    return sum(one.seconds for one in measured) / len(measured) if measured else 0.0


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
