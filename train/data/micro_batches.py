"""Micro-batches as workers deliver them: chosen samples read, pictures decoded, collated."""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import torch
from torch.utils.data import IterableDataset, get_worker_info

from florenz.train.data.examples import BrokenSample, TrainingExample, read_picture, training_example
from florenz.train.data.order import SampleOrder, even_parts
from florenz.train.data.tar_index import ShardFiles, StreamError
from florenz.train.data.turns import turn_of
from florenz.train.data.windows import Chosen, Windows

Batch = dict[str, torch.Tensor]
Collate = Callable[[list[TrainingExample]], Batch]


class Delivery(NamedTuple):
    """What a worker hands over for a micro-batch.

    problems: one line for each sample that was left out. failure: why there is no batch, else "". passed_over: in the
    window that this micro-batch is the first of.
    """

    batch: Batch | None
    problems: tuple[str, ...] = ()
    failure: str = ""
    passed_over: int = 0


@dataclass(frozen=True, kw_only=True)
class Reading:
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


@dataclass(frozen=True, kw_only=True)
class Source:
    """One of the datasets that a stream is made of."""

    order: SampleOrder
    windows: Windows
    reading: Reading


class MicroBatches(IterableDataset[Delivery]):
    """The endless deliveries of one rank; in a worker, that worker's part of them."""

    def __init__(
        self,
        sources: Sequence[Source],
        weights: Sequence[Fraction],
        collate: Collate,
        *,
        first: int,
        step: int,
        part: tuple[int, int],
    ) -> None:
        """weights: of the sources' micro-batches. part: which slice of each micro-batch, and of how many."""
        self._sources, self._weights, self._collate = sources, weights, collate
        self._first, self._step, self._part = first, step, part

    def __iter__(self) -> Iterator[Delivery]:
        worker = get_worker_info()
        place, num_workers = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in itertools.count(self._first + place * self._step, num_workers * self._step):
            source, own = turn_of(self._weights, number)
            try:
                yield self._deliver(self._sources[source], own)
            except StreamError as problem:  # as a value: DataLoader would make a page of traceback of it
                yield Delivery(None, failure=str(problem))

    def _deliver(self, source: Source, number: int) -> Delivery:
        samples, num_passed_over = source.windows.micro_batch(number)
        samples = self._slice(samples, number)
        examples: list[TrainingExample] = []
        ids: list[int] = []
        problems: list[str] = []
        for chosen in samples:
            try:
                examples.append(source.reading.example(chosen))
            except BrokenSample as problem:
                problems.append(str(problem))
            else:
                ids += [source.reading.picture_id(chosen)] if source.reading.name_pictures else []
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
