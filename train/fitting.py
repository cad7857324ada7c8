"""Does it fit: weights to start from, size of pictures, memory of the GPU. Told before anything is allocated.

Each check gives lines, as those of `preflight.py` do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.train.distributed import Place
from florenz.train.model.family import SIZES
from florenz.train.model.loading import fault_of_init
from florenz.train.model.sizes import config_of
from florenz.train.plan import GIB, fault, need_of, work_of
from florenz.train.recipe import Recipe


def init_problems(recipe: Recipe) -> Iterator[str]:
    """The model to start from is one, and of this size; its vocabulary shows when it is loaded."""
    init = recipe.model.init
    if init is None:
        return
    path = Path(init) / "config.json"
    try:
        found = json.loads(read_path(path, RECORD_BYTES))
        if found.get("model_type") != "florenz":
            raise ValueError(f"it is a {found.get('model_type')}")
    except (OSError, ValueError, AttributeError, TooLarge) as problem:
        yield f"init (INIT) {init!r} is no finished Florenz ({problem}): name the folder OUT/model of a training"
        return
    model = recipe.model
    is_usual = not (model.florence or model.gemma or model.decoder_width or model.decoder_layers)
    if is_usual and (line := fault_of_init(init, found, _without_vocabularies(config_of(model.size).to_dict()))):
        yield line


def picture_problems(recipe: Recipe) -> Iterator[str]:
    """As many tokens as the encoder has positions for."""
    size = SIZES[recipe.model.size]
    if recipe.model.florence:  # another encoder, which will say so itself
        return
    for stage in recipe.stages:
        image_px = stage.image_px or recipe.model.image_px or size.image_px
        if stage.images and image_px > (most := largest_px(recipe.model.size)):
            yield (
                f"[stages.{stage.name}] image_px is {image_px}, and {recipe.model.size} has positions for pictures "
                f"of at most {most} px: choose a smaller one, or a larger SIZE"
            )


def largest_px(size: str) -> int:
    """The largest multiple of a patch whose tokens, with the longest prompt, the encoder has positions for."""
    florence = config_of(size).florence_config
    patch_px = math.prod(florence.vision_config.patch_stride)
    room = florence.text_config.max_position_embeddings - SIZES[size].max_prompt_tokens - 1  # one token is their mean
    return patch_px * min(math.isqrt(room), florence.vision_config.max_position_embeddings)


def memory_problems(recipe: Recipe, place: Place) -> Iterator[str]:
    """By the plan (`plan.py`), for each stage; on a CPU there is nothing to say."""
    if place.device.type != "cuda":
        return
    properties = torch.cuda.get_device_properties(place.device)
    for stage in recipe.stages:
        work = work_of(recipe, stage)
        need = need_of(recipe, stage, work, num_gpus=place.world_size, peak=1.0, mfu=1.0)
        has_gib = properties.total_memory / GIB
        if line := fault(recipe, stage, need, num_gpus=place.world_size, has_gib=has_gib, name=properties.name):
            yield line


def _without_vocabularies(config: dict[str, Any]) -> dict[str, Any]:
    decoder = {key: value for key, value in config["decoder_config"].items() if key != "vocab_size"}
    text = {key: value for key, value in config["florence_config"]["text_config"].items() if key != "vocab_size"}
    return {"decoder_config": decoder, "florence_config": {"text_config": text}}
