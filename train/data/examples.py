"""One image with one of its examples, as the shards hold it: what a stream is made of, and all of a split in order."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import torch

from florenz.shards.manifest import Manifest, ManifestError, read_manifest, read_manifest_file
from florenz.shards.plan import SPLITS
from florenz.shards.records import sample_from
from florenz.shards.schema import Example, SchemaError
from florenz.stores import files
from florenz.train.data.pictures import decode_picture
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError


@dataclass(frozen=True, kw_only=True)
class TrainingExample:
    """An image with one of its examples.

    task: "caption" or "translation". language: of `text`, the target. source_text: "" for captions. picture_CHW: uint8,
    (3, image_px, image_px), None where images are off.
    """

    key: str
    task: str
    language: str
    style: str
    source_text: str
    text: str
    picture_CHW: torch.Tensor | None


def examples_of(out: str, split: str, image_px: int | None, *, cache_folder: str = "") -> Iterator[TrainingExample]:
    """Every example of every image of a split, in the order of the shards; a picture is decoded once.

    `ValueError` at once for a split that is not there, `StreamError` on the way for a sample that can't be read.
    """
    manifest = manifest_with(out, split)
    return _examples(manifest, ShardFiles(out, manifest, split, ShardCache(folder=cache_folder)), split, image_px)


def _examples(manifest: Manifest, files: ShardFiles, split: str, image_px: int | None) -> Iterator[TrainingExample]:
    with closing(files):
        for shard, info in enumerate(manifest.shards_of(split)):
            for index in range(info.samples):
                examples = read_examples(files, shard, index)
                picture_CHW = read_picture(files, shard, index, image_px)
                for example in examples:
                    yield training_example(files.key(shard, index), example, picture_CHW)


def manifest_of(out: str, build: str) -> Manifest:
    """Of the current build, or of an earlier one that is kept. `ManifestError` for one that is gone."""
    manifest = read_manifest(out)
    if build in ("", manifest.build):
        return manifest
    try:
        return read_manifest_file(files.join(out, "builds", f"{build}.manifest.json"))
    except ManifestError as problem:
        raise ManifestError(
            f"{out} has no build {build} any more, in which this training stands: make the dataset with KEEP_BUILDS=2 "
            "while it is followed, or train anew into another OUT"
        ) from problem


def manifest_with(out: str, split: str, build: str = "") -> Manifest:
    """build: "" for the current one."""
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}: choose one of {', '.join(SPLITS)}")
    manifest = manifest_of(out, build)
    if not sum(shard.samples for shard in manifest.shards_of(split)):
        has = sorted({shard.split for shard in manifest.shards if shard.samples})
        raise ManifestError(f"{out} has no samples in {split}, it has {', '.join(has) or 'none at all'}: add images")
    return manifest


class BrokenSample(StreamError):
    """One sample that can't be read; others of its shard can."""


def read_examples(files: ShardFiles, shard: int, index: int) -> tuple[Example, ...]:
    try:
        # The schema is checked whole; the picture has its turn later, the caption in .txt stands in the JSON too.
        members = {"jpg": b"", "txt": b"", "json": files.read(shard, index, "json")}
        return sample_from(files.key(shard, index), members).examples
    except SchemaError as problem:
        raise BrokenSample(f"{files.where(shard, index, 'json')} breaks the schema: {problem}") from problem


def read_picture(files: ShardFiles, shard: int, index: int, image_px: int | None) -> torch.Tensor | None:
    if image_px is None:
        return None
    try:
        return decode_picture(files.read(shard, index, "jpg"), image_px)
    except StreamError:
        raise
    except ValueError as problem:
        raise BrokenSample(f"{files.where(shard, index, 'jpg')}: {problem}") from problem


def training_example(key: str, example: Example, picture_CHW: torch.Tensor | None) -> TrainingExample:
    return TrainingExample(
        key=key,
        task=example.task,
        language=example.language,
        style=example.style,
        source_text=example.source_text,
        text=example.text,
        picture_CHW=picture_CHW,
    )
