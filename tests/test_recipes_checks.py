"""Recipes' checks say the same thing in the same words, and nothing about what is right or left out."""

import pytest

from florenz.recipes import checks


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        (checks.below_1(a=0, b=1, c=None), ["a is 0: choose at least 1"]),
        (checks.below_1(**{"workers (WORKERS)": -1}), ["workers (WORKERS) is -1: choose at least 1"]),
        (checks.below_0(a=-0.5, b=0, c=None), ["a is -0.5: choose 0 or more"]),
        (checks.not_above_0(a=0, b=0.1, c=None), ["a is 0: choose more than 0"]),
        (checks.no_share(a=1.1, b=1, c=None), ["a is 1.1: choose more than 0 and at most 1"]),
        (checks.no_share(a=0), ["a is 0: choose more than 0 and at most 1"]),
        (checks.blank("out", " ", "name one"), ["out is empty: name one"]),
        (checks.blank("out", "x", "name one"), []),
        (checks.not_among("dtype", "x", ("a", "b", "c")), ["dtype is 'x': choose a, b or c"]),
        (checks.not_among("dtype", "x", ("a",)), ["dtype is 'x': choose a"]),
        (checks.not_among("dtype", "a", ("a", "b")) + checks.not_among("dtype", None, ("a",)), []),
        (checks.unknown("steps", ["noet", "note"], ("note", "fence")), ["steps has 'noet': did you mean 'note'?"]),
        (checks.no_device("device", "gpu"), ["device is 'gpu': choose auto, cpu, cuda or cuda:1"]),
        ([one for name in ("auto", "cpu", "cuda", "cuda:3") for one in checks.no_device("device", name)], []),
    ],
)  # fmt: skip
def test_a_check_gives_one_line_for_each_wrong_value(problems: list[str], expected: list[str]) -> None:
    assert problems == expected


def test_problems_are_raised_together_and_none_is_no_error() -> None:
    checks.raise_if([])
    with pytest.raises(ValueError, match="^one\ntwo$"):
        checks.raise_if(["one", "two"])
