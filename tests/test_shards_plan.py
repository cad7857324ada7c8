import hashlib
import random
from bisect import bisect_left
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.shards.plan import Counted, Plan, Rules, ShardPlan, plan_shards, shard_name, split_of_name

KEYS = st.sets(st.integers(0, 10**6).map(lambda number: f"{number:032x}"), max_size=60)
SEEDS = st.integers(0, 5)
FRACTIONS = st.floats(0.01, 0.89)
CHOOSE = 0.1
SIZES = st.integers(1, 20)


def split_of_keys(plans: list[ShardPlan]) -> dict[str, str]:
    return {key: plan.split for plan in plans for key in plan.keys}


@given(KEYS, SEEDS, FRACTIONS, SIZES)
def test_every_key_is_in_exactly_one_shard(keys: set[str], seed: int, fraction: float, size: int) -> None:
    plans = plan_shards(keys, seed=seed, val_fraction=fraction, choose_fraction=CHOOSE, images_per_shard=size)
    assert sorted(key for plan in plans for key in plan.keys) == sorted(keys)


@given(KEYS, SEEDS, FRACTIONS, SIZES, st.randoms(use_true_random=False))
def test_the_plan_does_not_depend_on_the_order_of_the_keys(
    keys: set[str], seed: int, fraction: float, size: int, shuffler: random.Random
) -> None:
    shuffled = sorted(keys)
    shuffler.shuffle(shuffled)
    plan = partial(plan_shards, seed=seed, val_fraction=fraction, choose_fraction=CHOOSE, images_per_shard=size)
    assert plan(shuffled) == plan(sorted(keys))


@given(KEYS, SEEDS, FRACTIONS, SIZES)
def test_shards_are_full_but_the_last_and_numbered_from_zero(
    keys: set[str], seed: int, fraction: float, size: int
) -> None:
    plans = plan_shards(keys, seed=seed, val_fraction=fraction, choose_fraction=CHOOSE, images_per_shard=size)
    for split in ("train", "choose", "val"):
        shards = [plan for plan in plans if plan.split == split]
        assert [shard.index for shard in shards] == list(range(len(shards)))
        assert all(len(shard.keys) == size for shard in shards[:-1])
        assert all(1 <= len(shard.keys) <= size for shard in shards)


@given(KEYS.filter(lambda keys: len(keys) >= 2), SEEDS, FRACTIONS)
def test_with_two_images_neither_train_nor_val_is_empty(keys: set[str], seed: int, fraction: float) -> None:
    plans = plan_shards(keys, seed=seed, val_fraction=fraction, choose_fraction=CHOOSE, images_per_shard=10)
    assert {"train", "val"} <= {plan.split for plan in plans}


def test_a_single_image_goes_to_train() -> None:
    for seed in range(20):
        plans = plan_shards(["a" * 32], seed=seed, val_fraction=0.89, choose_fraction=CHOOSE, images_per_shard=1)
        assert [plan.split for plan in plans] == ["train"]


def test_no_images_need_no_shards() -> None:
    assert plan_shards([], seed=0, val_fraction=0.02, choose_fraction=CHOOSE, images_per_shard=10) == []


def test_images_that_are_added_do_not_move_the_others_between_splits() -> None:
    keys = [f"{number:032x}" for number in range(2000)]
    plan = partial(plan_shards, seed=1, val_fraction=0.1, choose_fraction=CHOOSE, images_per_shard=100)
    before, after = split_of_keys(plan(keys[:1000])), split_of_keys(plan(keys))
    assert {key: after[key] for key in before} == before


def test_val_and_choose_hold_their_shares() -> None:
    plans = plan_shards(
        (f"{n:032x}" for n in range(10_000)), seed=0, val_fraction=0.02, choose_fraction=CHOOSE, images_per_shard=1000
    )
    assert 150 < sum(len(plan.keys) for plan in plans if plan.split == "val") < 250
    assert 900 < sum(len(plan.keys) for plan in plans if plan.split == "choose") < 1100


@given(KEYS, SEEDS, FRACTIONS)
def test_choose_takes_nothing_from_val(keys: set[str], seed: int, fraction: float) -> None:
    """What was reported before there was a split for choosing is reported on the same images after."""
    with_choose, without = (
        split_of_keys(plan_shards(keys, seed=seed, val_fraction=fraction, choose_fraction=share, images_per_shard=10))
        for share in (CHOOSE, 0)
    )
    assert {key for key in keys if with_choose[key] == "val"} == {key for key in keys if without[key] == "val"}


