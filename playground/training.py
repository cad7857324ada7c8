"""What both tiny models' training shares: the loop, the rate schedule, checkpoints to go on from, the command line.

The loop knows nothing of what it trains: a script gives it batches, a loss and a score.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

IGNORED = -100  # the label that transformers' losses leave out
LOG_EVERY_STEPS = 50
SCORE_EVERY_STEPS = 500


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, in which steps, from which seed; `state` is the folder of the checkpoint to go on from."""

    steps: int
    batch_size: int
    peak_rate: float
    seed: int
    state: Path

    def identity(self) -> dict[str, float]:
        """What decides the weights; a checkpoint of another plan is no use to this one."""
        return {"steps": self.steps, "batch_size": self.batch_size, "peak_rate": self.peak_rate, "seed": self.seed}


def plan_from_command_line(description: str | None, *, steps: int, batch_size: int, peak_rate: float) -> Plan:
    """The defaults are those that the committed model was trained with."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch-size", type=int, default=batch_size)
    parser.add_argument("--peak-rate", type=float, default=peak_rate)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, default=Path("data/training"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # the other core draws the next batch
    options.state.mkdir(parents=True, exist_ok=True)
    return Plan(**vars(options))


def fit(
    trained: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    batches_from: Callable[[int], IterableDataset[Any]],
    loss_of: Callable[[Any], torch.Tensor],
    score: Callable[[], str],
    plan: Plan,
    name: str,
) -> None:
    """Train `trained` to the end of the plan. Each group of `optimizer` has its own peak rate under the key "peak"."""
    checkpoint = plan.state / f"{name}.pt"
    first_step = load_checkpoint(checkpoint, trained, optimizer, plan)
    loader = iter(DataLoader(batches_from(first_step), batch_size=None, num_workers=1, prefetch_factor=4))
    started = time.monotonic()
    for step in range(first_step, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps=plan.steps, peak=group["peak"])
        batch = next(loader)
        loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        done = step + 1
        if done % LOG_EVERY_STEPS == 0:
            seconds = (time.monotonic() - started) / (done - first_step)
            print(f"{name}: step {done}/{plan.steps} loss {loss.item():.4f} {seconds:.2f} s/step", flush=True)
        if done % SCORE_EVERY_STEPS == 0 or done == plan.steps:
            print(f"{name}: step {done} {score()}", flush=True)
            save_checkpoint(checkpoint, trained, optimizer, done, plan)


def learning_rate(step: int, *, steps: int, peak: float) -> float:
    """10% warm-up, then cosine to zero. Florence-2's text half is a post-norm BART: at a high rate, or without
    warm-up, it stays on the plateau of captions that ignore the picture.
    """
    warmup = max(steps // 10, 1)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def load_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, plan: Plan) -> int:
    """Restores both and gives the number of steps already taken; 0 where no training of this plan was cut off."""
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    if saved.get("plan") != plan.identity() or saved["step"] >= plan.steps:
        return 0
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])


def save_checkpoint(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, plan: Plan
) -> None:
    partial = path.with_suffix(".partial")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "plan": plan.identity()}
    torch.save(state, partial)
    partial.replace(path)
