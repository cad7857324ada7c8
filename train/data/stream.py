"""Shards to batches: one endless sequence of micro-batches that depends on nothing but the seed and the dataset.

    manifest -> order (train/order.py) -> windows of samples, each with the example that the mix chose
             -> sorted by length, cut into micro-batches -> pictures decoded -> collated

The state of the stream is one integer, the number of the next micro-batch. Micro-batch i goes to rank i % ranks, and
there to worker (i // ranks) % workers: any number of both sees the same sequence, and training can go on with another.

The number of micro-batches per epoch follows from the manifest alone. What only the shards can tell (an image without
any example of the mix, a sample that is broken) therefore makes batches smaller, never fewer: the samples of a window
that have an example are dealt evenly to its batches. Each of them is seen exactly once per epoch.

The trade-off: samples are read one by one, not as a stream of bytes. From a local disk that costs nothing measurable;
shards in an object store are copied first, ahead of their turn (train/data/read_ahead.py).
"""

import atexit
import hashlib
import itertools
import logging
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from florenz.shards.manifest import Manifest
from florenz.shards.schema import Example
from florenz.train.data.counting import count_images, sampled
from florenz.train.data.examples import (
    BrokenSample,
    TrainingExample,
    manifest_with,
    read_examples,
    read_picture,
    training_example,
)
from florenz.train.data.interrupts import interrupts_later, quiet_workers
from florenz.train.data.mix import Mix, choose
from florenz.train.data.order import SampleOrder, Window, even_parts
from florenz.train.data.read_ahead import ReadAhead
from florenz.train.data.tar_index import CACHE_BYTES, ShardCache, ShardFiles, StreamError

__all__ = ["Batch", "Stream", "StreamError", "TrainingExample"]

Batch = dict[str, torch.Tensor]
Collate = Callable[[list["TrainingExample"]], Batch]

log = logging.getLogger(__name__)


