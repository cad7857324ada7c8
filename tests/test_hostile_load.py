"""A slow and moody server under load: nothing is lost, and nothing is asked again that was answered."""

from benchmarks.load import GROWTH_GOAL_BYTES, load


def test_every_item_is_answered_once() -> None:
    """`make bench-load` does it with 200,000, whose replies take a hundred times as long."""
    found = load(6_000, seed=3, scale=0.01)
    assert found.faults > 5, "5% of the requests"
    assert (found.missing, found.repeated) == (0, 0)
    assert found.growth_bytes < GROWTH_GOAL_BYTES
