"""The fit finds the exponents that made the points, and says how sure it is."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from florenz.train.power_law import Point, fit, missed_beyond

SIZES, SAMPLES, STARTS = (1e6, 2e6, 4e6, 8e6), (8_000, 16_000, 32_000, 64_000), (0, 1, 5)
EXPONENTS = {"parameters": -0.16, "samples": -0.04, "languages": -0.21}


def grid(noise: float = 0.0, seed: int = 0) -> list[Point]:
    generator = np.random.default_rng(seed)
    points = []
    for size, seen, start in itertools.product(SIZES, SAMPLES, STARTS):
        loss = 12.0 * size**-0.16 * seen**-0.04 * (1 + start) ** -0.21 * np.exp(noise * generator.standard_normal())
        points.append(Point(parameters=size, samples=seen, start_languages=start, loss=float(loss)))
    return points


def test_exact_points_give_their_exponents_and_no_doubt() -> None:
    found = fit(grid())
    assert found.scale == pytest.approx(12.0, rel=1e-6) and found.r_squared == pytest.approx(1.0)
    for name, wanted in EXPONENTS.items():
        exponent = found.exponents[name]
        assert (exponent.value, exponent.low, exponent.high) == pytest.approx((wanted,) * 3, abs=1e-8)
    assert found.loss(1e6, 8_000, 5) == pytest.approx(12.0 * 1e6**-0.16 * 8_000**-0.04 * 6**-0.21)


def test_intervals_of_noisy_points_hold_the_truth_about_as_often_as_they_say() -> None:
    hits = []
    for seed in range(40):
        found = fit(grid(noise=0.1, seed=seed), num_resamples=200)
        hits += [
            found.exponents[name].low <= wanted <= found.exponents[name].high for name, wanted in EXPONENTS.items()
        ]
    assert 0.85 <= np.mean(hits) <= 1.0


def test_what_lies_beyond_is_predicted_from_the_rest() -> None:
    """A law that holds goes on; losses that bend are missed where nothing was fitted."""
    assert missed_beyond(grid()) == pytest.approx(1.0)
    bent = [replace(one, loss=one.loss / 3) if one.samples == SAMPLES[-1] else one for one in grid()]
    assert (
        missed_beyond(bent)
        == pytest.approx(3.0)
        == missed_beyond([replace(one, loss=one.loss * 3) if one.samples == SAMPLES[-1] else one for one in grid()])
    )
    assert missed_beyond([one for one in grid() if one.samples == SAMPLES[0]]) is None and missed_beyond([]) is None


def test_more_noise_means_wider_intervals() -> None:
    widths = [fit(grid(noise), num_resamples=300).exponents["samples"] for noise in (0.02, 0.2)]
    assert widths[1].high - widths[1].low > 4 * (widths[0].high - widths[0].low)


def test_a_factor_that_does_not_vary_has_no_exponent() -> None:
    points = [point for point in grid() if point.start_languages == 0]
    assert set(fit(points).exponents) == {"parameters", "samples"}


def test_the_same_points_give_the_same_intervals() -> None:
    assert fit(grid(0.1), num_resamples=100) == fit(grid(0.1), num_resamples=100)


def test_points_that_cannot_tell_are_refused() -> None:
    together = [
        Point(parameters=size, samples=size / 100, start_languages=0, loss=1.0 / size) for size in (1e6, 2e6, 4e6, 8e6)
    ]
    for points in (together, grid()[:2], []):
        with pytest.raises(ValueError, match="too few to fit"):
            fit(points)
    with pytest.raises(ValueError, match="no place for"):
        fit([*grid(), replace(grid()[0], loss=0.0)])
