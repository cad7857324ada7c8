"""The pairs that a table is learned from are a pure function of all pairs, however Beam adds them up."""

import random

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from florenz.filters.order import LEARNED_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.pipeline.assemble.alignment import SmallestHashes, is_learning

PAIRS = [(f"source {number}", f"text {number}") for number in range(500)]


def combined(parts, limit):
    combiner = SmallestHashes(limit)
    accumulators = []
    for part in parts:
        accumulator = combiner.create_accumulator()
        for pair in part:
            accumulator = combiner.add_input(accumulator, pair)
        accumulators.append(accumulator)
    return combiner.extract_output(combiner.merge_accumulators(accumulators))


@pytest.mark.parametrize("size", [1, 7, 500])
def test_order_and_bundles_do_not_change_the_choice(size):
    shuffled = list(PAIRS) * 2
    random.Random(size).shuffle(shuffled)
    parts = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    found = combined(parts, 40)
    assert found == combined([PAIRS], 40) and len(found) == 40


def test_beam_gives_the_same(tmp_path):
    with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
        found = (
            pipeline
            | beam.Create([("de", pair) for pair in PAIRS[::-1]])
            | beam.Reshuffle()
            | beam.CombinePerKey(SmallestHashes(25))
        )
        assert_that(found, equal_to([("de", combined([PAIRS], 25))]))


def test_the_recipe_turns_it_off():
    assert is_learning(FilterSettings())
    assert not is_learning(FilterSettings(alignment="off"))
    assert not is_learning(FilterSettings(disabled=LEARNED_CHECKS))
    assert is_learning(FilterSettings(disabled=("misaligned",)))
    with pytest.raises(ValueError, match="alignment = 'on': choose learn or off"):
        FilterSettings(alignment="on")
