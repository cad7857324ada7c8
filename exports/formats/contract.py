"""What a format offers: three functions over the shards of a build, and which tasks it can hold at once.

An export is made shard by shard, so that it streams and goes on where it was stopped: `write` makes the files of one
shard, `finish` what stands over all of them, `texts` reads back what was written, for the proof. Formats write through
`stores.files` alone; nobody else's package is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from florenz.recipes.kinds import kinds_in, load_kind
from florenz.shards.schema import Example, Sample

ROOM = "exports.formats"
ONE_TASK, ANY_TASKS = "one task", "any tasks"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What one shard became. name: like train-000000. files: relative to the export's folder, the first the data."""

    name: str
    split: str
    samples: int
    files: tuple[str, ...]


class Format(Protocol):
    TASKS: str  # ONE_TASK where a sample has one text and no field that says its task, else ANY_TASKS

    def write(self, samples: Iterable[Sample], folder: str, name: str, split: str) -> Piece:
        """The files of one shard, each written at once or not at all. samples: with the chosen examples alone."""

    def finish(self, folder: str, pieces: Sequence[Piece]) -> list[str]:
        """What needs all pieces; names of the files, relative to the folder."""

    def texts(self, folder: str, piece: Piece) -> Iterator[str]:
        """Every text of a piece in the order of `write`, from the bytes that were written."""


def format_names() -> tuple[str, ...]:
    return kinds_in(ROOM)


def load_format(name: str) -> Format:
    """`KindError` for one that there is not."""
    return cast(Format, load_kind(ROOM, name))


def sample_key(sample: Sample, example: Example) -> str:
    """A key for one text of an image, unique in the build and without a dot, where tar readers cut."""
    style = re.sub(r"[^\w-]", "_", example.style)
    return f"{sample.key}-{example.task}-{example.language}-{style}"
