"""The two halves of the tests are all of them, each once, and about as large."""

from hypothesis import given
from hypothesis import strategies as st
from side_by_side import halves, main


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 1000), max_size=40))
def test_every_file_is_in_one_half_and_neither_is_much_larger(sizes: dict[str, int]) -> None:
    first, second = halves(sizes)
    assert sorted([*first, *second]) == sorted(sizes)
    totals = [sum(sizes[name] for name in half) for half in (first, second)]
    assert abs(totals[0] - totals[1]) <= max(sizes.values(), default=0)


def test_an_unknown_word_runs_nothing() -> None:
    assert main(["slow"]) == 2
