"""The index of a build (`exports/index.py`), shard by shard: all shards are read again, which no launcher should do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from florenz.exports.index import IndexFile, WrongCount, missing_files, write_file
from florenz.pipeline.answers.each_range import Record, for_each
from florenz.pipeline.recipe import Recipe
from florenz.shards.writer import ShardInfo

IMAGES_FOR_A_PROCESS = 25_000  # 2 to 3 s of computing


def index_shards(recipe: Recipe, build: str, shards: Sequence[ShardInfo]) -> None:
    """Write the files that are not there yet. Raises WrongCount, as `write_file` does."""
    missing = missing_files(recipe.out, build, shards)
    num_images = sum(file.shard.samples for file in missing)
    write = partial(_indexed, out=recipe.out, build=build)
    for record in for_each(recipe, "index shards", missing, write, num_images // IMAGES_FOR_A_PROCESS):
        if record["problem"]:
            raise WrongCount(record["problem"])


def _indexed(file: IndexFile, out: str, build: str) -> Record:
    try:
        write_file(out, build, file)
    except WrongCount as problem:
        return {"problem": str(problem)}
    return {"problem": ""}
