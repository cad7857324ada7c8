"""Fail before the work starts: dataset, machine and OUT are looked at, and all faults are said at once.

Each check gives lines (what, which, what to do) instead of raising, so that a user mends all faults in one go.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from florenz.languages.codes import NAMES, SOURCE, language_problems
from florenz.recipes.recipe_file import RecipeError
from florenz.recipes.sections import nearest
from florenz.shards.manifest import Manifest, ManifestError, shard_path
from florenz.stores import files
from florenz.train.checkpoint import identity_of_newest, newest_record
from florenz.train.data.examples import manifest_of
from florenz.train.data.mix import Mix
from florenz.train.data.prompts import PREFIX_WORDS
from florenz.train.distributed import Place, find_place
from florenz.train.fitting import init_problems, memory_problems, picture_problems
from florenz.train.model.family import SIZES
from florenz.train.model.fused import takes_kernel
from florenz.train.model.loading import LANGUAGES
from florenz.train.model.parts import PARTS
from florenz.train.recipe import Recipe
from florenz.train.scores.joined import evaluation_set_of
from florenz.train.settings.stages import Stage
from florenz.train.share import divides

# Counts up when the same recipe comes to learn something else. 2: the mix counts images, not texts, and frozen modules
# stay out of training mode.
RULES = 2


def check(recipe: Recipe) -> tuple[Manifest, Place]:
    """The dataset's manifest and the place of this process. RecipeError with one line per problem."""
    world_size = int(os.environ.get("WORLD_SIZE", 1))
    problems = [*problems_of_recipe(recipe, world_size=world_size), *_out(recipe)]
    manifest = place = None
    try:
        manifests = [manifest_of(folder, _build_of_newest(recipe)) for folder in recipe.folders]
        manifest = joined(manifests)
        for folder, one in zip(recipe.folders, manifests, strict=True):
            problems += _shards(folder, one)
        problems += [*_mixes(recipe, manifest), *_validation(recipe)]
        if not problems:
            manifest = _with_languages_of_stages(recipe, manifest)
    except (ManifestError, files.StoreError, OSError) as problem:
        problems.append(f"data (DATA): {problem}")
    try:
        place = find_place(recipe.device)
        takes_kernel(recipe.compute.loss, place.device)
    except ValueError as problem:
        problems.append(str(problem))
    if recipe.model.size in SIZES:
        problems += init_problems(recipe)
    if place is not None and not problems:
        problems += memory_problems(recipe, place)
    if manifest is not None and not problems:
        problems += [*_languages(recipe, manifest), *_earlier_training(recipe, manifest)]
    if problems:
        raise RecipeError(problems)
    assert manifest is not None and place is not None
    return manifest, place


def problems_of_recipe(recipe: Recipe, *, world_size: int) -> list[str]:
    """What is wrong with a recipe wherever it runs, whatever its data. world_size: ranks that are to train."""
    problems = [*_size(recipe), *_parts(recipe), *_prompts(recipe), *_ranks(recipe, world_size)]
    return [*problems, *picture_problems(recipe)] if recipe.model.size in SIZES else problems


def problems_of_data(recipe: Recipe) -> list[str]:
    """What a recipe wants of its datasets and does not find there, by their manifests alone."""
    try:
        manifest = joined([manifest_of(folder, "") for folder in recipe.folders])
        return [*_mixes(recipe, manifest), *_validation(recipe)]
    except (ManifestError, files.StoreError, OSError) as problem:
        return [f"data (DATA): {problem}"]


def joined(manifests: Sequence[Manifest]) -> Manifest:
    """One that says of several datasets what a training asks: builds, languages, and which pairs there are."""
    if len(manifests) == 1:
        return manifests[0]
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for split, task, language, number in (
        (split, task, language, number)
        for manifest in manifests
        for split, tasks in manifest.counts.items()
        for task, languages in tasks.items()
        for language, number in languages.items()
    ):
        of_task = counts.setdefault(split, {}).setdefault(task, {})
        of_task[language] = of_task.get(language, 0) + number
    languages = tuple(dict.fromkeys(language for manifest in manifests for language in manifest.languages))
    held_out = tuple(language for language in languages if all(language in one.held_out for one in manifests))
    build = "+".join(manifest.build for manifest in manifests)
    shards = tuple(shard for manifest in manifests for shard in manifest.shards)
    return replace(manifests[0], build=build, languages=languages, held_out=held_out, counts=counts, shards=shards)


