"""What a training needs, before anything is allocated; `plan_command.py` is the command.

The model of the recipe's size is built without memory for its weights (torch's meta device), one example goes through
it forward and backward, and torch counts the arithmetic and what is kept for the backward pass. Hours follow from the
GPU's peak and the share of it that is reached, MFU, 40% unless told: nothing here was measured on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from florenz.train.distributed import repeated_layers
from florenz.train.gpus import GPUS
from florenz.train.model.attention import attend_as
from florenz.train.model.family import SIZES, warning_of_parts
from florenz.train.model.florenz import Florenz
from florenz.train.model.loss import NUM_CHUNKS
from florenz.train.model.parts import matrices_of, never_trained, set_modes, train_only
from florenz.train.model.sizes import config_of
from florenz.train.recipe import Recipe
from florenz.train.settings.stages import Stage
from florenz.train.share import share_of

GIB = 1 << 30
LOGIT_BYTES = 2 + 3 * 4  # bfloat16, float32, its softmax, its gradient
RESERVED = 0.08  # of a GPU's memory: CUDA itself, the allocator's gaps, buffers of the ranks' exchange


@dataclass(frozen=True, kw_only=True)
class Work:
    """Of one example. flops: forward and backward. kept_bytes: for the backward pass, in bfloat16. logits: tokens times
    words, of which the loss makes one of NUM_CHUNKS parts at a time. rounded: parameters that are held in bfloat16.
    gathered: those that FSDP2 has whole at the same time, beside its split ones."""

    rounded: int = 0
    gathered: int = 0
    parameters: int
    trained: int
    flops: int
    kept_bytes: int
    logits: int


@dataclass(frozen=True, kw_only=True)
class Need:
    """Of one GPU, in GiB, and of all together, in hours."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    loss: float
    hours: float

    @property
    def memory(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations + self.loss


def work_of(recipe: Recipe, stage: Stage) -> Work:
    """Counted on a model without memory, with the longest prompt and text."""
    size = SIZES[recipe.model.size]
    image_px = stage.image_px or recipe.model.image_px or size.image_px
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            model = Florenz(config_of(recipe.model.size))
    finally:
        torch.set_default_dtype(default)
    train_only(model, stage.parts)
    set_modes(model)
    attend_as(model, recipe.compute.attention, image_px)
    if recipe.compute.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    with torch.device("meta"):
        batch = {
            "input_ids": torch.zeros(1, size.max_prompt_tokens, dtype=torch.long),
            "decoder_input_ids": torch.zeros(1, size.max_text_tokens, dtype=torch.long),
        }
        if stage.images:
            batch["pixel_values"] = torch.zeros(1, 3, image_px, image_px, dtype=torch.uint8)
    own = {tensor.untyped_storage()._cdata for tensor in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no two have the same address

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        is_logits = tensor.ndim > 0 and tensor.shape[-1] == model.config.vocab_size  # the loss goes without them
        if storage._cdata not in own and not is_logits:
            kept[storage._cdata] = storage
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits_BTV = model(**batch).logits
        kept_bytes = sum(storage.nbytes() for storage in kept.values())
        logits_BTV.sum().backward()
    again = 2 * logits_BTV.numel() * model.lm_head.in_features  # the loss projects once more (model/loss.py)
    parameters = list(model.parameters())
    return Work(
        rounded=sum(one.numel() for one in matrices_of(model, held_in_bfloat16(recipe))),
        gathered=gathered_by_fsdp(model),
        parameters=sum(one.numel() for one in parameters),
        trained=sum(one.numel() for one in parameters if one.requires_grad),
        flops=counter.get_total_flops() + again,
        kept_bytes=kept_bytes,
        logits=logits_BTV.numel(),
    )


def gathered_by_fsdp(model: Florenz) -> int:
    """Parameters outside of repeated layers, the vocabularies above all, from the first layer to the last; of the
    layers the one that is at work and the one that is fetched meanwhile."""
    layers = [sum(one.numel() for one in layer.parameters()) for layer in repeated_layers(model)]
    return sum(one.numel() for one in model.parameters()) - sum(layers) + 2 * max(layers)


def held_in_bfloat16(recipe: Recipe) -> tuple[str, ...]:
    """The parts of which there is no float32."""
    is_rounded = recipe.compute.frozen_weights == "bfloat16"
    return never_trained(one.parts for one in recipe.stages) if is_rounded else ()


def need_of(recipe: Recipe, stage: Stage, work: Work, *, num_gpus: int, peak: float, mfu: float) -> Need:
    """Weights, gradients and both of Adam's moments are float32; bfloat16 arithmetic keeps a copy of the weights. Parts
    that are held in bfloat16 need none. FSDP2 splits all of them, but gathers what is at work, and between the
    micro-batches of a step each rank has a whole gradient (`distributed.gradient_sync`)."""
    share = share_of(stage.num_micro_batches, rank=0, world_size=num_gpus)
    at_once = stage.size_of_micro_batch / share.num_parts
    split = num_gpus if recipe.compute.parallel == "fsdp" else 1
    is_single = recipe.compute.precision == "float32"
    if split > 1:
        copies = (4 if is_single else 2) * work.gathered
        whole_gradients = 4 * work.trained if share.per_step > 1 else 0
    else:
        copies = 0 if is_single else 2 * (work.parameters - work.rounded)
        whole_gradients = 0
    flops = work.flops * stage.batch_size * stage.steps
    return Need(
        weights=((4 * work.parameters - 2 * work.rounded) / split + copies) / GIB,
        gradients=(4 * work.trained / split + whole_gradients) / GIB,
        optimizer=8 * work.trained / split / GIB,
        activations=at_once * work.kept_bytes * (2 if is_single else 1) / GIB,
        loss=at_once * work.logits / NUM_CHUNKS * LOGIT_BYTES / GIB,
        hours=flops / (num_gpus * peak * mfu) / 3600,
    )


def advice_of(recipe: Recipe, stage: Stage) -> str:
    """What makes a training smaller, those of it that are not done yet."""
    ways = [f"a micro_batch_size below {stage.size_of_micro_batch}"] if stage.size_of_micro_batch > 1 else []
    ways += ['parallel = "fsdp"'] if recipe.compute.parallel != "fsdp" else ["more GPUs"]
    can_round = recipe.compute.precision == "bfloat16" and recipe.compute.frozen_weights == "float32"
    ways += ['frozen_weights = "bfloat16"'] if can_round and never_trained(one.parts for one in recipe.stages) else []
    ways += ["activation_checkpointing = true"] if not recipe.compute.activation_checkpointing else []
    return ", ".join(ways)


def fault(recipe: Recipe, stage: Stage, need: Need, *, num_gpus: int, has_gib: float, name: str) -> str:
    """One line if a stage does not fit into a GPU's memory; "" if it does."""
    room = has_gib * (1 - RESERVED)
    if need.memory <= room:
        return ""
    return (
        f"[stages.{stage.name}] needs {need.memory:,.0f} GiB on each of {num_gpus} GPUs, and {name} has {room:,.0f} to "
        f"give: choose {advice_of(recipe, stage)}"
    )


def report(recipe: Recipe, stage: Stage, work: Work, need: Need, *, num_gpus: int, name: str, mfu: float) -> list[str]:
    has_gib, peak = GPUS[name]
    warning = warning_of_parts(recipe.model.size, stage.name, stage.parts)
    return [
        *([warning] if warning else []),
        f"stage {stage.name}: {stage.steps:,} steps of {stage.batch_size:,} examples on {num_gpus} x {name}, "
        f"{recipe.compute.parallel}",
        f"  parameters: {work.parameters / 1e9:.2f} B, of which {work.trained / 1e9:.2f} B are trained",
        f"  memory of each GPU: weights {need.weights:.1f} + gradients {need.gradients:.1f} + optimizer "
        f"{need.optimizer:.1f} + activations {need.activations:.1f} + loss {need.loss:.1f} = "
        f"{need.memory:.1f} GiB, of {has_gib:.0f}",
        f"  arithmetic: {work.flops / 1e12:.2f} TFLOP an example, forward and backward",
        f"  time: {need.hours:.1f} hours at {mfu:.0%} of {peak / 1e12:.0f} TFLOP/s (assumed, not measured)",
    ]


def plan(recipe: Recipe, stage: Stage, *, num_gpus: int, name: str, mfu: float) -> str:
    """Says what a stage needs; what is wrong with it."""
    work = work_of(recipe, stage)
    has_gib, peak = GPUS[name]
    need = need_of(recipe, stage, work, num_gpus=num_gpus, peak=peak, mfu=mfu)
    print("\n".join(report(recipe, stage, work, need, num_gpus=num_gpus, name=name, mfu=mfu)), flush=True)
    return fault(recipe, stage, need, num_gpus=num_gpus, has_gib=has_gib, name=name)
