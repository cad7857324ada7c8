"""FORMAT=energon: tars as of FORMAT=webdataset, with the metadata that NVIDIA Energon's `prepare` would make.

    train-000000.tar, train-000000.tar.idx   where each sample begins, 64-bit little-endian, and the end
    .nv-meta/.info.json, split.yaml          how many samples each tar has, which tars make which split
    .nv-meta/dataset.yaml                    samples are CaptioningSample, or VQASample for translations
    .nv-meta/index.sqlite, index.uuid        key -> place, for random access

Written after Energon 7.4 (megatron/energon/flavors/webdataset, prepare.py and indexing.py), which is not needed here.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from florenz.exports.formats import webdataset
from florenz.exports.formats.contract import ONE_TASK, Piece
from florenz.shards.schema import Sample
from florenz.shards.tar import Member, members_of
from florenz.stores import files

TASKS = ONE_TASK
MEMBERS_OF_SAMPLE = 3  # at most: picture, source text, text
META = ".nv-meta"
PARTS = {"train": "train", "val": "val", "choose": "test", "heldout": "train"}  # Energon's own three names
SAMPLES = "CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, \
sample_index INTEGER NOT NULL, byte_offset INTEGER, byte_size INTEGER)"
SAMPLE_PARTS = "CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, \
content_byte_offset INTEGER, content_byte_size INTEGER)"
INDEXES = (
    "CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index)",
    "CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset)",
    "CREATE INDEX idx_sample_parts_full ON sample_parts"
    "(tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size)",
)

texts = webdataset.texts


def write(samples: Iterable[Sample], folder: str, name: str, split: str) -> Piece:
    piece = webdataset.write(samples, folder, name, split)
    index = f"{name}.tar.idx"
    starts: dict[str, int] = {}
    end = 0
    for key, _, member in _members(files.join(folder, piece.files[0])):
        starts.setdefault(key, member.header)
        end = member.end
    with files.atomic_write(files.join(folder, index)) as file:
        file.write(struct.pack(f"<{len(starts) + 1}Q", *starts.values(), end))
    return Piece(name=piece.name, split=split, samples=piece.samples, files=(*piece.files, index))


def finish(folder: str, pieces: Sequence[Piece]) -> list[str]:
    splits: dict[str, list[str]] = {part: [] for part in ("train", "val", "test")}
    for piece in pieces:
        splits[PARTS[piece.split]].append(piece.files[0])
    info = {"energon_version": "7.4.1", "shard_counts": {piece.files[0]: piece.samples for piece in pieces}}
    contents = {
        ".info.json": json.dumps(info, indent=2).encode(),
        "split.yaml": json.dumps({"split_parts": splits, "exclude": []}, indent=2).encode(),  # JSON is YAML
        "dataset.yaml": json.dumps(_dataset(folder, pieces), indent=2).encode(),
        "index.sqlite": _sqlite(folder, pieces),
        "index.uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(info))).encode(),
    }
    for name, content in contents.items():
        with files.atomic_write(files.join(folder, META, name)) as file:
            file.write(content)
    return [files.join(META, name) for name in contents]


def _dataset(folder: str, pieces: Sequence[Piece]) -> dict[str, object]:
    first = islice(_members(files.join(folder, pieces[0].files[0])), MEMBERS_OF_SAMPLE)
    has_source = any(part == "source.txt" for _, part, _ in first)  # of one task: the first sample is as all are
    if has_source:
        kind, fields = "VQASample", {"image": "jpg", "context": "source.txt", "answers": "txt"}
    else:
        kind, fields = "CaptioningSample", {"image": "jpg", "caption": "txt"}
    return {"sample_type": {"__module__": "megatron.energon", "__class__": kind}, "field_map": fields}


def _members(path: str) -> Iterator[tuple[str, str, Member]]:
    """(key, part, place) of each file in a tar; contents are passed over."""
    with files.open_read(path) as file:
        for member in members_of(path, file):
            key, _, part = member.name.partition(".")
            yield key, part, member


def _sqlite(folder: str, pieces: Sequence[Piece]) -> bytes:
    """The database, made in a local folder: SQLite writes nowhere else."""
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "index.sqlite")
        database = sqlite3.connect(path)
        with database:
            database.execute(SAMPLES)
            database.execute(SAMPLE_PARTS)
            for number, piece in enumerate(pieces):
                _add(database, number, files.join(folder, piece.files[0]))
            for index in INDEXES:
                database.execute(index)
        database.close()
        return Path(path).read_bytes()


def _add(database: sqlite3.Connection, tar: int, path: str) -> None:
    rows: list[list[object]] = []
    parts = []
    for key, part, member in _members(path):
        if not rows or rows[-1][1] != key:
            rows.append([tar, key, len(rows), member.header, 0])
        rows[-1][4] = member.end - int(str(rows[-1][3]))
        parts.append((tar, len(rows) - 1, part, member.content, member.size))
    database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
    database.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", parts)
