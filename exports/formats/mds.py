"""FORMAT=mds: MosaicML's Mosaic Data Shards, one folder for each split, one sample for each text.

    train/index.json, train/train-000000.00000.mds ...     StreamingDataset(local=folder, split="train")

A file is the number of samples, their offsets and the end, the columns as JSON, and the samples; a sample is the sizes
of its columns and their contents. All numbers are uint32, little-endian, after mosaicml-streaming 0.13
(streaming/base/format/mds/writer.py). Offsets have 32 bits, so files are closed at 64 MB, as MosaicML does.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from florenz.exports.formats.contract import ANY_TASKS, Piece
from florenz.shards.schema import Example, Sample
from florenz.stores import files

TASKS = ANY_TASKS
MAX_BYTES = 1 << 26
COLUMNS = {
    "image": "jpeg", "key": "str", "language": "str", "licence": "str", "source_language": "str", "source_text": "str",
    "style": "str", "task": "str", "text": "str", "url": "str",
}  # fmt: skip
SIZES = struct.Struct(f"<{len(COLUMNS)}I")  # of a sample's columns, before their contents
CONFIG: dict[str, Any] = {
    "version": 2,
    "format": "mds",
    "compression": None,
    "hashes": [],
    "size_limit": MAX_BYTES,
    "column_names": list(COLUMNS),
    "column_encodings": list(COLUMNS.values()),
    "column_sizes": [None] * len(COLUMNS),
}
HEADER = json.dumps(CONFIG, sort_keys=True).encode()


def write(samples: Iterable[Sample], folder: str, name: str, split: str) -> Piece:
    paths: list[str] = []
    num_samples = 0
    for encoded in _files(_encoded(sample, example) for sample in samples for example in sample.examples):
        paths.append(files.join(split, f"{name}.{len(paths):05d}.mds"))
        num_samples += len(encoded)
        with files.atomic_write(files.join(folder, paths[-1])) as file:
            file.writelines(_head(encoded))
            file.writelines(encoded)
    return Piece(name=name, split=split, samples=num_samples, files=tuple(paths))


def finish(folder: str, pieces: Sequence[Piece]) -> list[str]:
    written = []
    for split in dict.fromkeys(piece.split for piece in pieces):
        shards = [_entry(folder, path) for piece in pieces if piece.split == split for path in piece.files]
        written.append(files.join(split, "index.json"))
        with files.atomic_write(files.join(folder, written[-1])) as file:
            file.write(json.dumps({"version": 2, "shards": shards}, sort_keys=True).encode())
    return written


def texts(folder: str, piece: Piece) -> Iterator[str]:
    place = list(COLUMNS).index("text")
    for path in piece.files:
        content = files.read_bytes(files.join(folder, path))
        (number,) = struct.unpack_from("<I", content)
        offsets = struct.unpack_from(f"<{number + 1}I", content, 4)
        for start in offsets[:-1]:
            sizes = SIZES.unpack_from(content, start)
            begin = start + SIZES.size + sum(sizes[:place])
            yield content[begin : begin + sizes[place]].decode()


def _encoded(sample: Sample, example: Example) -> bytes:
    of_sample: dict[str, bytes | str] = {"image": sample.jpeg, "key": sample.key}
    of_sample |= {"licence": sample.licence, "url": sample.url}
    values = [of_sample[name] if name in of_sample else str(getattr(example, name)) for name in COLUMNS]
    contents = [value if isinstance(value, bytes) else value.encode() for value in values]
    return b"".join((SIZES.pack(*map(len, contents)), *contents))


def _files(samples: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Samples, as many at once as one file takes: at least one."""
    batch: list[bytes] = []
    num_bytes = 0
    for sample in samples:
        if batch and num_bytes + len(sample) > MAX_BYTES:
            yield batch
            batch, num_bytes = [], 0
        batch.append(sample)
        num_bytes += len(sample)
    if batch:
        yield batch


def _head(samples: Sequence[bytes]) -> list[bytes]:
    start = 4 + 4 * (len(samples) + 1) + len(HEADER)
    offsets = [start]
    for sample in samples:
        offsets.append(offsets[-1] + len(sample))
    return [struct.pack("<I", len(samples)), struct.pack(f"<{len(offsets)}I", *offsets), HEADER]


def _entry(folder: str, path: str) -> dict[str, Any]:
    with files.open_read(files.join(folder, path)) as file:
        (number,) = struct.unpack("<I", file.read(4))
        num_bytes = file.seek(0, os.SEEK_END)
    raw = {"basename": path.rpartition("/")[2], "bytes": num_bytes, "hashes": {}}
    return {**CONFIG, "samples": number, "raw_data": raw, "zip_data": None}
