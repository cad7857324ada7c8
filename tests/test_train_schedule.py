"""The learning rate, over any stage."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.train.schedule import learning_rate


def rates(steps: int, warmup: float, peak: float = 1.0) -> list[float]:
    return [learning_rate(step, steps=steps, peak=peak, warmup=warmup) for step in range(steps)]


@given(st.integers(1, 300), st.floats(0, 0.99), st.floats(1e-6, 1.0))
def test_it_rises_to_the_peak_and_falls_from_there_and_is_never_zero(steps: int, warmup: float, peak: float) -> None:
    found = rates(steps, warmup, peak)
    top = found.index(max(found))
    assert all(0 < rate <= peak * (1 + 1e-9) for rate in found)
    assert found[: top + 1] == sorted(found[: top + 1]) and found[top:] == sorted(found[top:], reverse=True)
    assert abs(top - warmup * steps) <= 1.5


def test_the_warm_up_is_a_line_and_the_rest_a_cosine() -> None:
    found = rates(110, 10 / 110, peak=2.0)
    assert found[:10] == pytest.approx([0.2 * place for place in range(1, 11)])
    assert found[10] == 2.0
    assert found[60] == pytest.approx(1.0)
    assert found[109] == pytest.approx(1 + math.cos(math.pi * 0.99))


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert rates(5, 0.0)[0] == 1.0
