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
import itertools
import logging
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from typing import Any

import torch
from torch.utils.data import DataLoader

from florenz.train.data.examples import BrokenSample, TrainingExample
from florenz.train.data.interrupts import interrupts_later, quiet_workers
from florenz.train.data.micro_batches import Batch, Collate, Delivery, MicroBatches
from florenz.train.data.mix import Mix
from florenz.train.data.order import MAX_LANES
from florenz.train.data.read_ahead import ReadAhead
from florenz.train.data.samples import Samples
from florenz.train.data.tar_index import CACHE_BYTES, ShardCache, StreamError
from florenz.train.data.turns import exactly, turn_of

__all__ = ["Batch", "Stream", "StreamError", "TrainingExample"]

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
        out: str | Sequence[str],
        *,
        weights: Sequence[float] = (),
        build: str = "",
        batch_size: int,
        seed: int,
        collate: Collate,
        image_px: int | None,
        split: str = "train",
        mix: Mix | None = None,
        bucket_batches: int = 8,
        is_even: bool = False,
        max_lanes: int = MAX_LANES,
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
        """out: of one dataset or of several. weights: how the micro-batches of several share the turns; empty: so that
        each image comes as often as any other. Of several, a pair of the mix may be in some alone. build: an earlier
        one of a single dataset, "" for the current ones. image_px: side of the pictures, None leaves images out.
        bucket_batches: how many batches are sorted by length together. is_even: batches in a row are of like length,
        for ranks that wait for each other. max_lanes: as in `order.py`. prefetch_batches: for each worker.
        part, num_parts: of each micro-batch one slice alone. max_skips: of one rank. max_images: the first so many of
        the split, None for all. shuffle_pictures: each text comes with the picture of another image, always the same
        one. name_pictures: batches have picture_ids (B,), equal for the same picture alone. cache: of remote
        shards."""
        assert 0 <= rank < world_size and 0 <= part < num_parts
        assert num_workers >= 0 and prefetch_batches >= 1 and max_skips >= 0
        cache = ShardCache(folder=cache_folder, max_bytes=cache_bytes)
        folders = [out] if isinstance(out, str) else list(out)
        samples = Samples(
            split=split,
            build=build,
            seed=seed,
            mix=mix or Mix(),
            max_images=max_images,
            batch_size=batch_size,
            bucket_batches=bucket_batches,
            is_even=is_even,
            max_lanes=max_lanes,
            image_px=image_px,
            shuffle_pictures=shuffle_pictures,
            name_pictures=name_pictures,
        )
        self._sources = [samples.source(folder, cache, is_only=len(folders) == 1) for folder in folders]
        self.num_samples = sum(source.order.num_samples for source in self._sources)
        self.batches_per_epoch = sum(source.order.batches_per_epoch for source in self._sources)
        self._weights = exactly(weights or [source.order.batches_per_epoch for source in self._sources])
        assert len(self._weights) == len(self._sources)
        self.skipped = 0
        self.passed_over = 0
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
        for source in self._sources:
            reading = source.reading
            assert reading.name_pictures
            with closing(reading.files):
                for shard, number in enumerate(source.order.shard_samples):
                    for index in range(number):
                        with suppress(BrokenSample):  # told when its turn comes
                            yield reading.picture(shard, index)

    def _batches(self, first: int) -> Generator[Batch, None, None]:
        start = first + self._rank
        micro_batches = MicroBatches(
            self._sources,
            self._weights,
            self._collate,
            first=start,
            step=self._world_size,
            part=(self._part, self._num_parts),
        )
        num_prefetched = self._num_workers * self._prefetch_batches
        with ExitStack() as stack:
            ahead = [
                stack.enter_context(self._read_ahead(number, start, num_prefetched))
                for number in range(len(self._sources))
            ]
            deliveries = stack.enter_context(closing(self._deliveries(micro_batches)))
            self._look(ahead, start)
            for number, delivery in enumerate(deliveries, 1):
                self._look(ahead, start + number * self._world_size)
                self._account(delivery)
                assert delivery.batch is not None
                yield delivery.batch

    def _read_ahead(self, number: int, start: int, num_prefetched: int) -> ReadAhead:
        """Of one of several sources each micro-batch may be this rank's."""
        source, is_only = self._sources[number], len(self._sources) == 1
        turns = (turn_of(self._weights, at) for at in itertools.count(start))
        first = start if is_only else next(own for which, own in turns if which == number)
        step = self._world_size if is_only else 1
        return ReadAhead(source.reading.files, source.order, first=first, step=step, num_prefetched=num_prefetched)

    def _look(self, ahead: Sequence[ReadAhead], number: int) -> None:
        source, own = turn_of(self._weights, number)
        ahead[source].look(own)

    def _deliveries(self, micro_batches: MicroBatches) -> Generator[Delivery, None, None]:
        if not self._num_workers:
            with ExitStack() as stack:
                for source in self._sources:
                    stack.enter_context(closing(source.reading.files))
                yield from micro_batches
            return
        loader = DataLoader(
            micro_batches,
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

    def _account(self, delivery: Delivery) -> None:
        self.passed_over += delivery.passed_over
        for problem in delivery.problems:
            self.skipped += 1
            if self.skipped > self._max_skips:
                allowed = f" ({self._max_skips} skips are allowed)" if self._max_skips else ""
                raise StreamError(f"{problem}{allowed}")
            log.warning("skipped (%d of at most %d): %s", self.skipped, self._max_skips, problem)
        if delivery.failure:
            raise StreamError(delivery.failure)


def _close_if_there(batches: "weakref.ref[Generator[Batch, None, None]]") -> None:
    if (still_there := batches()) is not None:
        still_there.close()


def _as_it_is(delivery: Delivery) -> Delivery:
    return delivery
