"""What the log says of a step: its loss, how fast steps went since the last line, and what they needed."""

from __future__ import annotations

import contextlib
import math
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from florenz.train.checkpoint import Position
from florenz.train.distributed import MetByAll, Place, largest_over_ranks, sum_over_ranks
from florenz.train.log import StepRecord
from florenz.train.settings.stages import Stage
from florenz.train.step import StepOutcome

GIB = 1 << 30


class NoNumber(MetByAll, ValueError):
    """A loss or a gradient, of all ranks together."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Since the line before, over all ranks. tflops_per_s: of each device. utilisation: of its peak; None where that is
    not known. data_wait: share of the time in which the ranks waited for the stream. A device that still computes what
    it was given before does not wait then, so this is the most that it can be."""

    tokens_per_s: float
    images_per_s: float
    tflops_per_s: float
    utilisation: float | None
    data_wait: float


class Speed:
    """Tokens, images and operations since it was last asked, and the seconds that they took."""

    def __init__(self, place: Place, peak: float | None) -> None:
        """peak: of one device, in FLOP/s."""
        self._place, self._peak = place, peak
        self._since = time.monotonic()
        self._waited = 0.0
        self._totals: list[torch.Tensor] = []

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait for data."""
        since = time.monotonic()
        yield
        self._waited += time.monotonic() - since

    def add(self, outcome: StepOutcome) -> None:
        self._totals.append(outcome.totals)

    def rates(self) -> Rates:
        """All ranks must ask."""
        tokens, images, operations = torch.stack(self._totals).sum(0).tolist()
        now = time.monotonic()
        seconds = max(now - self._since, 1e-9)
        waited = sum_over_ranks(torch.tensor([self._waited], device=self._place.device), self._place)
        self._since, self._waited, self._totals = now, 0.0, []
        of_each = operations / seconds / self._place.world_size
        return Rates(
            tokens_per_s=round(tokens / seconds, 1),
            images_per_s=round(images / seconds, 1),
            tflops_per_s=round(of_each / 1e12, 6),
            utilisation=round(of_each / self._peak, 4) if self._peak else None,
            data_wait=round(float(waited) / seconds / self._place.world_size, 4),
        )


def peak_memory(place: Place) -> float:
    """In GiB, of the rank that needed most so far; all ranks must ask. On a GPU what tensors took, on a CPU the whole
    process."""
    if place.device.type == "cuda":
        num_bytes = torch.cuda.max_memory_allocated(place.device)
    else:
        num_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    return round(largest_over_ranks(num_bytes / GIB, place), 3)


def make_record(
    stage: Stage,
    position: Position,
    epoch: float,
    rate: float,
    outcome: StepOutcome,
    speed: Speed,
    memory_gib: float,
) -> StepRecord:
    """What the log says about a step. `ValueError` if its loss is no number: no checkpoint may follow."""
    loss, norm = float(outcome.loss), float(outcome.gradient_norm)
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NoNumber(f"step {position.step}: the loss is {loss}, its gradient's norm {norm}: lower the peak_rate")
    tokens, images, _ = (int(total) for total in outcome.totals)
    rates = speed.rates()
    return StepRecord(
        step=position.step,
        stage=stage.name,
        epoch=round(epoch, 3),
        loss=loss,
        learning_rate=rate,
        gradient_norm=norm,
        tokens=tokens,
        images=images,
        tokens_per_s=rates.tokens_per_s,
        images_per_s=rates.images_per_s,
        tflops_per_s=rates.tflops_per_s,
        utilisation=rates.utilisation,
        data_wait=rates.data_wait,
        peak_memory_gib=memory_gib,
    )
