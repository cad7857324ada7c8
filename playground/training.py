"""What both tiny models' training scripts share: the rate schedule, the label that is not scored, checkpoints to go on
from.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch

IGNORED = -100  # the label that transformers' losses leave out


def learning_rate(step: int, *, steps: int, peak: float) -> float:
    """10% warm-up, then cosine to zero. Florence-2's text half is a post-norm BART: at a high rate, or without warm-up,
    it stays on the plateau of captions that ignore the picture.
    """
    warmup = max(steps // 10, 1)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def load_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restores both and gives the number of steps already taken; 0 where there is no checkpoint."""
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])


def save_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    partial = path.with_suffix(".partial")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, partial)
    partial.replace(path)


def describe_step(step: int, steps: int, loss: float, seconds: float) -> str:
    return f"step {step}/{steps} loss {loss:.4f} {seconds:.2f} s/step"
