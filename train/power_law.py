"""The paper's law: cross-entropy as a power of parameters, samples seen, and what languages a model starts with.

    L = a * N^n * D^d * M^m

N: parameters. D: samples seen. M: 1 + the number of languages that the decoder could write before, so that 1 is a
random start. The paper (arXiv 2503.09443) gives n and d for held-out captions, translations and covered captions; its
second version adds the start as a third factor. Without an irreducible loss the law is a plane in logarithms, and the
fit is least squares there. A factor that does not vary among the points has no exponent.

Intervals are of the bootstrap: runs drawn anew with replacement, 2.5% and 97.5% points of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FACTORS = ("parameters", "samples", "languages")
PAPER = {  # exponents of parameters and samples
    "held-out captions": (-0.16, -0.04),
    "translations": (-0.15, -0.19),
    "covered captions": (-0.13, -0.15),
}
NUM_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run's loss of one kind. start_languages: that the decoder had before; 0: random."""

    parameters: float
    samples: float
    start_languages: int
    loss: float

    def logarithms(self) -> tuple[float, float, float]:
        return float(np.log(self.parameters)), float(np.log(self.samples)), float(np.log1p(self.start_languages))


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """value with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Fit:
    """exponents: by factor; a factor that does not vary is missing. r_squared: of the logarithms of the losses."""

    scale: float
    exponents: dict[str, Exponent]
    r_squared: float
    num_points: int

    def loss(self, parameters: float, samples: float, start_languages: int) -> float:
        point = Point(parameters=parameters, samples=samples, start_languages=start_languages, loss=1.0)
        terms = zip(FACTORS, point.logarithms(), strict=True)
        return float(
            self.scale * np.exp(sum(self.exponents[name].value * x for name, x in terms if name in self.exponents))
        )


def fit(points: Sequence[Point], *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> Fit:
    """The law through the points.

    Raises:
        ValueError: a loss, a size or a number of samples that is not above 0; fewer points than it takes, or points
            that cannot tell two factors apart.
    """
    if bad := [one for one in points if min(one.loss, one.parameters, one.samples) <= 0]:
        raise ValueError(f"a power law has no place for {bad[0]}: losses, parameters and samples lie above 0")
    x_PF = np.array([point.logarithms() for point in points]).reshape(-1, len(FACTORS))
    y_P = np.log([point.loss for point in points])
    varying = [place for place in range(len(FACTORS)) if np.ptp(x_PF[:, place]) > 0] if len(points) else []
    design_PK = np.column_stack([np.ones(len(points)), x_PF[:, varying]])
    needed = design_PK.shape[1]
    if len(points) <= needed or np.linalg.matrix_rank(design_PK) < needed:
        names = ", ".join(FACTORS[place] for place in varying) or "no factor"
        raise ValueError(
            f"{len(points)} runs, in which {names} vary, are too few to fit {needed} numbers with something left to "
            "judge by, or they vary together: add runs in which one factor changes alone"
        )
    solved_K = _solve(design_PK, y_P)
    drawn_RK = _bootstrap(design_PK, y_P, seed, num_resamples)
    low_K, high_K = np.percentile(drawn_RK, [2.5, 97.5], axis=0)
    residuals, spread = y_P - design_PK @ solved_K, y_P - y_P.mean()
    return Fit(
        scale=float(np.exp(solved_K[0])),
        exponents={
            FACTORS[place]: Exponent(value=float(solved_K[k]), low=float(low_K[k]), high=float(high_K[k]))
            for k, place in enumerate(varying, 1)
        },
        r_squared=float(1 - residuals @ residuals / (spread @ spread)) if spread.any() else 1.0,
        num_points=len(points),
    )


def missed_beyond(points: Sequence[Point]) -> float | None:
    """How well the law goes on: the points with the most samples, predicted by a fit to all others.

    The mean factor, up or down, by which they are missed: 1 is exact. None where the others are too few for a fit.
    """
    most = max((point.samples for point in points), default=0.0)
    beyond = [point for point in points if point.samples == most]
    try:
        found = fit([point for point in points if point.samples < most], num_resamples=1)
    except ValueError:
        return None
    predicted = [found.loss(point.parameters, point.samples, point.start_languages) for point in beyond]
    missed = [abs(np.log(loss / point.loss)) for loss, point in zip(predicted, beyond, strict=True)]
    return float(np.exp(np.mean(missed)))


def _bootstrap(design_PK: np.ndarray, y_P: np.ndarray, seed: int, number: int) -> np.ndarray:
    """(R, K). A draw whose points can't tell the factors apart is drawn again."""
    generator = np.random.default_rng(seed)
    drawn: list[np.ndarray] = []
    while len(drawn) < number:
        rows = generator.integers(len(y_P), size=len(y_P))
        if np.linalg.matrix_rank(design_PK[rows]) == design_PK.shape[1]:
            drawn.append(_solve(design_PK[rows], y_P[rows]))
    return np.array(drawn)


def _solve(design_PK: np.ndarray, y_P: np.ndarray) -> np.ndarray:
    solved: np.ndarray = np.linalg.lstsq(design_PK, y_P, rcond=None)[0]
    return solved
