"""The order of an epoch: which samples stand in which micro-batch, as a pure function of (seed, epoch, manifest).

    shards, permuted  ->  groups of 4, the samples of a group permuted together  ->  one sequence of all samples
    the sequence, cut into L lanes of consecutive samples   ->  micro-batch i of an epoch comes from lane i % L
    a lane, cut into windows of 8 batches  ->  in a window, batches of samples of like length, in permuted order

Everything that stands to be permuted is sorted by random numbers from a generator keyed by a hash, so nothing depends
on who asks, or when. The trade-off is locality against shuffling: a sample meets those of its own group alone, but at
any time as many groups as lanes take turns. The lanes, 16 unless a stage says otherwise, are there for the loaders,
ranks times workers: as many loaders as lanes read (and fetch, where shards are remote) their own part of an epoch's
shards each, and no window is planned twice. Any other number gives the same order; where it does not divide the lanes,
each window is planned by several loaders.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

MAX_LANES = 16


@dataclass(frozen=True, kw_only=True)
class Window:
    """Consecutive micro-batches of one lane. first_batch counts along the sequence of the epoch, lane after lane."""

    epoch: int
    first_batch: int
    num_batches: int


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleOrder:
    """All epochs of one split of one build. shard_samples: number of samples of each shard, in the manifest's order."""

    build: str
    split: str
    seed: int
    shard_samples: tuple[int, ...]
    batch_size: int
    bucket_batches: int = 8
    shards_per_group: int = 4
    max_lanes: int = MAX_LANES
    is_even: bool = False
    """Whether all lanes permute the batches of their windows alike, so that those of one step are of like length."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "bucket_batches", "shards_per_group", "max_lanes"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}: choose 1 or more")
        if not self.num_samples:
            raise ValueError(f"the split {self.split} has no samples: choose another, or add images to the dataset")

    @cached_property
    def num_samples(self) -> int:
        return sum(self.shard_samples)

    @cached_property
    def batches_per_epoch(self) -> int:
        return -(-self.num_samples // self.batch_size)

    @cached_property
    def num_lanes(self) -> int:
        """Few enough that every lane of a small dataset still has a whole window to sort."""
        return min(self.max_lanes, -(-self.batches_per_epoch // self.bucket_batches))

    def window_of(self, micro_batch: int) -> tuple[Window, int]:
        """The window that a micro-batch (counted over all epochs, from 0) comes from, and its place in there."""
        assert micro_batch >= 0, micro_batch
        epoch, turn = divmod(micro_batch, self.batches_per_epoch)
        place_in_lane, lane = divmod(turn, self.num_lanes)
        number, place = divmod(place_in_lane, self.bucket_batches)
        short, num_longer_lanes = divmod(self.batches_per_epoch, self.num_lanes)
        lane_start = lane * short + min(lane, num_longer_lanes)
        lane_end = lane_start + short + (lane < num_longer_lanes)
        first = lane_start + number * self.bucket_batches
        return Window(epoch=epoch, first_batch=first, num_batches=min(self.bucket_batches, lane_end - first)), place

    def samples_of(self, window: Window) -> list[tuple[int, int]]:
        """(shard, index in the shard) of the samples of a window, in the order of the sequence."""
        start = window.first_batch * self.batch_size
        end = min(start + window.num_batches * self.batch_size, self.num_samples)
        return self._sequence(window.epoch, start, end)

    def batch_at(self, window: Window, place: int) -> int:
        """Which of a window's batches, counted from the shortest, stands at this place."""
        where = self._number_in_lane(window) if self.is_even else window.first_batch
        key = self._key("batches", window.epoch, where)
        return int(_permutation(window.num_batches, key)[place])

    def _number_in_lane(self, window: Window) -> int:
        """Which window of its lane it is, from 0."""
        lanes = even_parts(self.batches_per_epoch, self.num_lanes)
        start = next(lane.start for lane in lanes if lane.start <= window.first_batch < lane.stop)
        return (window.first_batch - int(start)) // self.bucket_batches

    def _sequence(self, epoch: int, start: int, end: int) -> list[tuple[int, int]]:
        starts_G = _epoch_layout(self, epoch)[1]
        group = int(np.searchsorted(starts_G, start, side="right")) - 1
        samples: list[tuple[int, int]] = []
        while start < end:
            shards_N, indices_N = _group(self, epoch, group)
            here = slice(start - int(starts_G[group]), end - int(starts_G[group]))
            samples += zip(shards_N[here].tolist(), indices_N[here].tolist(), strict=True)
            group += 1
            start = int(starts_G[group])
        return samples

    def _key(self, *what: object) -> int:
        name = "\0".join(map(str, (self.seed, self.build, self.split, *what)))
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")


def even_parts(num_items: int, num_parts: int) -> list[slice]:
    """Consecutive slices whose lengths differ by one at most, the longer ones first."""
    short, num_longer = divmod(num_items, num_parts)
    ends = [short * (part + 1) + min(part + 1, num_longer) for part in range(num_parts)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


# The caches hold what the lanes of one process need at a time: an epoch and the next, and a group or two for each lane.


@lru_cache(maxsize=4)
def _epoch_layout(order: SampleOrder, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """The permuted shards, and the position in the sequence at which each group of them starts; the end comes last."""
    shards = _permutation(len(order.shard_samples), order._key("shards", epoch))
    ends = np.cumsum(np.asarray(order.shard_samples)[shards])
    starts = np.concatenate(([0], ends))[:: order.shards_per_group]
    return shards, starts if len(shards) % order.shards_per_group == 0 else np.append(starts, ends[-1])


@lru_cache(maxsize=128)
def _group(order: SampleOrder, epoch: int, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Shard and index of the samples of a group, permuted."""
    shards = _epoch_layout(order, epoch)[0][group * order.shards_per_group :][: order.shards_per_group]
    sizes: Sequence[int] = [order.shard_samples[shard] for shard in shards]
    permutation = _permutation(sum(sizes), order._key("samples", epoch, group))
    indices = np.concatenate([np.arange(size) for size in sizes])
    return np.repeat(shards, sizes)[permutation], indices[permutation]


def _permutation(length: int, key: int) -> np.ndarray:
    # The raw stream of a bit generator is the one thing that numpy promises never to change; shuffle() is not.
    return np.argsort(np.random.Philox(key=key).random_raw(length), kind="stable")
