"""What a stage counts on the way, rank by rank, kept in its checkpoints: samples left out, and texts that were cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from florenz.train.distributed import Place, sum_over_ranks


@dataclass(kw_only=True)
class Counts:
    """Of one rank. skipped: samples that could not be read. truncated: those of `examples` whose prompt or text was
    cut."""

    skipped: int = 0
    truncated: int = 0
    examples: int = 0

    def of_all_ranks(self, place: Place) -> dict[str, list[int]]:
        """Name -> a number for each rank; all ranks must ask."""
        rows = torch.zeros(place.world_size, len(fields(self)), dtype=torch.float64)
        rows[place.rank] = torch.tensor(list(asdict(self).values()))
        columns = sum_over_ranks(rows.to(place.device), place).T.tolist()
        return {one.name: [int(number) for number in column] for one, column in zip(fields(self), columns, strict=True)}


def restored(kept: Mapping[str, Any], place: Place) -> Counts:
    """This rank's part of what a checkpoint keeps; with another number of ranks, an even share, rounded up."""

    def share(numbers: Sequence[int]) -> int:
        if len(numbers) == place.world_size:
            return int(numbers[place.rank])
        return math.ceil(sum(numbers) / place.world_size)

    return Counts(**{one.name: share(kept.get(one.name, [])) for one in fields(Counts)})