def test_another_seed_gives_another_split_and_order() -> None:
    keys = [f"{number:032x}" for number in range(100)]
    plans = [plan_shards(keys, seed=seed, val_fraction=0.2, choose_fraction=0, images_per_shard=100) for seed in (0, 1)]
    assert set(plans[0][1].keys) != set(plans[1][1].keys)
    common = set(plans[0][0].keys) & set(plans[1][0].keys)
    orders = [[key for key in plan[0].keys if key in common] for plan in plans]
    assert orders[0] != orders[1]


def test_the_order_within_a_split_is_not_that_of_the_keys_or_of_the_split_hash() -> None:
    keys = [f"{number:032x}" for number in range(200)]
    few, many = (
        plan_shards(keys, seed=0, val_fraction=share, choose_fraction=0, images_per_shard=200)[1].keys
        for share in (0.1, 0.5)
    )
    assert list(many) != sorted(many)
    assert many[: len(few)] != few  # with one hash for both, the lowest of val would always come first


def test_a_key_that_is_given_twice_is_a_fault_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="twice"):
        plan_shards(["a" * 32, "a" * 32], seed=0, val_fraction=0.1, choose_fraction=CHOOSE, images_per_shard=1)


def test_shard_names_sort_as_their_numbers_and_state_the_split() -> None:
    assert shard_name("train", 0) == "train-000000.tar"
    assert shard_name("heldout", 42) == "heldout-000042.tar"
    assert split_of_name("heldout-000042.tar") == "heldout" == split_of_name("val-heldout-000042.tar")
    assert split_of_name("val-000000.tar") == "val"
    assert split_of_name(shard_name("train", 1_000_000)) == "train"
    for name in ("train.tar", "train-1.tar", "test-000000.tar", "train-000000.tar.gz", "a/train-000000.tar"):
        assert split_of_name(name) is None


def sorted_out(keys: list[str], seed: int, val: float, choose: float, size: int) -> list[ShardPlan]:
    """The plan as a process makes it that holds all keys; how shards were planned at first."""

    def drawn(salt: str, key: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{salt}\0{seed}\0{key}".encode()).digest()[:8], "big")

    ranked = sorted((drawn("split", key), key) for key in keys)
    hashes, in_order = [number for number, _ in ranked], [key for _, key in ranked]
    most = max(len(keys) - 1, 0)
    end_of_val = min(max(bisect_left(hashes, val * 2**64), 1), most)
    end = max(end_of_val, min(bisect_left(hashes, (val + choose) * 2**64), most))
    splits = {"train": in_order[end:], "choose": in_order[end_of_val:end], "val": in_order[:end_of_val]}
    plans = []
    for split, of_split in splits.items():
        ordered = sorted(of_split, key=lambda key: (drawn("order", key), key))
        for start in range(0, len(ordered), size):
            plans.append(ShardPlan(split=split, index=start // size, keys=tuple(ordered[start : start + size])))
    return plans


@given(
    st.integers(0, 60),
    st.integers(0, 3),
    st.sampled_from([0.01, 0.1, 0.5, 0.89]),
    st.sampled_from([0, 0.02, 0.1]),
    st.integers(1, 9),
)
def test_counts_give_the_plan_of_a_sorted_list(count: int, seed: int, val: float, choose: float, size: int) -> None:
    keys = [hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:32] for number in range(count)]
    planned = plan_shards(keys, seed=seed, val_fraction=val, choose_fraction=choose, images_per_shard=size)
    assert planned == sorted_out(keys, seed, val, choose, size)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 7), st.integers(1, 5))
def test_how_finely_images_are_counted_and_by_how_many_changes_no_plan(
    count: int, buckets: int, size: int, parts: int
) -> None:
    fine = Rules(seed=1, val_fraction=0.2, choose_fraction=0.1, images_per_shard=size, buckets=buckets)
    images = [fine.drawn(f"{number:032x}") for number in range(count)]
    counted = Counted.added(Counted.of(images[start::parts], fine) for start in range(parts))
    assert counted == Counted.of(images, fine)
    plan = Plan(counted, fine)
    for wanted in sorted_out([image.key for image in images], 1, 0.2, 0.1, size):
        there = [one for one in images if plan.split_of(one) == wanted.split and wanted.index in plan.shards_of(one)]
        assert tuple(plan.places(wanted.split, wanted.index, there[::-1])) == wanted.keys
