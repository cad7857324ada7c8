"""One step of the optimizer: the gradient of the mean loss over all target tokens of the step, on all ranks.

A step is the same whatever runs it: its micro-batches are given by the stream, each seeds its own dropout, and the loss
is the mean over all target tokens of the step. One rank that takes four micro-batches and four ranks that take one each
do the same arithmetic, up to the order of sums. What is given up is the free choice of the micro-batch in a running
training: it belongs to the recipe, as the batch does.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from florenz.train.checkpoint import Position
from florenz.train.distributed import Place, gradient_sync, sum_over_ranks, whole
from florenz.train.features import PictureCache
from florenz.train.model.florenz import IGNORED
from florenz.train.operations import Operations
from florenz.train.share import share_of
from florenz.train.training import Training

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What a step gave, over all ranks, still on the device: asking for the numbers makes the device wait."""

    loss: torch.Tensor
    gradient_norm: torch.Tensor
    totals: torch.Tensor  # target tokens, images, operations


def take_step(
    this: Training,
    runner: nn.Module,
    optimizer: torch.optim.Optimizer,
    position: Position,
    rate: float,
    micro_batches: Sequence[Batch],
    cache: PictureCache | None = None,
    noise: Callable[[Batch], Batch] | None = None,
    operations: Operations | None = None,
) -> StepOutcome:
    """One step of the optimizer: the gradient of the mean loss over all target tokens of the step, on all ranks.

    noise: what is done to each micro-batch, with random numbers of its own. operations: None counts none.
    """
    place, recipe = this.place, this.recipe
    num_micro_batches = recipe.stages[position.stage].num_micro_batches
    share = share_of(num_micro_batches, rank=place.rank, world_size=place.world_size)
    for group in optimizer.param_groups:
        group["lr"] = rate
    counts = torch.tensor(
        [
            [
                count_tokens(batch),
                count_images(batch),
                operations.of_batch(batch, is_looked_at=cache is None) if operations else 0,
            ]
            for batch in micro_batches
        ],
        dtype=torch.float64,
    )
    totals = sum_over_ranks(counts.sum(0).to(place.device), place)
    loss_of_step = torch.zeros((), device=place.device)
    for place_in_step, batch in enumerate(micro_batches):
        index = position.micro_batch + place_in_step * share.step + share.first
        torch.manual_seed(seed_of(recipe.seed, position.stage, *share.seed_words(index)))
        is_last = place_in_step == len(micro_batches) - 1
        noisy = noise(batch) if noise else batch
        with gradient_sync(runner, is_last=is_last), arithmetic(place, is_bfloat16=this.is_bfloat16):
            on_device = {name: tensor.to(place.device, non_blocking=True) for name, tensor in noisy.items()}
            if cache is not None:
                on_device = cache.seen(on_device)
            weight = (counts[place_in_step, 0].to(place.device) / totals[0]).float()  # of the step's tokens
            loss = runner(**on_device).loss * weight
            (loss * place.world_size).backward()  # the ranks' gradients are averaged, and a sum is wanted
        loss_of_step += loss.detach()
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = nn.utils.clip_grad_norm_(trained, recipe.optimizer.clip_norm)
    optimizer.step()
    optimizer.zero_grad()
    return StepOutcome(loss=sum_over_ranks(loss_of_step, place), gradient_norm=whole(norm), totals=totals)


def count_tokens(batch: Batch) -> int:
    """Target tokens: those that the loss is taken over."""
    return int((batch["labels"] != IGNORED).sum())


def count_images(batch: Batch) -> int:
    return len(batch["pixel_values"]) if "pixel_values" in batch else 0


def seed_of(*what: int) -> int:
    """A seed for the random numbers of one thing, such as (recipe's seed, stage, micro-batch)."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:8], "big", signed=True)


@contextlib.contextmanager
def arithmetic(place: Place, *, is_bfloat16: bool) -> Iterator[None]:
    """The precision of forward and backward."""
    with contextlib.ExitStack() as stack:
        if is_bfloat16:
            stack.enter_context(torch.autocast(place.device.type, dtype=torch.bfloat16))
        if is_bfloat16 and place.device.type == "cpu":
            # The fused attention's backward pass is slow there in bfloat16: half of the time of a step.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield
