"""Which part of a step's micro-batches a rank takes.

With fewer ranks than micro-batches each takes whole ones in turn; with more, each micro-batch is cut into slices of
its samples, so that a recipe for one device runs on eight. The sequence of micro-batches is that of the recipe either
way; what differs with slices is dropout, which each slice seeds for itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Share:
    """first, step: of each step's micro-batches this rank takes first, first + step, ... part, num_parts: which slice
    of each, and of how many. per_step: how many micro-batches or slices that is in one step."""

    first: int
    step: int
    part: int
    num_parts: int
    per_step: int

    def seed_words(self, micro_batch: int) -> tuple[int, ...]:
        """What the random numbers of this rank's part of a micro-batch are seeded by, after the stage."""
        return (micro_batch,) if self.num_parts == 1 else (micro_batch, self.part, self.num_parts)


def divides(num_micro_batches: int, world_size: int) -> bool:
    """Whether every rank gets as much as the others."""
    return num_micro_batches % world_size == 0 or world_size % num_micro_batches == 0


def share_of(num_micro_batches: int, *, rank: int, world_size: int) -> Share:
    """num_micro_batches: of one step, over all ranks."""
    assert divides(num_micro_batches, world_size) and 0 <= rank < world_size
    if num_micro_batches >= world_size:
        return Share(first=rank, step=world_size, part=0, num_parts=1, per_step=num_micro_batches // world_size)
    num_parts = world_size // num_micro_batches
    first, part = divmod(rank, num_parts)
    return Share(first=first, step=num_micro_batches, part=part, num_parts=num_parts, per_step=1)
