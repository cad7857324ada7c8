"""The learning rate of a step: linear warm-up, then a cosine to zero, anew in each stage.

A pure function of the step, so a restart has no schedule to restore. Florence-2's text half is a post-norm BART:
without warm-up, or at a high rate, it stays on the plateau of captions that ignore the picture.
"""

from __future__ import annotations

import math


def learning_rate(step: int, *, steps: int, peak: float, warmup: float) -> float:
    """The rate of one step of a stage.

    step: 0 for the first of the stage. steps: of the whole stage. peak: the highest rate, reached at the end of the
    warm-up. warmup: share of the steps, 0 to below 1. The first step has a rate above zero, the last one too.
    """
    assert 0 <= step < steps and 0 <= warmup < 1, (step, steps, warmup)
    warmup_steps = round(warmup * steps)
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / (steps - warmup_steps)))
