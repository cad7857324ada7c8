"""How full each model was while its step ran, in words: what was not measured is a dash, never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEADER = ("step", "model", "seconds", "tokens/s", "asked tokens/s", "in flight", "running", "queue", "idle")
NOTHING = "-"


@dataclass(frozen=True, kw_only=True)
class ModelLoad:
    """One model in one step. seconds: that the step took. tokens_per_s: of answers; asked_tokens_per_s: of prompts.

    in_flight: questions of ours that wait for an answer, mean over the step. running, queued: sequences at the server
    as it says itself, mean over the step. idle: share of the step in which the model had nothing to do, 0 to 1; by the
    server's word where it gives one, else by our questions. None: not measured.
    """

    step: str
    model: str
    seconds: float
    tokens_per_s: float | None = None
    asked_tokens_per_s: float | None = None
    in_flight: float | None = None
    running: float | None = None
    queued: float | None = None
    idle: float | None = None


def load_rows(loads: Sequence[ModelLoad]) -> list[tuple[str, ...]]:
    """Cells under HEADER, a row for each."""
    return [
        (
            one.step,
            one.model,
            f"{one.seconds:.1f}",
            *(
                _number(value)
                for value in (one.tokens_per_s, one.asked_tokens_per_s, one.in_flight, one.running, one.queued)
            ),
            NOTHING if one.idle is None else f"{100 * one.idle:.0f}%",
        )
        for one in loads
    ]


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.1f}"
