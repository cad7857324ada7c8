"""FORMAT=webdataset: plain tars of `.jpg` and `.txt`, one sample for each text, which open_clip trains on.

A translation has its source text beside it, as `.source.txt`. An image with several texts stands in the tar as often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from florenz.exports.formats.contract import ONE_TASK, Piece, sample_key
from florenz.shards.reader import iter_members
from florenz.shards.schema import Example, Sample
from florenz.shards.writer import HashedTar
from florenz.stores import files

TASKS = ONE_TASK


def write(samples: Iterable[Sample], folder: str, name: str, split: str) -> Piece:
    path = f"{name}.tar"
    with files.atomic_write(files.join(folder, path)) as file:
        tar = HashedTar(file)
        for sample in samples:
            for example in sample.examples:
                tar.add(members(sample, example))
                tar.num_samples += 1
        tar.finish()
    return Piece(name=name, split=split, samples=tar.num_samples, files=(path,))


def members(sample: Sample, example: Example) -> list[tuple[str, bytes]]:
    """(file name, content) in the order in which they stand in the tar."""
    key = sample_key(sample, example)
    source = [(f"{key}.source.txt", example.source_text.encode())] if example.source_text else []
    return [(f"{key}.jpg", sample.jpeg), *source, (f"{key}.txt", example.text.encode())]


def finish(folder: str, pieces: Sequence[Piece]) -> list[str]:
    return []


def texts(folder: str, piece: Piece) -> Iterator[str]:
    for _, found in iter_members(files.join(folder, piece.files[0])):
        yield found["txt"].decode()
