"""What is said of something that is too large: what, how large, how much is allowed, which key raises it."""

import dataclasses
from typing import Any


class TooLarge(ValueError):
    """Something exceeds a limit. One line; `key` is where the recipe raises it, "" where it can't be raised."""

    def __init__(self, what: str, found: float | None, limit: float, unit: str, key: str = "") -> None:
        super().__init__(what, found, limit, unit, key)  # all as args, so that it survives pickling between workers
        self.what, self.found, self.limit, self.unit, self.key = what, found, limit, unit, key

    def __str__(self) -> str:
        return f"{self.what} has {excess(self.found, self.limit, self.unit)}" + (advice(self.key) if self.key else "")


def excess(found: float | None, limit: float, unit: str) -> str:
    """How large and how much too large; found: None where reading stopped at the limit."""
    if found is None:
        return f"more than {_number(limit)} {unit}, the limit"
    return f"{_number(found)} {unit}, {_number(found - limit)} more than the limit of {_number(limit)}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,.1f}"


def advice(key: str) -> str:
    return f" (raise {key} in the recipe if it is sound)"


def check(what: str, found: float, limit: float, unit: str, key: str = "") -> None:
    """Raises TooLarge."""
    if found > limit:
        raise TooLarge(what, found, limit, unit, key)


def raise_if_not_positive(limits: Any) -> None:
    """`ValueError` with a line for each field of a dataclass of numbers that is below 1."""
    values = {field.name: getattr(limits, field.name) for field in dataclasses.fields(limits)}
    if problems := [f"{name} is {value}: choose at least 1" for name, value in values.items() if value < 1]:
        raise ValueError("\n".join(problems))
