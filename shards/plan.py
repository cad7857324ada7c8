"""Which image goes into which split and shard: a pure function of the keys and a seed.

Everything is a hash, so workers, order of arrival and reruns cannot change the plan. Whether an image is in train or
in val depends on its own key alone: images that are added later do not move those that were there (the one exception
is a set so small that no image, or every image, falls into val by itself). Shard numbers do shift when images are
added, which is why a build has a folder of its own.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SPLITS = ("train", "val", "val-heldout")
SHARD_NAME = re.compile(r"(train|val|val-heldout)-\d{6,}\.tar")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardPlan:
    """The images of one shard, in their order. split: train or val; index counts from 0 within the split."""

    split: str
    index: int
    keys: tuple[str, ...]


def plan_shards(keys: Iterable[str], *, seed: int, val_fraction: float, images_per_shard: int) -> list[ShardPlan]:
    """The shards of all images, train first. Each key must be given once; each is in exactly one shard.

    With two images or more, neither split is empty. A single image goes to train. A val-heldout shard is not planned
    here: it holds the images of the val shard with the same index.
    """
    assert 0 < val_fraction < 1 and images_per_shard >= 1, (val_fraction, images_per_shard)
    keys = list(keys)
    assert len(set(keys)) == len(keys), "a key was given twice: duplicates are rejected before shards are planned"
    val = _val_keys(keys, seed, val_fraction)
    train = [key for key in keys if key not in val]
    return [*_shards("train", train, seed, images_per_shard), *_shards("val", val, seed, images_per_shard)]


def shard_name(split: str, index: int) -> str:
    """File name of a shard, like train-000042.tar or val-heldout-000000.tar."""
    assert split in SPLITS, split
    return f"{split}-{index:06d}.tar"


def split_of_name(name: str) -> str | None:
    """The split that a shard's file name states, None if it is not the name of a shard."""
    match = SHARD_NAME.fullmatch(name)
    return match.group(1) if match else None


def _val_keys(keys: Sequence[str], seed: int, val_fraction: float) -> set[str]:
    if len(keys) < 2:
        return set()
    share = {key: _hash("split", seed, key) for key in keys}
    val = {key for key in keys if share[key] < val_fraction * 2**64}
    if not val:
        val = {min(keys, key=lambda key: (share[key], key))}
    if len(val) == len(keys):
        val.remove(max(keys, key=lambda key: (share[key], key)))
    return val


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
