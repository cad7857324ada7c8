"""What the readers of published benchmarks share: lines of a text file, missing files as problems, pictures, versions.

docs/benchmarks.md says what to get and where to put it; each problem points there.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_path, read_whole
from florenz.limits.table import IMAGE_BYTES, MIB
from florenz.train.data.tar_index import StreamError
from florenz.train.scores.sets.contract import Item

TEXT_BYTES = 256 * MIB  # the largest, dataset_coco.json, has 144 MB
ADVICE = "docs/benchmarks.md says where to get it"


def bytes_of(path: Path) -> bytes:
    """A file of texts, unpacked if its name ends in .gz. StreamError for what can't be read."""
    try:
        if path.suffix != ".gz":
            return read_path(path, TEXT_BYTES)
        with gzip.open(path) as file:
            return read_whole(file, TEXT_BYTES, str(path))
    except (OSError, EOFError, zlib.error, TooLarge) as problem:
        raise StreamError(f"{path} cannot be read: {problem}") from problem


def lines_of(path: Path) -> list[str]:
    """Its lines, stripped; the empty ones at the end left out. StreamError for what is no UTF-8."""
    try:
        text = bytes_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise StreamError(f"{path} is not UTF-8: {problem}") from problem
    return [line.strip() for line in text.rstrip().split("\n")] if text.strip() else []


def missing(paths: Iterable[Path]) -> list[str]:
    """A line for each file that is not there."""
    return [f"{path} is missing: {ADVICE}" for path in paths if not path.is_file()]


def missing_pictures(paths: Sequence[Path]) -> list[str]:
    """One line for all pictures that are not there."""
    absent = [path for path in paths if not path.is_file()]
    if not absent:
        return []
    return [f"{len(absent):,} of {len(paths):,} pictures are missing, {absent[0]} for one: {ADVICE}"]


def uneven(paths: Sequence[Path]) -> list[str]:
    """A line if files that belong together, line by line, are not equally long, or hold nothing."""
    numbers = {path: len(lines_of(path)) for path in paths}
    if len(set(numbers.values())) == 1 and min(numbers.values()) > 0:
        return []
    counted = ", ".join(f"{path} {number:,}" for path, number in numbers.items())
    return [f"files that belong together line by line differ in lines: {counted}: {ADVICE}"]


def picture_at(path: Path) -> bytes:
    """StreamError for one that can't be read."""
    try:
        return read_path(path, IMAGE_BYTES)
    except (OSError, TooLarge) as problem:
        raise StreamError(f"{path} cannot be read: {problem}") from problem


def caption_item(
    path: Path, *, id: str, image: str, picture: bytes, language: str, references: tuple[str, ...]
) -> Item:
    """The question for a caption of this picture, in a set that gives human ones."""
    return Item(
        id=id,
        image=image,
        picture=picture,
        task="caption",
        language=language,
        style="short",
        source_text="",
        references=references,
        is_held_out=False,
        where=str(path),
    )


def is_inside(name: str) -> bool:
    """Whether a picture's name from a file of the set stays within its folder."""
    return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts


def version_of(name: str, paths: Iterable[Path]) -> str:
    """The name with a hash of the texts: what tells one edition from another."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(bytes_of(path)).digest())
    return f"{name}-{digest.hexdigest()[:12]}"
