"""What a stage needs before its first step: the model with its weights, spread over the ranks, optimizer, stream."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import Manifest
from florenz.train import preflight
from florenz.train.checkpoint import Checkpoint
from florenz.train.data.processor import Processor
from florenz.train.data.stream import Stream
from florenz.train.distributed import repeated_layers, spread
from florenz.train.model.attention import attend_as
from florenz.train.model.florenz import Florenz
from florenz.train.model.fused import takes_kernel
from florenz.train.model.loading import LANGUAGES, build, start_from
from florenz.train.model.meta import fill
from florenz.train.model.parts import hold_in_bfloat16, never_trained, set_modes, train_only
from florenz.train.recipe import Recipe
from florenz.train.settings.stages import OptimizerSettings, Stage
from florenz.train.share import share_of
from florenz.train.state import trained_parameters
from florenz.train.step import seed_of
from florenz.train.training import Training

EVEN_BATCHES = 32  # in a window of lengths: more, so that fewer of a window's batches hold its longest texts


def load_model(
    recipe: Recipe, manifest: Manifest, checkpoint: Checkpoint | None, *, is_filled: bool = True
) -> tuple[Florenz, Processor]:
    """The model of the recipe with the weights of the checkpoint, or as training begins with it; on the CPU.

    is_filled: without, it has no memory for weights yet (`split.py`).

    Raises:
        RecipeError: the weights to start from are not there, or the checkpoint is of another model.
    """
    torch.manual_seed(seed_of(recipe.seed))  # for what is new in it
    languages = dict.fromkeys([*LANGUAGES, *manifest.languages])
    settings = dataclasses.asdict(recipe.model)
    init = settings.pop("init")
    try:
        model, processor = build(
            **settings,
            languages=list(languages),
            prompts=recipe.prompts.prompts(recipe.words),
            styles=recipe.styles,
            with_weights=is_filled and checkpoint is None and init is None,  # those of others would be overwritten
        )
        if init is not None and checkpoint is None and is_filled:
            start_from(init, model)
    except ValueError as problem:
        raise RecipeError([f"[model] {problem}"]) from problem
    if not is_filled:
        model.tie_weights()
    elif checkpoint is not None:
        try:
            fill(model, checkpoint.weights())
        except ValueError as problem:  # the playground's tiny models are trained anew from time to time
            line = f"OUT {recipe.out!r} holds a training that began with other models ({problem})"
            advice = "choose another OUT, or go on with the version of Florenz that began it"
            raise RecipeError([f"{line}: {advice}"]) from problem
    return model.train(), processor


def as_trained(model: Florenz, this: Training, stage: Stage, image_px: int) -> None:
    """Freeze what the stage does not train, hold it as the recipe wants it, and choose attention and loss."""
    compute = this.recipe.compute
    train_only(model, stage.parts)
    set_modes(model)
    if compute.frozen_weights == "bfloat16":
        hold_in_bfloat16(model, never_trained(one.parts for one in this.recipe.stages))
    attend_as(model, compute.attention, image_px)
    model.has_fused_loss = takes_kernel(compute.loss, this.place.device)


def prepare(model: Florenz, this: Training) -> nn.Module:
    """What is called in place of the model: compiled, spread over the ranks, as the recipe wants it."""
    if this.recipe.compute.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if this.recipe.compute.compile:
        for layer in repeated_layers(model):  # they are alike, so each is compiled once, not the whole depth
            layer.compile()
    return spread(model, this.place, parallel=this.recipe.compute.parallel, is_bfloat16=this.is_bfloat16)


def make_optimizer(
    model: nn.Module, settings: OptimizerSettings, weight_decay: float | None = None
) -> torch.optim.Optimizer:
    """AdamW over the parts that are trained, with decay for matrices and without for all else.

    weight_decay: a stage's own; None for the settings'.
    """
    decay = settings.weight_decay if weight_decay is None else weight_decay
    trained = [parameter for _, parameter in trained_parameters(model)]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2], "weight_decay": decay},
        {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=0.0, betas=(0.9, settings.beta2), fused=True
    )


def make_stream(this: Training, stage: Stage, processor: Processor, build: str = "") -> Stream:
    recipe, place = this.recipe, this.place
    share = share_of(stage.num_micro_batches, rank=place.rank, world_size=place.world_size)
    return Stream(
        recipe.folders_of(stage),
        weights=recipe.weights_of(stage),
        build=build,
        split="train",
        batch_size=stage.size_of_micro_batch,
        seed=recipe.seed,
        mix=preflight.stage_mix(stage, preflight.manifest_of_stage(recipe, stage, this.manifest)),
        collate=processor.collate,
        image_px=(stage.image_px or processor.image_px) if stage.images else None,
        num_workers=recipe.workers,
        rank=share.first,
        world_size=share.step,
        part=share.part,
        num_parts=share.num_parts,
        bucket_batches=EVEN_BATCHES if stage.even_lengths else 8,
        is_even=stage.even_lengths,
        max_lanes=stage.lanes,
        max_skips=recipe.max_skips,
        max_images=stage.max_images,
        shuffle_pictures=stage.shuffle_pictures,
        name_pictures=stage.images and recipe.compute.picture_cache_gib > 0 and "vision" not in stage.parts,
        pin_memory=place.device.type == "cuda",
    )
