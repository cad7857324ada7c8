"""The validation split of a dataset that make dataset made, with the withheld captions of the same images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

from florenz.shards.manifest import read_manifest
from florenz.shards.plan import HELDOUT
from florenz.shards.records import sample_from
from florenz.shards.schema import SchemaError
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError
from florenz.train.scores.sets.contract import Item
from florenz.train.scores.texts import METRICS

COVERED, WITHHELD = "val", HELDOUT


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: the OUT of make dataset."""

    folder: str
    metrics: ClassVar[tuple[str, ...]] = METRICS

    def problems(self) -> list[str]:
        try:
            has_images = self.parts()[COVERED] > 0
        except ValueError as problem:
            return [str(problem)]
        return [] if has_images else [f"{self.folder} has no validation images: run make dataset with more images"]

    def version(self) -> str:
        return read_manifest(self.folder).build

    def parts(self) -> dict[str, int]:
        manifest = read_manifest(self.folder)
        return {split: sum(shard.samples for shard in manifest.shards_of(split)) for split in (COVERED, WITHHELD)}

    def items(self, part: str) -> Iterator[Item]:
        manifest = read_manifest(self.folder)
        with closing(ShardFiles(self.folder, manifest, part, ShardCache(folder=""))) as shards:
            for shard, info in enumerate(manifest.shards_of(part)):
                for index in range(info.samples):
                    yield from _items_of(shards, shard, index, part)


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
        )
