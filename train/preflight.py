"""Fail before the work starts: dataset, machine and OUT are looked at, and all faults are said at once.

Each check gives lines (what, which, what to do) instead of raising, so that a user mends all faults in one go.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from florenz.recipes.recipe_file import RecipeError
from florenz.recipes.sections import nearest
from florenz.shards.manifest import Manifest, ManifestError, read_manifest, shard_path
from florenz.stores import files
from florenz.train.checkpoint import identity_of_newest
from florenz.train.data.mix import Mix
from florenz.train.distributed import Place, find_place
from florenz.train.model.parts import PARTS
from florenz.train.model.sizes import SIZES
from florenz.train.recipe import Recipe, Stage


def check(recipe: Recipe) -> tuple[Manifest, Place]:
    """The dataset's manifest and the place of this process. RecipeError with one line per problem."""
    problems = [*_size(recipe), *_parts(recipe), *_out(recipe)]
    manifest = place = None
    try:
        manifest = read_manifest(recipe.data)
        problems += [*_shards(recipe.data, manifest), *_mixes(recipe, manifest)]
    except (ManifestError, files.StoreError, OSError) as problem:
        problems.append(f"data (DATA): {problem}")
    try:
        place = find_place(recipe.device)
        problems += _ranks(recipe, place)
    except ValueError as problem:
        problems.append(str(problem))
    if manifest is not None and not problems:
        problems += _earlier_training(recipe, manifest)
    if problems:
        raise RecipeError(problems)
    assert manifest is not None and place is not None
    return manifest, place


def identity_of(recipe: Recipe, manifest: Manifest) -> dict[str, object]:
    """What decides the weights of a training, the dataset included."""
    return {"dataset": manifest.build, **recipe.identity()}


def stage_mix(stage: Stage, manifest: Manifest) -> Mix:
    """What a stage learns from: its own mix, or the same share for every pair that it can use.

    Raises:
        ValueError: a pair that the training split has no example of.
    """
    weights: dict[str, float] = dict(stage.mix)
    if not weights and not stage.images:
        weights = {f"translation/{language}": 1.0 for language in manifest.counts["train"].get("translation", {})}
    mix = Mix(weights=weights)
    mix.pair_weights(manifest, "train")
    return mix


def _size(recipe: Recipe) -> Iterator[str]:
    if recipe.model.size not in SIZES:
        yield f"size (SIZE) is '{recipe.model.size}': {nearest(recipe.model.size, SIZES)}"


def _parts(recipe: Recipe) -> Iterator[str]:
    for stage in recipe.stages:
        for part in stage.parts:
            if part not in PARTS:
                yield f"[stages.{stage.name}] unknown part '{part}': {nearest(part, PARTS)}"


def _out(recipe: Recipe) -> Iterator[str]:
    """Really writes: permission bits don't tell what a mount or a full disk will do. Leaves nothing behind."""
    folder = next(path for path in (Path(recipe.out).absolute() / "x").parents if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as unnamed:
            unnamed.write(b"x")
    except OSError as problem:
        yield f"can't write into OUT {recipe.out!r} ({problem.strerror}): choose another folder or make it writable"


def _shards(data: str, manifest: Manifest) -> Iterator[str]:
    """Sizes only: `python -m shards.verify` reads every byte."""
    advice = "run make dataset again, or copy it anew"
    for shard in manifest.shards:
        path = shard_path(data, manifest.build, shard.path)
        try:
            with files.open_read(path) as file:
                num_bytes = file.seek(0, os.SEEK_END)
        except OSError as problem:
            yield f"shard {path} of the manifest cannot be opened ({problem.strerror or problem}): {advice}"
            continue
        if num_bytes != shard.bytes:
            yield f"shard {path} has {num_bytes} bytes, the manifest says {shard.bytes}: {advice}"


def _mixes(recipe: Recipe, manifest: Manifest) -> Iterator[str]:
    for stage in recipe.stages:
        try:
            stage_mix(stage, manifest)
        except ValueError as problem:
            yield f"[stages.{stage.name}] {problem}"


def _ranks(recipe: Recipe, place: Place) -> Iterator[str]:
    for stage in recipe.stages:
        if stage.num_micro_batches % place.world_size:
            yield (
                f"[stages.{stage.name}] a step has {stage.num_micro_batches} micro-batches, which do not divide among "
                f"{place.world_size} ranks: set micro_batch_size to {max(stage.batch_size // place.world_size, 1)}"
            )


def _earlier_training(recipe: Recipe, manifest: Manifest) -> Iterator[str]:
    found = identity_of_newest(recipe.out)
    wanted = identity_of(recipe, manifest)
    if found is None or found == wanted:
        return
    name = next(name for name in [*wanted, *found] if wanted.get(name) != found.get(name))
    yield (
        f"OUT {recipe.out!r} holds checkpoints of another training ({name} was {found.get(name)}, is "
        f"{wanted.get(name)}): choose another OUT, or the same settings to go on with it"
    )
