"""Work of scoring, shared among the ranks: each does one chunk of a round, and all get all results, in their order.

Chunks are what one process would ask about at once, and none is cut, so answers and losses are those of one process to
the last bit. A round ends with an exchange: a rank that fails is heard of after one chunk, by all ranks, and the first
one says so. Results travel as JSON: nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import torch

from florenz.train.data.tar_index import StreamError
from florenz.train.distributed import Place, texts_of_all

Element = TypeVar("Element")
Json = Any  # of dictionaries, lists, texts and numbers

FAULTS = (OSError, ValueError, torch.OutOfMemoryError)  # what a disk, a dataset or a GPU may be the cause of


def together(work: Callable[[], Json], place: Place, *, error: type[Exception] = StreamError) -> list[Json]:
    """What each rank's work gives, in the order of the ranks, on every rank; they wait for each other.

    Raises:
        error: a rank failed; the message of the first one that did. What one process alone raises goes through.
    """
    if place.world_size == 1:
        return [work()]
    try:
        message = json.dumps({"result": work()})
    except FAULTS as problem:
        message = json.dumps({"fault": str(problem) or type(problem).__name__})
    try:
        found = [json.loads(text) for text in texts_of_all(message, place)]
    except RuntimeError as problem:  # what gloo and NCCL raise
        raise StreamError(f"another rank is gone ({str(problem).splitlines()[0]}): start all of them again") from None
    for rank, one in enumerate(found):
        if "fault" in one:
            is_everywhere = all("fault" in other for other in found)
            raise error(one["fault"] if is_everywhere else f"rank {rank}: {one['fault']}")
    return [one["result"] for one in found]


def in_rounds(
    chunks: Iterable[Element], work: Callable[[Element], Json], place: Place
) -> Iterator[tuple[Element, Json]]:
    """Each chunk with what its rank's work gave, in their order, on every rank. `StreamError` as `together`.

    Every rank goes through all chunks, which are cheap to read beside what is done with one.
    """
    left = iter(chunks)
    while True:
        of_round: list[Element] = []

        def share(of_round: list[Element] = of_round) -> Json:
            of_round += islice(left, place.world_size)
            return work(of_round[place.rank]) if place.rank < len(of_round) else None

        results = together(share, place)
        if not of_round:
            return
        yield from zip(of_round, results, strict=False)  # the last round has fewer chunks than ranks
