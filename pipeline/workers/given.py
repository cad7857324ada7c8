"""The first step of every graph: what the launcher hands to the workers."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam

from florenz.pipeline.runners.contract import Running, facts_of
from florenz.pipeline.workers.agreement import Given, expected_of_workers
from florenz.pipeline.workers.lists import items_of, kept


def given(items: Iterable[Any], running: Running) -> beam.PTransform:
    """These items; where workers are elsewhere, only after a worker has shown that it fits (see agreement.py), and
    where they are many, by the names of lists (see lists.py).
    """
    if facts_of(running).is_on_this_machine:
        return Compressed(items)
    items, expected = list(items), expected_of_workers(running.out)
    if (names := kept(items, running.out)) is None:
        return Given(items, expected)
    return Listed(names, running.out, expected)


class Compressed(beam.PTransform):  # type: ignore[misc]
    """These items, each compressed until a worker takes it: the in-process runner holds them several times on their
    way, and names of parts are many.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        super().__init__()
        self._packed = [zlib.compress(pickle.dumps(item), 1) for item in items]

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[Any]:
        return pipeline | beam.Create(self._packed) | "unpack" >> beam.Map(_unpacked)


def _unpacked(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))  # noqa: S301  (written by our own launcher, as all that Beam sends)


class Listed(beam.PTransform):  # type: ignore[misc]
    """What lists of these names hold."""

    def __init__(self, names: Sequence[str], out: str, expected: Mapping[str, str]) -> None:
        super().__init__()
        self._names, self._out, self._expected = names, out, expected

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[Any]:
        lists = pipeline | Given(self._names, self._expected)
        return lists | "open lists" >> beam.FlatMap(items_of, out=self._out) | "spread items" >> beam.Reshuffle()