def identity_of(recipe: Recipe, manifest: Manifest) -> dict[str, object]:
    """What decides the weights of a training, the dataset included; of one that is followed, that it is."""
    own = {
        f"{stage.name}.dataset": builds_of(recipe.folders_of(stage))
        for stage in recipe.stages
        if stage.data is not None
    }
    return {"dataset": "followed" if recipe.follow else manifest.build, **recipe.identity(), **own}


@cache
def builds_of(folders: Sequence[str]) -> str:
    """As a process found them first: a stage's own data may not change under a training."""
    return joined([manifest_of(folder, "") for folder in folders]).build


def manifest_of_stage(recipe: Recipe, stage: Stage, manifest: Manifest) -> Manifest:
    """Of the data that a stage learns from. manifest: of the training's. `ValueError`, `OSError` if there is none."""
    if stage.data is None:
        return manifest
    return joined([manifest_of(folder, "") for folder in recipe.folders_of(stage)])


def _with_languages_of_stages(recipe: Recipe, manifest: Manifest) -> Manifest:
    """The vocabulary has a token for each."""
    found = [manifest_of_stage(recipe, stage, manifest).languages for stage in recipe.stages if stage.data is not None]
    languages = dict.fromkeys([*manifest.languages, *(language for of_stage in found for language in of_stage)])
    return replace(manifest, languages=tuple(languages))


