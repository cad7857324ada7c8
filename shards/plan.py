"""Which image goes into which split and shard: a pure function of the keys and a seed.

    train     what is learned from
    choose    what a recipe or a stopping point is chosen on
    val       what is reported: nothing was chosen on it
    heldout   the captions of val's images that are withheld from training; in a folder of its own

Everything is a hash, so workers, order of arrival and reruns cannot change the plan. In which split an image is depends
on its own key alone: images that are added later do not move those that were there (the one exception is a set so small
that no image, or every image, falls into val by itself). Shard numbers do shift when images are added, which is why a
build has a folder of its own.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HELDOUT = "heldout"
SPLITS = ("train", "choose", "val", HELDOUT)
SHARD_NAME = re.compile(r"(train|choose|val|heldout|val-heldout)-\d{6,}\.tar")
HELDOUT_BEFORE = "val-heldout"  # what schema version 1 called it


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardPlan:
    """The images of one shard, in their order. split: train, choose or val; index counts from 0 within the split."""

    split: str
    index: int
    keys: tuple[str, ...]


def plan_shards(
    keys: Iterable[str], *, seed: int, val_fraction: float, choose_fraction: float, images_per_shard: int
) -> list[ShardPlan]:
    """The shards of all images, train first. Each key must be given once; each is in exactly one shard.

    With two images or more, neither train nor val is empty; choose may be, where no image falls into it. A single image
    goes to train. A heldout shard is not planned here: it holds the images of the val shard with the same index.
    """
    assert val_fraction > 0 <= choose_fraction and val_fraction + choose_fraction < 1, (val_fraction, choose_fraction)
    assert images_per_shard >= 1, images_per_shard
    keys = list(keys)
    assert len(set(keys)) == len(keys), "a key was given twice: duplicates are rejected before shards are planned"
    splits = _splits(keys, seed, val_fraction, choose_fraction)
    return [plan for split, its_keys in splits.items() for plan in _shards(split, its_keys, seed, images_per_shard)]


def shard_name(split: str, index: int) -> str:
    """File name of a shard, like train-000042.tar or heldout-000000.tar."""
    assert split in SPLITS, split
    return f"{split}-{index:06d}.tar"


def split_of_name(name: str) -> str | None:
    """The split that a shard's file name states, None if it is not the name of a shard."""
    match = SHARD_NAME.fullmatch(name)
    return split_named(match.group(1)) if match else None


def split_named(name: str) -> str:
    """The split under the name that it has now."""
    return HELDOUT if name == HELDOUT_BEFORE else name


def _splits(keys: Sequence[str], seed: int, val_fraction: float, choose_fraction: float) -> dict[str, list[str]]:
    """Split -> its keys. By the hash: first val, then choose, then train, so that val is what it was before choose."""
    ranked = sorted((_hash("split", seed, key), key) for key in keys)
    hashes, in_order = [number for number, _ in ranked], [key for _, key in ranked]
    most = max(len(keys) - 1, 0)  # one is left for train
    end_of_val = min(max(bisect_left(hashes, val_fraction * 2**64), 1), most)
    end_of_choose = max(end_of_val, min(bisect_left(hashes, (val_fraction + choose_fraction) * 2**64), most))
    return {
        "train": in_order[end_of_choose:],
        "choose": in_order[end_of_val:end_of_choose],
        "val": in_order[:end_of_val],
    }


def _shards(split: str, keys: Iterable[str], seed: int, images_per_shard: int) -> list[ShardPlan]:
    ordered = sorted(keys, key=lambda key: (_hash("order", seed, key), key))
    starts = range(0, len(ordered), images_per_shard)
    return [
        ShardPlan(split=split, index=index, keys=tuple(ordered[start : start + images_per_shard]))
        for index, start in enumerate(starts)
    ]


def _hash(salt: str, seed: int, key: str) -> int:
    """64 bits. The salt keeps the order within a split independent of what decided the split."""
    digest = hashlib.sha256(f"{salt}\0{seed}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
