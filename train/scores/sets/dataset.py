"""The validation split of a dataset that make dataset made, with the withheld captions of the same images.

What chooses a stopping point must not be reported. A dataset with a split of its own for choosing (`choose`) has val
for reporting; in one of version 1, which has none, a quarter of val by hash is for choosing (`is_for_choosing`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

from florenz.languages.codes import SOURCE
from florenz.playground.meaning import read, says_the_same
from florenz.shards.manifest import Manifest, read_manifest
from florenz.shards.plan import HELDOUT
from florenz.shards.records import sample_from
from florenz.shards.schema import HELDOUT_SUFFIX, SchemaError
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError
from florenz.train.scores.sets.contract import Item, Judge

COVERED, WITHHELD = "val", HELDOUT
CHOOSING = "choose"
SOME = 16  # captions tell the world that they were made in
PLAYGROUND = "playground"  # what a recipe calls its pictures
SHARE_FOR_CHOOSING = 4  # one of so many

Use = Literal["all", "report", "choose"]


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: the OUT of make dataset. use: all of val, or what is left of it for reporting, or what is for choosing.

    choosing: the split for choosing, where the dataset has it. watches: beside that, the withheld captions of val.
    """

    folder: str
    use: Use = "all"
    choosing: str = CHOOSING
    watches: bool = False
    metrics: ClassVar[tuple[str, ...]] = ("exact_match", "chrf", "language_fidelity")

    def problems(self) -> list[str]:
        try:
            has_images = next(iter(self.parts().values())) > 0
        except ValueError as problem:
            return [str(problem)]
        return [] if has_images else [f"{self.folder} has no validation images: run make dataset with more images"]

    def version(self) -> str:
        return read_manifest(self.folder).build

    def parts(self) -> dict[str, int]:
        manifest = read_manifest(self.folder)
        return {part: sum(1 for _ in self._places(manifest, part)) for part in self._parts(manifest)}

    def items(self, part: str) -> Iterator[Item]:
        manifest = read_manifest(self.folder)
        with closing(self._open(manifest, part)) as shards:
            for shard, index in self._places(manifest, part):
                yield from _items_of(shards, shard, index, part)

    def judge(self) -> Judge | None:
        """For the playground's pictures, whose captions can be read back into what they show.

        None for those of an earlier world too, whose words are others.
        """
        if read_manifest(self.folder).recipe.get("images", {}).get("source") != PLAYGROUND:
            return None
        asked = (item for item in self.items(COVERED) if item.task == "caption" and item.language == SOURCE)
        known = [bool(read(item.truth, SOURCE, item.style)) for item in islice(asked, SOME)]
        return says_the_same if sum(known) > len(known) / 2 else None

    def _parts(self, manifest: Manifest) -> tuple[str, ...]:
        """Covered and withheld texts; a split of its own for choosing has covered ones alone."""
        if self.use == "choose" and manifest.shards_of(self.choosing):
            return (self.choosing, WITHHELD) if self.watches else (self.choosing,)
        return COVERED, WITHHELD

    def _places(self, manifest: Manifest, part: str) -> Iterator[tuple[int, int]]:
        """(shard, index) of the images of a part that belong to this use."""
        is_shared = self.use != "all" and part in (COVERED, WITHHELD) and not manifest.shards_of(self.choosing)
        with closing(self._open(manifest, part)) as shards:
            for shard, info in enumerate(manifest.shards_of(part)):
                for index in range(info.samples):
                    if not is_shared or is_for_choosing(shards.key(shard, index)) == (self.use == "choose"):
                        yield shard, index

    def _open(self, manifest: Manifest, part: str) -> ShardFiles:
        return ShardFiles(self.folder, manifest, part, ShardCache(folder=""))


def is_for_choosing(key: str) -> bool:
    """Of the images of val, where there is no split for choosing: the same ones for every seed and recipe."""
    name = f"{CHOOSING}\0{key.removesuffix(HELDOUT_SUFFIX)}"
    return hashlib.sha256(name.encode()).digest()[0] < 256 // SHARE_FOR_CHOOSING


def _items_of(shards: ShardFiles, shard: int, index: int, part: str) -> Iterator[Item]:
    key = shards.key(shard, index)
    jpeg, record = shards.read(shard, index, "jpg"), shards.read(shard, index, "json")
    try:
        sample = sample_from(key, {"jpg": jpeg, "json": record, "txt": b""})  # the text stands in the JSON too
    except SchemaError as problem:
        raise StreamError(f"{shards.where(shard, index, 'json')} breaks the schema: {problem}") from problem
    for example in sample.examples:
        yield Item(
            id=f"{part}/{key}/{example.task}/{example.language}/{example.style}",
            image=sample.image,
            picture=sample.jpeg,
            task=example.task,
            language=example.language,
            style=example.style,
            source_text=example.source_text,
            references=(example.text,),
            is_held_out=part == WITHHELD,
            where=shards.where(shard, index, "jpg"),
            truth=sample.caption_texts.get(example.style, ""),
            is_withheld=part == WITHHELD and sample.shows_withheld,
        )
