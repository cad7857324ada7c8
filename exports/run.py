"""One export: shard by shard, in an order that can be stopped anywhere, proved at the end.

    TO/.florenz/plan.json               what is made, of which build: another export is never mixed in
    TO/.florenz/pieces/<name>.json      written when the files of one shard are complete
    TO/export.json                      last: presence means complete

Beside what the format writes. A piece carries size and SHA-256 of its files and of its texts; the proof reads the files
back and compares both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from florenz.exports.formats.contract import Format, Piece
from florenz.exports.selection import Selection
from florenz.shards.manifest import Manifest, shard_path
from florenz.shards.reader import iter_samples
from florenz.shards.schema import Sample
from florenz.shards.writer import ShardInfo
from florenz.stores import files

DONE = "export.json"
READ_BYTES = 1 << 20


class ExportError(ValueError):
    """The folder holds something else, or what was written is not what was read."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """One piece as it was written. texts, sha256: number of its texts, and over all of them. sizes: file -> bytes."""

    piece: Piece
    texts: int
    sha256: str
    sizes: dict[str, int]


@dataclass(kw_only=True)
class _Texts:
    """Passes samples on, and counts and hashes their texts."""

    number: int = 0

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()

    def of(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            for example in sample.examples:
                self.add(example.text)
            yield sample

    def add(self, text: str) -> None:
        self.number += 1
        self.digest.update(text.encode() + b"\0")


def export(out: str, manifest: Manifest, to: str, name: str, kind: Format, selection: Selection) -> list[Written]:
    """Export a build into the folder `to`; what is complete there is not made again.

    Raises:
        ExportError: `to` holds another export or other files, nothing is chosen, or the proof failed.
    """
    plan: dict[str, object] = {"build": manifest.build, "format": name, **selection.to_dict()}
    _claim(to, plan)
    shards = selection.shards(manifest)
    written = [one for shard in shards if (one := _piece(out, manifest, to, kind, selection, shard))]
    if not written:
        raise ExportError(
            f"nothing is chosen: no text of the style {', '.join(selection.styles)} in build {manifest.build}"
        )
    over_all = kind.finish(to, [one.piece for one in written])
    _prove(to, kind, written, selection.num_texts(shards))
    record = {**plan, "pieces": [asdict(one) for one in written], "files": over_all}
    _write_json(files.join(to, DONE), record)
    return written


def _claim(to: str, plan: dict[str, object]) -> None:
    path = files.join(to, ".florenz", "plan.json")
    try:
        found = json.loads(files.read_bytes(path))
    except FileNotFoundError:
        if files.list_files(to):
            raise ExportError(f"{to} holds other files: name an empty folder with TO=...") from None
        _write_json(path, plan)
        return
    if found != plan:
        differing = ", ".join(sorted(name for name in plan if found.get(name) != plan[name]))
        raise ExportError(f"{to} holds another export ({differing}): remove it, or name another folder with TO=...")


def _piece(
    out: str, manifest: Manifest, to: str, kind: Format, selection: Selection, shard: ShardInfo
) -> Written | None:
    """None for a shard in which nothing is chosen: an empty tar breaks the readers of the field."""
    if selection.num_texts([shard]) == 0:
        return None
    name = shard.path.removesuffix(".tar")
    record = files.join(to, ".florenz", "pieces", f"{name}.json")
    found = _read(record)
    if found and all(_size(files.join(to, path)) == size for path, size in found.sizes.items()):
        return found
    texts = _Texts()
    samples = iter(selection.chosen(iter_samples(shard_path(out, manifest.build, shard.path))))
    first = next(samples, None)
    if first is None:
        return None
    piece = kind.write(texts.of(_again(first, samples)), to, name, shard.split)
    sizes = {path: _size(files.join(to, path)) or 0 for path in piece.files}
    done = Written(piece=piece, texts=texts.number, sha256=texts.digest.hexdigest(), sizes=sizes)
    _write_json(record, asdict(done))
    return done


def _again(first: Sample, rest: Iterator[Sample]) -> Iterator[Sample]:
    yield first
    yield from rest


def _prove(to: str, kind: Format, written: Iterable[Written], expected: int | None) -> None:
    """Read back every file, and compare its texts with what the shards gave."""
    total = 0
    for one in written:
        texts = _Texts()
        for text in kind.texts(to, one.piece):
            texts.add(text)
        total += texts.number
        if (texts.number, texts.digest.hexdigest()) != (one.texts, one.sha256):
            raise ExportError(
                f"{one.piece.files[0]} in {to} holds other texts than its shard ({texts.number}, not {one.texts}): "
                "remove it and export again"
            )
    if expected is not None and total != expected:
        raise ExportError(f"{to} holds {total} texts, the manifest counts {expected}: run make verify")


def _read(path: str) -> Written | None:
    try:
        record = json.loads(files.read_bytes(path))
    except FileNotFoundError:
        return None
    piece = record.pop("piece")
    return Written(piece=Piece(**{**piece, "files": tuple(piece["files"])}), **record)


def _size(path: str) -> int | None:
    try:
        with files.open_read(path) as file:
            return file.seek(0, 2)
    except FileNotFoundError:
        return None


def _write_json(path: str, record: object) -> None:
    with files.atomic_write(path) as file:
        file.write((json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
