"""Which image goes into which split and shard: a pure function of the keys and a seed.

    train     what is learned from
    choose    what a recipe or a stopping point is chosen on
    val       what is reported: nothing was chosen on it
    heldout   the captions of val's images that are withheld from training; in a folder of its own

Everything is a hash, so workers, order of arrival and reruns cannot change the plan. In which split an image is depends
on its own key alone: images that are added later do not move those that were there (the one exception is a set so small
that no image, or every image, falls into val by itself). Shard numbers do shift when images are added, which is why a
build has a folder of its own.

Planned from counts, so that nobody holds all keys: the order of a split is cut into buckets, and knowing how many
images lie in each is knowing in which shard each image is.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

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


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides a plan besides the keys. buckets: into how many ranges of the order the images of a split are
    counted; any number gives the same plan, and the more there are, the fewer images are looked at for two shards.
    """

    seed: int
    val_fraction: float
    choose_fraction: float
    images_per_shard: int
    buckets: int = 1

    def __post_init__(self) -> None:
        fractions = self.val_fraction, self.choose_fraction
        assert self.val_fraction > 0 <= self.choose_fraction and sum(fractions) < 1, fractions
        assert self.images_per_shard >= 1 <= self.buckets, self

    def drawn(self, key: str) -> Drawn:
        return Drawn(of_split=_hash("split", self.seed, key), key=key, of_order=_hash("order", self.seed, key))

    def split_by_itself(self, image: Drawn) -> str:
        """The split of an image, as if val and train could be empty."""
        if image.of_split < self.val_fraction * 2**64:
            return "val"
        return "choose" if image.of_split < (self.val_fraction + self.choose_fraction) * 2**64 else "train"

    def bucket(self, image: Drawn) -> int:
        return image.of_order * self.buckets >> 64


class Drawn(NamedTuple):
    """An image and its numbers, 64 bits each, which decide its split and its place there. Sorts by split."""

    of_split: int
    key: str
    of_order: int


@dataclass(frozen=True)
class Counted:
    """How many images there are in each bucket of each split, which of all comes first and which last: counts of parts
    add up to those of the whole, in any order.
    """

    sizes: Mapping[tuple[str, int], int] = field(default_factory=dict)
    first: Drawn | None = None
    last: Drawn | None = None

    @staticmethod
    def of(images: Iterable[Drawn], rules: Rules) -> Counted:
        images = list(images)
        sizes = Counter((rules.split_by_itself(image), rules.bucket(image)) for image in images)
        return Counted(dict(sizes), min(images, default=None), max(images, default=None))

    @staticmethod
    def added(parts: Iterable[Counted]) -> Counted:
        sizes: Counter[tuple[str, int]] = Counter()
        ends: list[Drawn] = []
        for part in parts:
            sizes.update(part.sizes)
            ends += [end for end in (part.first, part.last) if end is not None]
        return Counted(dict(sizes), min(ends, default=None), max(ends, default=None))


class Plan:
    """Where images go, from counts alone: a worker that knows an image and this knows its shard, or the two that it may
    be in; a shard's writer, who sees all images of its buckets, knows which are its own.
    """

    def __init__(self, counted: Counted, rules: Rules) -> None:
        self.rules = rules
        self._moved: dict[str, str] = {}
        sizes = Counter(counted.sizes)
        in_split: Counter[str] = Counter()
        for (split, _), number in sizes.items():
            in_split[split] += number
        total = in_split.total()
        moves = [
            (counted.first, "val", total > 1 and not in_split["val"]),
            (counted.last, "train", total > 0 and not in_split["train"]),
        ]
        for image, split, is_needed in moves:
            if is_needed and image is not None:
                bucket = rules.bucket(image)
                sizes[rules.split_by_itself(image), bucket] -= 1
                sizes[split, bucket] += 1
                self._moved[image.key] = split
        self._starts = {
            split: list(accumulate((sizes[split, bucket] for bucket in range(rules.buckets)), initial=0))
            for split in ("train", "choose", "val")
        }

    def split_of(self, image: Drawn) -> str:
        """With two images or more, neither train nor val is empty; choose may be. A single image goes to train."""
        return self._moved.get(image.key) or self.rules.split_by_itself(image)

    def shards_of(self, image: Drawn) -> range:
        """The shards of its split that hold images of its bucket; one, but where a shard ends within the bucket."""
        starts, bucket = self._starts[self.split_of(image)], self.rules.bucket(image)
        last = max(starts[bucket + 1] - 1, starts[bucket])
        return range(starts[bucket] // self.rules.images_per_shard, last // self.rules.images_per_shard + 1)

    def places(self, split: str, index: int, images: Iterable[Drawn]) -> list[str]:
        """The keys of one shard, in order; images: all of the split for which `shards_of` names this one."""
        size = self.rules.images_per_shard
        start = self._starts[split][bisect_right(self._starts[split], index * size) - 1]
        ordered = sorted(images, key=lambda image: (image.of_order, image.key))
        return [image.key for image in ordered[index * size - start : (index + 1) * size - start]]


def plan_shards(
    keys: Iterable[str], *, seed: int, val_fraction: float, choose_fraction: float, images_per_shard: int
) -> list[ShardPlan]:
    """The shards of images that one process can hold, train first. Each key must be given once; each is in exactly one
    shard. A heldout shard is not planned here: it holds the images of the val shard with the same index.
    """
    rules = Rules(
        seed=seed,
        val_fraction=val_fraction,
        choose_fraction=choose_fraction,
        images_per_shard=images_per_shard,
        buckets=16,
    )
    images = [rules.drawn(key) for key in keys]
    assert len(set(images)) == len(images), "a key was given twice: duplicates are rejected before shards are planned"
    plan = Plan(Counted.of(images, rules), rules)
    found: dict[tuple[str, int], list[Drawn]] = defaultdict(list)
    for image in images:
        for index in plan.shards_of(image):
            found[plan.split_of(image), index].append(image)
    return [
        ShardPlan(split=split, index=index, keys=tuple(plan.places(split, index, of_shard)))
        for (split, index), of_shard in sorted(found.items(), key=lambda item: (SPLITS.index(item[0][0]), item[0][1]))
    ]


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


def _hash(salt: str, seed: int, key: str) -> int:
    """64 bits. The salt keeps the order within a split independent of what decided the split."""
    digest = hashlib.sha256(f"{salt}\0{seed}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
