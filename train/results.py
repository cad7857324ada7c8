"""What finished trainings say of themselves: one `Result` for each folder, read from its JSON alone.

A result is what a run left (evaluation.json, metrics.jsonl, sessions.jsonl, best/best.json, and run.json if a list
started it), so a report can be written again at any time, and nobody copies a number by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from florenz.limits.reading import read_path
from florenz.limits.table import MIB, RECORD_BYTES
from florenz.train.runs import RECORD, RESULT
from florenz.train.scores.sets.contract import pair_name

METRICS = "metrics.jsonl"
LOG_BYTES = 1024 * MIB  # four lines a hundred steps, of a few hundred bytes each: millions of steps

# 97.5% points of Student's t by degrees of freedom, and of the normal distribution, from which more of them follow.
T_975 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}
Z_975 = 1.96


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one pair, with its prefix. is_withheld: about what nobody was taught to caption. exact, meaning: shares;
    chrf: 0 to 100; cross_entropy: nats per token. new: the share that is right in meaning, or exactly where that is not
    counted, of what no picture of the training shows; None where nobody has looked.
    """

    is_held_out: bool
    num_texts: int
    cross_entropy: float
    exact: float | None
    meaning: float | None
    chrf: float | None
    exact_without_prefix: float | None
    is_withheld: bool = False
    new: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """variant: "" for a training that no list started. recipe: what the list wrote down, but for seed and folders.
    kept_step: after which the model's weights were taken. minutes: of all sessions that were not killed; None where
    that was not written down yet. dataset: its build."""

    folder: Path
    variant: str
    recipe: Mapping[str, Any]
    seed: int
    steps: int
    kept_step: int
    minutes: float | None
    dataset: str
    pairs: dict[str, Figures]
    curves: dict[int, dict[str, float]]
    """Step -> captioned pair -> share of exact texts, on the images that are for choosing; empty without validation."""

    @property
    def name(self) -> str:
        """In a report."""
        return self.variant or self.folder.absolute().name


def read_result(folder: Path) -> Result:
    """`ValueError` for a folder without a finished training."""
    try:
        evaluation = json.loads(read_path(folder / RESULT, RECORD_BYTES))
        lines = [json.loads(line) for line in read_path(folder / METRICS, LOG_BYTES).splitlines()]
        steps = [line["step"] for line in lines]
        curves = {line["step"]: _exact_captions(line["pairs"]) for line in lines if "pairs" in line}
        pairs = {_name(one): _figures(one) for one in evaluation["pairs"]}
        dataset = str(evaluation["dataset"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(
            f"{folder} is no finished training ({problem}): run it to its end, with its scores"
        ) from problem
    best, run = _json_or_none(folder / "best" / "best.json"), _json_or_none(folder / RECORD)
    validation = (run or {}).get("validation", {})
    is_best = best is not None and validation.get("keep", "best") == "best"
    seed = run["seed"] if run else _identity(folder, best).get("seed", 0)
    return Result(
        folder=folder,
        variant=folder.absolute().name.rpartition("-")[0] if run else "",
        recipe={key: value for key, value in (run or {}).items() if key not in ("seed", "out", "data")},
        seed=seed,
        steps=max(steps, default=0),
        kept_step=best["step"] if is_best and best else max(steps, default=0),
        minutes=_minutes(folder),
        dataset=dataset,
        pairs=pairs,
        curves=curves,
    )


def _identity(folder: Path, best: Any) -> Mapping[str, Any]:
    """What decided the weights of a training that no list started."""
    if best:
        return dict(best.get("identity", {}))
    from florenz.train.checkpoint import identity_of_newest  # torch, which takes a second

    return identity_of_newest(str(folder)) or {}


def mean_and_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and half the width of its 95% interval by Student's t; None for a single value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, _t_975(len(values) - 1) * deviation / math.sqrt(len(values))


def _t_975(freedom: int) -> float:
    """Beyond the table by the first terms of its expansion around the normal distribution's, right to 0.005."""
    z = Z_975
    near = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return T_975.get(freedom, near)


def mean_over(pairs: Iterable[Figures], of: Callable[[Figures], float | None]) -> float | None:
    """Of those that have the figure; None if none has."""
    values = [value for pair in pairs if (value := of(pair)) is not None]
    return sum(values) / len(values) if values else None


def _exact_captions(pairs: dict[str, Any]) -> dict[str, float]:
    return {pair: figures["exact"] for pair, figures in pairs.items() if pair.startswith("caption/")}


def _name(pair: dict[str, Any]) -> str:
    return pair_name(pair["task"], pair["language"], is_withheld=pair.get("is_withheld", False))


def _figures(pair: dict[str, Any]) -> Figures:
    scores, without, new = pair["with_prefix"] or {}, pair["without_prefix"] or {}, pair.get("new") or {}
    return Figures(
        is_held_out=pair["is_held_out"],
        num_texts=pair["num_texts"],
        cross_entropy=pair["cross_entropy"],
        exact=scores.get("exact_match"),
        meaning=scores.get("meaning"),
        chrf=scores.get("chrf"),
        exact_without_prefix=without.get("exact_match"),
        is_withheld=pair.get("is_withheld", False),
        new=new.get("exact_match") if new.get("meaning") is None else new["meaning"],
    )


def _minutes(folder: Path) -> float | None:
    try:
        lines = read_path(folder / "sessions.jsonl", RECORD_BYTES).splitlines()
        return float(sum(json.loads(line)["seconds"] for line in lines) / 60)
    except (OSError, ValueError, KeyError):
        return None


def _json_or_none(path: Path) -> Any:
    try:
        return json.loads(read_path(path, RECORD_BYTES))
    except (OSError, ValueError):
        return None
