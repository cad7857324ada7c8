"""What ranks wait for the longest of a step, and how often a window of texts is planned, on the orders of the recipes.

Lengths are as captions of one to three sentences have them (log-normal, in tokens). A rank's work is its padded tokens:
batches as the stream deals them, windows sorted by length. With `even_lengths` and without, for the micro-batches of
the paper's pre-training. Nothing is read or trained: the order is a function (train/data/order.py).

    python -m benchmarks.lengths
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from florenz.train.building import EVEN_BATCHES
from florenz.train.data.order import SampleOrder, Window, even_parts
from florenz.train.recipe import load_recipe

GOAL = 1.1
NUM_STEPS = 40
SHARDS, SAMPLES = 120, 1_000
RECIPE = Path(__file__).parents[1] / "configs" / "paper_3.5b.toml"
USUAL = 16  # lanes of a stage that says nothing


def lengths_of_texts() -> list[np.ndarray]:
    """For each shard the tokens of each of its texts."""
    drawn = np.random.default_rng(0)
    sentences = [drawn.choice([1, 2, 4], p=[0.4, 0.35, 0.25], size=SAMPLES) for _ in range(SHARDS)]
    return [np.maximum(drawn.lognormal(2.6, 0.35, size=len(one)) * one, 3).astype(int) for one in sentences]


def order_of(batch_size: int, *, is_even: bool, lanes: int) -> SampleOrder:
    """As a stage has it over these texts."""
    return SampleOrder(
        build="b",
        split="train",
        seed=0,
        shard_samples=(SAMPLES,) * SHARDS,
        batch_size=batch_size,
        bucket_batches=EVEN_BATCHES if is_even else 8,
        is_even=is_even,
        max_lanes=lanes,
    )


def imbalance(order: SampleOrder, lengths: Sequence[np.ndarray], *, num_ranks: int, per_step: int) -> float:
    """The longest rank of a step over their mean, as a mean over steps. per_step: micro-batches."""

    @cache
    def padded_of(window: Window) -> list[int]:
        found = np.sort([lengths[shard][index] for shard, index in order.samples_of(window)])
        return [int(found[part].max()) * len(found[part]) for part in even_parts(len(found), window.num_batches)]

    def padded(micro_batch: int) -> int:
        window, place = order.window_of(micro_batch)
        return padded_of(window)[order.batch_at(window, place)]

    shares = []
    for step in range(NUM_STEPS):
        work = np.zeros(num_ranks)
        for place in range(per_step):
            work[place % num_ranks] += padded(step * per_step + place)
        shares.append(work.max() / work.mean())
    return float(np.mean(shares))


def times_planned(order: SampleOrder, num_loaders: int) -> float:
    """By how many of the loaders, ranks times workers, a window is planned in an epoch, on average."""
    planned = [
        {order.window_of(number)[0] for number in range(loader, order.batches_per_epoch, num_loaders)}
        for loader in range(num_loaders)
    ]
    return sum(map(len, planned)) / len(set().union(*planned))


def main() -> None:
    recipe = load_recipe(str(RECIPE))
    (stage,) = recipe.stages
    lengths, size, per_step = lengths_of_texts(), stage.size_of_micro_batch, stage.num_micro_batches
    even = order_of(size, is_even=stage.even_lengths, lanes=stage.lanes)
    apart = order_of(size, is_even=False, lanes=USUAL)
    worst = 0.0
    for num_ranks, number in ((8, 8), (8, per_step), (16, per_step)):
        found = [imbalance(one, lengths, num_ranks=num_ranks, per_step=number) for one in (even, apart)]
        worst = max(worst, found[0])
        print(f"{num_ranks} ranks, {number} micro-batches a step: {found[0]:.2f}; without even_lengths {found[1]:.2f}")
    loaders = 8 * recipe.workers
    usual = order_of(size, is_even=True, lanes=USUAL)
    print(
        f"{loaders} loaders plan a window {times_planned(even, loaders):.1f} times with {stage.lanes} lanes, "
        f"{times_planned(usual, loaders):.1f} times with {USUAL}"
    )
    print(f"bench-lengths: the longest rank of a step has {worst:.2f} times the mean (goal {GOAL} or less)")


if __name__ == "__main__":
    main()
