"""Ranks share a step: whole micro-batches, or slices of them where there are more ranks than micro-batches."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shards_dataset import write_dataset
from training_examples import ROOT

from florenz.train import preflight
from florenz.train.counts import Counts, restored
from florenz.train.data.stream import Stream, StreamError
from florenz.train.distributed import Place, find_place
from florenz.train.recipe import load_recipe
from florenz.train.share import divides, share_of


@given(st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_every_part_of_a_step_is_taken_once(one: int, times: int, has_more_ranks: bool) -> None:
    num_micro_batches, world_size = (one, one * times) if has_more_ranks else (one * times, one)
    assert divides(num_micro_batches, world_size)
    taken = []
    for rank in range(world_size):
        share = share_of(num_micro_batches, rank=rank, world_size=world_size)
        numbers = range(share.first, num_micro_batches, share.step)
        assert len(numbers) == share.per_step
        taken += [(number, share.part, share.num_parts) for number in numbers]
    assert len({share for *_, share in taken}) == 1
    assert sorted(taken) == [(n, p, taken[0][2]) for n in range(num_micro_batches) for p in range(taken[0][2])]


def texts_of(folder: str, *, part: int = 0, num_parts: int = 1) -> list[list[str]]:
    """The keys of the first three micro-batches."""
    stream = Stream(
        folder, batch_size=6, seed=0, collate=lambda examples: {"keys": [one.key for one in examples]},
        image_px=None, part=part, num_parts=num_parts,
    )  # fmt: skip
    batches = stream.batches()
    return [next(batches)["keys"] for _ in range(3)]


def test_slices_of_a_micro_batch_are_the_micro_batch(tmp_path: Path) -> None:
    write_dataset(str(tmp_path), 40)
    whole = texts_of(str(tmp_path))
    slices = [texts_of(str(tmp_path), part=part, num_parts=3) for part in range(3)]
    assert [sum(parts, []) for parts in zip(*slices, strict=True)] == whole
    assert all(0 < len(keys) <= 2 for keys in sum(slices, []))
    with pytest.raises(StreamError, match="choose a larger batch size"):
        texts_of(str(tmp_path), part=0, num_parts=7)


@pytest.mark.parametrize("name", ["train", "train_both"])
@pytest.mark.parametrize("num_ranks", [2, 8])
def test_the_shipped_recipes_run_on_eight_ranks(name: str, num_ranks: int) -> None:
    """README's torchrun command."""
    recipe = load_recipe(str(ROOT / "configs" / f"{name}.toml"))
    assert preflight.problems_of_recipe(recipe, world_size=num_ranks) == []
    (problem,) = preflight.problems_of_recipe(recipe, world_size=128)  # more ranks than examples
    assert "do not divide among 128 ranks" in problem


def test_counts_come_back_to_the_ranks_that_counted() -> None:
    kept = {"skipped": [3, 1], "truncated": [10, 20], "examples": [100, 100]}
    device = find_place("cpu").device
    second = restored(kept, Place(rank=1, world_size=2, device=device))
    assert second == Counts(skipped=1, truncated=20, examples=100)
    assert restored(kept, Place(rank=0, world_size=3, device=device)).skipped == 2  # never fewer than there were
    assert restored({}, Place(rank=0, world_size=1, device=device)) == Counts()  # a checkpoint from before
    assert Counts(skipped=4).of_all_ranks(Place(rank=0, world_size=1, device=device))["skipped"] == [4]
