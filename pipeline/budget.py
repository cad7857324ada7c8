"""`BUDGET=`: a run that asks no more once its hours, its money or its tokens are used up, and can be gone on with.

Each worker looks before it asks: what comes after is left unasked, so it is missing when the same command runs again.
What is in flight when the budget ends comes back and is kept; nothing is assembled from half of the answers.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


class BudgetUsedUp(ValueError):
    """One line: what is used up, and how much is left to ask."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """deadline: seconds since the epoch. tokens: of prompts and answers, for each worker. None: as much as it takes."""

    deadline: float | None = None
    tokens: int | None = None

    def is_used_up(self, tokens: int = 0) -> bool:
        is_late = self.deadline is not None and time.time() >= self.deadline
        return is_late or (self.tokens is not None and tokens >= self.tokens)

    def without(self, tokens: int) -> Budget:
        """What is left of it for the models that come after, when each worker has used so many."""
        return self if self.tokens is None else replace(self, tokens=max(0, self.tokens - tokens))


UNLIMITED = Budget()


def parse_budget(text: str, *, cost_per_hour: float | None, workers: int, now: float | None = None) -> Budget:
    """`90min`, `2h`, `500000tokens`, or a number alone: money, at `cost_per_hour`.

    Raises ValueError, one line with what to do.
    """
    found = _BUDGET.fullmatch(text.strip())
    number, unit = (float(found.group(1)), found.group(2).lower()) if found else (0.0, "")
    if not found or number <= 0 or unit not in (*UNITS_S, "tokens", ""):
        raise ValueError(
            f"BUDGET is {text!r}: give hours, minutes, tokens or money, as 2h, 90min, 500000tokens or 12.50"
        )
    now = time.time() if now is None else now
    if unit == "tokens":
        return Budget(tokens=max(1, int(number) // workers))
    if unit:
        return Budget(deadline=now + number * UNITS_S[unit])
    if not cost_per_hour:
        raise ValueError(
            f"BUDGET is {text!r}, an amount of money: say in the recipe what an hour costs ([plan] cost_per_hour)"
        )
    return Budget(deadline=now + number / cost_per_hour * UNITS_S["h"])