class Stream:
    """The micro-batches of a split for one rank.

    Attributes: num_samples and batches_per_epoch of all ranks together. skipped: samples of this rank that could not be
    read so far; a loop that saves it may set it again when it goes on. passed_over: images without any example of the
    mix, in those windows that this rank began.

    `ValueError` (`ManifestError` is one) when it is made: no dataset, no such split, a pair of the mix that the split
    lacks. `StreamError` comes later, from `batches`.
    """

    def __init__(
        self,
        out: str,
        *,
        batch_size: int,
        seed: int,
        collate: Collate,
        image_px: int | None,
        split: str = "train",
        mix: Mix | None = None,
        bucket_batches: int = 8,
        is_even: bool = False,
        num_workers: int = 0,
        prefetch_batches: int = 4,
        rank: int = 0,
        world_size: int = 1,
        part: int = 0,
        num_parts: int = 1,
        max_skips: int = 0,
        max_images: int | None = None,
        shuffle_pictures: bool = False,
        name_pictures: bool = False,
        pin_memory: bool = False,
        cache_folder: str = "",
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """image_px: side of the pictures, None leaves images out. bucket_batches: how many batches are sorted by length
        together. is_even: batches in a row are of like length, for ranks that wait for each other. prefetch_batches:
        for each worker. part, num_parts: of each micro-batch one slice alone. max_skips: of one rank. max_images: the
        first so many of the split, None for all. shuffle_pictures: each text comes with the picture of another image,
        always the same one. name_pictures: batches have picture_ids (B,), equal for the same picture alone. cache: of
        remote shards."""
        assert 0 <= rank < world_size and 0 <= part < num_parts
        assert num_workers >= 0 and prefetch_batches >= 1 and max_skips >= 0
        manifest = manifest_with(out, split)
        shard_samples = _first([shard.samples for shard in manifest.shards_of(split)], max_images)
        order = SampleOrder(
            build=manifest.build,
            split=split,
            seed=seed,
            shard_samples=shard_samples,
            batch_size=batch_size,
            bucket_batches=bucket_batches,
            is_even=is_even,
        )
        cache = ShardCache(folder=cache_folder, max_bytes=cache_bytes)
        self._order = order
        self._shard_samples = shard_samples
        self.num_samples = order.num_samples
        self.batches_per_epoch = order.batches_per_epoch
        self.skipped = 0
        self.passed_over = 0
        mix, files = mix or Mix(), ShardFiles(out, manifest, split, cache)
        num_images = _count(manifest, files, mix, order)
        self._windows = _Windows(files, order, mix, mix.pair_weights(manifest, split, num_images))
        self._reading = _Reading(
            files=files,
            image_px=image_px,
            num_in_shards=shard_samples if shuffle_pictures else (),
            name_pictures=name_pictures and image_px is not None,
        )
        self._collate = collate
        self._num_workers, self._prefetch_batches, self._pin_memory = num_workers, prefetch_batches, pin_memory
        self._rank, self._world_size = rank, world_size
        self._part, self._num_parts = part, num_parts
        self._max_skips = max_skips

    def batches(self, first: int = 0) -> Generator[Batch, None, None]:
        """Micro-batches first + rank, first + rank + world_size, ... without end.

        Workers start with the first batch and end when the iterator is closed or dropped. `StreamError` for what can't
        be read, once more than `max_skips` samples were left out.
        """
        batches = self._batches(first)
        # While Python still stands: when it clears an iterator away with the modules, what ends the workers is gone.
        atexit.register(_close_if_there, weakref.ref(batches))
        return batches

    def pictures(self) -> Iterator[tuple[int, torch.Tensor]]:
        """(id, picture) of the images of the split that can be read, in the order of the shards, in this process.

        The id is the one that batches call the picture by; only where they have pictures, and names for them.
        """
        assert self._reading.name_pictures
        with closing(self._reading.files):
            for shard, number in enumerate(self._shard_samples):
                for index in range(number):
                    with suppress(BrokenSample):  # told when its turn comes
                        yield self._reading.picture(shard, index)

    def _batches(self, first: int) -> Generator[Batch, None, None]:
        source = _MicroBatches(
            self._windows,
            self._collate,
            self._reading,
            first=first + self._rank,
            step=self._world_size,
            part=(self._part, self._num_parts),
        )
        num_prefetched = self._num_workers * self._prefetch_batches
        ahead = ReadAhead(
            self._windows.files,
            self._order,
            first=first + self._rank,
            step=self._world_size,
            num_prefetched=num_prefetched,
        )
        with ahead, closing(self._deliveries(source)) as deliveries:
            ahead.look(first + self._rank)
            for number, delivery in enumerate(deliveries, 1):
                ahead.look(first + self._rank + number * self._world_size)
                self._account(delivery)
                assert delivery.batch is not None
                yield delivery.batch

    def _deliveries(self, source: "_MicroBatches") -> Generator["Delivery", None, None]:
        if not self._num_workers:
            with closing(self._windows.files):
                yield from source
            return
        loader = DataLoader(
            source,
            batch_size=None,
            num_workers=self._num_workers,
            prefetch_factor=self._prefetch_batches,
            pin_memory=self._pin_memory,
            collate_fn=_as_it_is,
        )
        deliveries: Any = None
        try:
            with interrupts_later(), quiet_workers():
                deliveries = iter(loader)
            while True:
                with interrupts_later():
                    delivery = next(deliveries)
                yield delivery
        finally:
            if deliveries is not None:
                with interrupts_later():
                    # What dropping it would do, but now: a traceback kept somewhere would keep the workers too.
                    deliveries._shutdown_workers()

    def _account(self, delivery: "Delivery") -> None:
        self.passed_over += delivery.passed_over
        for problem in delivery.problems:
            self.skipped += 1
            if self.skipped > self._max_skips:
                allowed = f" ({self._max_skips} skips are allowed)" if self._max_skips else ""
                raise StreamError(f"{problem}{allowed}")
            log.warning("skipped (%d of at most %d): %s", self.skipped, self._max_skips, problem)
        if delivery.failure:
            raise StreamError(delivery.failure)


class Delivery(NamedTuple):
    """What a worker hands over for a micro-batch.

    problems: one line for each sample that was left out. failure: why there is no batch, else "". passed_over: in the
    window that this micro-batch is the first of.
    """

    batch: Batch | None
    problems: tuple[str, ...] = ()
    failure: str = ""
    passed_over: int = 0


class Chosen(NamedTuple):
    """What a window keeps of a sample until its turn: where it is, and what the mix chose or why it can't be read."""

    shard: int
    place: int
    example: Example | None
    problem: str = ""

    def length(self) -> tuple[int, int]:
        if self.example is None:
            return 0, 0
        return len(self.example.text), len(self.example.source_text)


class _Windows:
    """Which samples, with which examples, stand in a micro-batch. Windows that were planned are kept for their turn."""

    def __init__(self, files: ShardFiles, order: SampleOrder, mix: Mix, pair_weights: dict[str, float]) -> None:
        self.files = files
        self._order = order
        self._mix = mix
        self._pair_weights = pair_weights
        self._planned: OrderedDict[Window, tuple[list[list[Chosen]], int]] = OrderedDict()

    def micro_batch(self, number: int) -> tuple[list[Chosen], int]:
        """The samples of a micro-batch; how many its window passed over, told with the window's first one only."""
        window, place = self._order.window_of(number)
        if window not in self._planned:
            self._planned[window] = self._plan(window)
            if len(self._planned) > self._order.num_lanes:
                self._planned.popitem(last=False)
        self._planned.move_to_end(window)
        batches, num_passed_over = self._planned[window]
        return batches[self._order.batch_at(window, place)], 0 if place else num_passed_over

    def _plan(self, window: Window) -> tuple[list[list[Chosen]], int]:
        found = [self._choose(shard, index, window.epoch) for shard, index in self._order.samples_of(window)]
        usable = sorted((one for one in found if one.example or one.problem), key=Chosen.length)
        if len(usable) < window.num_batches:
            raise StreamError(
                f"only {len(usable)} of {len(found)} images in a row have an example of "
                f"{', '.join(self._pair_weights)}, too few for {window.num_batches} batches: "
                "add pairs to the mix, or choose a larger batch size"
            )
        parts = even_parts(len(usable), window.num_batches)
        return [usable[part] for part in parts], len(found) - len(usable)

    def _choose(self, shard: int, index: int, epoch: int) -> Chosen:
        try:
            examples = read_examples(self.files, shard, index)
        except BrokenSample as problem:
            return Chosen(shard, index, None, str(problem))
        draw = (self._order.seed, epoch, self.files.key(shard, index))
        return Chosen(shard, index, choose(self._pair_weights, self._mix.usable(examples), draw))


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """From a chosen sample to a training example. num_in_shards: empty where every text has its own picture."""

    files: ShardFiles
    image_px: int | None
    num_in_shards: tuple[int, ...]
    name_pictures: bool

    def example(self, chosen: Chosen) -> TrainingExample:
        if chosen.example is None:
            raise BrokenSample(chosen.problem)
        picture_CHW = read_picture(self.files, *self._picture_of(chosen), self.image_px)
        return training_example(self.files.key(chosen.shard, chosen.place), chosen.example, picture_CHW)

    def picture(self, shard: int, index: int) -> tuple[int, torch.Tensor]:
        """The id of a picture, and the picture."""
        picture_CHW = read_picture(self.files, shard, index, self.image_px)
        assert picture_CHW is not None
        return _picture_id(self.files.key(shard, index)), picture_CHW

    def picture_id(self, chosen: Chosen) -> int:
        return _picture_id(self.files.key(*self._picture_of(chosen)))

    def _picture_of(self, chosen: Chosen) -> tuple[int, int]:
        """Shard and index; of shuffled pictures the one half a split further, samples being in the order of a hash."""
        if not self.num_in_shards:
            return chosen.shard, chosen.place
        total = sum(self.num_in_shards)
        index = (sum(self.num_in_shards[: chosen.shard]) + chosen.place + total // 2) % total
        shard = 0
        while index >= self.num_in_shards[shard]:
            index -= self.num_in_shards[shard]
            shard += 1
        return shard, index


class _MicroBatches(IterableDataset[Delivery]):
    """The endless deliveries of one rank; in a worker, that worker's part of them."""

    def __init__(
        self,
        windows: _Windows,
        collate: Collate,
        reading: _Reading,
        *,
        first: int,
        step: int,
        part: tuple[int, int],
    ) -> None:
        """part: which slice of each micro-batch, and of how many."""
        self._windows, self._collate, self._reading = windows, collate, reading
        self._first, self._step, self._part = first, step, part

    def __iter__(self) -> Iterator[Delivery]:
        worker = get_worker_info()
        place, num_workers = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in itertools.count(self._first + place * self._step, num_workers * self._step):
            try:
                yield self._deliver(number)
            except StreamError as problem:  # as a value: DataLoader would make a page of traceback of it
                yield Delivery(None, failure=str(problem))

    def _deliver(self, number: int) -> Delivery:
        samples, num_passed_over = self._windows.micro_batch(number)
        samples = self._slice(samples, number)
        examples: list[TrainingExample] = []
        ids: list[int] = []
        problems: list[str] = []
        for chosen in samples:
            try:
                examples.append(self._reading.example(chosen))
            except BrokenSample as problem:
                problems.append(str(problem))
            else:
                ids += [self._reading.picture_id(chosen)] if self._reading.name_pictures else []
        if not examples:
            return Delivery(None, tuple(problems), "a whole batch cannot be read: " + problems[-1])
        batch = self._collate(examples)
        if ids:
            batch["picture_ids"] = torch.tensor(ids)
        return Delivery(batch, tuple(problems), passed_over=num_passed_over)

    def _slice(self, samples: list[Chosen], number: int) -> list[Chosen]:
        part, num_parts = self._part
        if len(samples) < num_parts:
            raise StreamError(
                f"micro-batch {number} has {len(samples)} samples for {num_parts} ranks: choose a larger batch size"
            )
        return samples[even_parts(len(samples), num_parts)[part]]


def _picture_id(key: str) -> int:
    """64 bits of a hash: in one of 30 million datasets of a million pictures two of them share one."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)


def _first(shard_samples: list[int], max_images: int | None) -> tuple[int, ...]:
    """How many samples of each shard are used; shards of which none is are left out."""
    if max_images is None:
        return tuple(shard_samples)
    ends = [min(end, max_images) for end in itertools.accumulate(shard_samples)]
    used = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return tuple(used[: sum(start < max_images for start in [0, *ends[:-1]])])


def _count(manifest: Manifest, files: ShardFiles, mix: Mix, order: SampleOrder) -> dict[str, float]:
    """How many images have each pair. A sample that can't be read is told when its turn comes, not here."""

    def examples_of_images() -> Iterator[tuple[Example, ...]]:
        for shard, index in sampled(order.shard_samples):
            with suppress(StreamError):
                yield read_examples(files, shard, index)

    with closing(files):  # workers open them anew
        return count_images(manifest, order.split, mix, examples_of_images())


def _close_if_there(batches: "weakref.ref[Generator[Batch, None, None]]") -> None:
    if (still_there := batches()) is not None:
        still_there.close()


def _as_it_is(delivery: Delivery) -> Delivery:
    return delivery