def follows_todays_rules(identity: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of this identity was trained by the rules of today (`RULES`) up to its last step."""
    return identity.get("rules") == RULES


def _without_rules(identity: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A training that was begun by earlier rules is still the same training: it goes on, with a warning."""
    return None if identity is None else {name: value for name, value in identity.items() if name != "rules"}


def stage_mix(stage: Stage, manifest: Manifest) -> Mix:
    """What a stage learns from: its own mix, or the same share for every pair that it can use.

    Raises:
        ValueError: a pair that the training split has no example of.
    """
    weights: dict[str, float] = dict(stage.mix)
    if not weights and not stage.images:
        weights = {f"translation/{language}": 1.0 for language in manifest.counts["train"].get("translation", {})}
    mix = Mix(
        weights=weights, styles=stage.styles, copy_english=stage.copy_english, source_dropout=stage.source_dropout
    )
    if stage.leave_out:
        shares = dict.fromkeys(mix.pair_weights(manifest, "train"), 1.0)
        if absent := [pair for pair in stage.leave_out if pair not in shares]:
            raise ValueError(f"leave_out names {absent[0]}, which is not learned anyway: pairs are {', '.join(shares)}")
        kept = {pair: weight for pair, weight in (weights or shares).items() if pair not in stage.leave_out}
        if not kept:
            raise ValueError("leave_out leaves no pair to learn from: name fewer")
        mix = replace(mix, weights=kept)
    mix.pair_weights(manifest, "train")
    return mix


def _size(recipe: Recipe) -> Iterator[str]:
    if recipe.model.size not in SIZES:
        yield f"size (SIZE) is '{recipe.model.size}': {nearest(recipe.model.size, SIZES)}"


def _prompts(recipe: Recipe) -> Iterator[str]:
    size = recipe.model.size
    prefix = recipe.model.prefix or (SIZES[size].prefix if size in SIZES else "token")
    if recipe.prompts.language_in == "prefix" and prefix == "words":
        yield (
            "[prompts] language_in is prefix, and words are forced in captions alone, so that no translation would be "
            'told its language: take TRAIN_RECIPE=configs/train_both.toml, or set prefix = "token" in [model]'
        )


def _parts(recipe: Recipe) -> Iterator[str]:
    named = [("[model] random_parts", recipe.model.random_parts)]
    named += [(f"[stages.{stage.name}]", stage.parts) for stage in recipe.stages]
    for where, parts in named:
        for part in parts:
            if part not in PARTS:
                yield f"{where} unknown part '{part}': {nearest(part, PARTS)}"


def _out(recipe: Recipe) -> Iterator[str]:
    """Really writes: permission bits don't tell what a mount or a full disk will do. Leaves nothing behind."""
    folder = next(path for path in (Path(recipe.out).absolute() / "x").parents if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as unnamed:
            unnamed.write(b"x")
    except OSError as problem:
        yield f"can't write into OUT {recipe.out!r} ({problem.strerror}): choose another folder or make it writable"


def _shards(data: str, manifest: Manifest) -> Iterator[str]:
    """Sizes only: `florenz verify` reads every byte. Those of an object store are believed to be as the manifest says,
    which is written after them: a request for each, one after the other and by every rank, would take minutes, and one
    that is gone or other is told by name when it is fetched (`data/tar_index.py`)."""
    advice = "run make dataset again, or copy it anew"
    for shard in manifest.shards:
        path = shard_path(data, manifest.build, shard.path)
        if files.local_path(path) is None:
            continue
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
            of_stage = manifest_of_stage(recipe, stage, manifest)
            if stage.data is not None:
                for folder in recipe.folders_of(stage):
                    yield from (
                        f"[stages.{stage.name}] {problem}" for problem in _shards(folder, manifest_of(folder, ""))
                    )
            stage_mix(stage, of_stage)
        except (ValueError, files.StoreError, OSError) as problem:
            yield f"[stages.{stage.name}] {problem}"


def _validation(recipe: Recipe) -> Iterator[str]:
    if not recipe.validation.every_steps:
        return
    asked = evaluation_set_of(recipe.folders, "choose", recipe.validation.split)
    if next(iter(asked.parts().values())) == 0:
        yield (
            f"[validation] {recipe.data} has no image to choose by, neither in {recipe.validation.split} nor in its "
            "part of val: set every_steps = 0, or make a larger dataset"
        )


def _languages(recipe: Recipe, manifest: Manifest) -> Iterator[str]:
    """What the dataset is written in, and the trainer could not ask for: it would show in a worker, or when scored.

    Words to begin with are wanted of what is learned, and by a new training alone: those begun without go on.
    """
    asked = [manifest, *(manifest_of_stage(recipe, stage, manifest) for stage in recipe.stages if stage.data)]
    found = {
        code for one in asked for tasks in one.counts.values() for languages in tasks.values() for code in languages
    }
    for code in sorted({*manifest.languages, *found} - {SOURCE}):
        yield from (f"data (DATA): {problem}" for problem in language_problems((code,)))
    prefix = recipe.model.prefix or SIZES[recipe.model.size].prefix
    without_token = found & NAMES.keys() - {*LANGUAGES, *manifest.languages}
    if prefix == "token" and without_token:
        yield (
            f"data (DATA): there are examples in {', '.join(sorted(without_token))}, which the manifest does not name "
            "as a language, so the model would have no token for it: assemble the dataset again"
        )
    without_words = _learned_languages(recipe, manifest) & NAMES.keys() - PREFIX_WORDS.keys() - recipe.words.keys()
    has_pictures = any(stage.images for stage in recipe.stages)
    if prefix == "words" and without_words and has_pictures and not _goes_on(recipe, manifest):
        yield (
            f"[model] prefix is words, and there are none to begin a caption in {', '.join(sorted(without_words))} "
            f'with, only in {", ".join(PREFIX_WORDS)}: set prefix = "token", or leave the language out of the mix'
        )


def _learned_languages(recipe: Recipe, manifest: Manifest) -> set[str]:
    learned = [(stage, manifest_of_stage(recipe, stage, manifest)) for stage in recipe.stages]
    mixes = [stage_mix(stage, own).pair_weights(own, "train") for stage, own in learned]
    return {pair.partition("/")[2] for mix in mixes for pair in mix}


def _goes_on(recipe: Recipe, manifest: Manifest) -> bool:
    """Whether OUT holds checkpoints of this very training."""
    return _without_rules(identity_of_newest(recipe.out)) == identity_of(recipe, manifest)


def _ranks(recipe: Recipe, world_size: int) -> Iterator[str]:
    for stage in recipe.stages:
        too_small = stage.size_of_micro_batch * stage.num_micro_batches < world_size
        if too_small or not divides(stage.num_micro_batches, world_size):
            yield (
                f"[stages.{stage.name}] a step has {stage.num_micro_batches} micro-batches, which do not divide among "
                f"{world_size} ranks: set micro_batch_size to {max(stage.batch_size // world_size, 1)}"
            )
    if recipe.compute.picture_cache_gib and recipe.compute.parallel == "fsdp" and world_size > 1:
        yield "[compute] picture_cache_gib does not go with fsdp, which splits up what looks at pictures: set it to 0"


def _build_of_newest(recipe: Recipe) -> str:
    """In which a training that follows its dataset, and goes on, stands; "" for the current one."""
    newest = newest_record(recipe.out) if recipe.follow else None
    return str(newest.segment.get("build", "")) if newest else ""


def _earlier_training(recipe: Recipe, manifest: Manifest) -> Iterator[str]:
    found = _without_rules(identity_of_newest(recipe.out))
    wanted = identity_of(recipe, manifest)
    if found is None or found == wanted:
        return
    name = next(name for name in [*wanted, *found] if wanted.get(name) != found.get(name))
    yield (
        f"OUT {recipe.out!r} holds checkpoints of another training ({name} was {found.get(name)}, is "
        f"{wanted.get(name)}): choose another OUT, or the same settings to go on with it"
    )
