"""What the log says of a step: its loss, and how fast steps went since the last line."""

from __future__ import annotations

import math
import time

import torch

from florenz.train.checkpoint import Position
from florenz.train.log import StepRecord
from florenz.train.settings import Stage
from florenz.train.step import StepOutcome


class Speed:
    """Tokens and images since it was last asked, and the seconds that they took."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._totals: list[torch.Tensor] = []

    def add(self, outcome: StepOutcome) -> None:
        self._totals.append(outcome.totals)

    def per_second(self) -> tuple[float, float]:
        tokens, images = torch.stack(self._totals).sum(0).tolist()
        now = time.monotonic()
        seconds, self._since, self._totals = max(now - self._since, 1e-9), now, []
        return tokens / seconds, images / seconds


def make_record(
    stage: Stage, position: Position, epoch: float, rate: float, outcome: StepOutcome, speed: Speed
) -> StepRecord:
    """What the log says about a step. `ValueError` if its loss is no number: no checkpoint may follow."""
    loss, norm = float(outcome.loss), float(outcome.gradient_norm)
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise ValueError(f"step {position.step}: the loss is {loss}, its gradient's norm {norm}: lower the peak_rate")
    tokens, images = (int(total) for total in outcome.totals)
    tokens_per_s, images_per_s = speed.per_second()
    return StepRecord(
        step=position.step,
        stage=stage.name,
        epoch=round(epoch, 3),
        loss=loss,
        learning_rate=rate,
        gradient_norm=norm,
        tokens=tokens,
        images=images,
        tokens_per_s=round(tokens_per_s, 1),
        images_per_s=round(images_per_s, 1),
    )
