"""OUT/manifest.json: which build is current, what it holds, and what it was made from.

It is swapped in last, in one step. Until then the build before it is the current one, and a dataset without a manifest
is not finished. What it says about the shards is a claim: `shards.verify` opens them and checks.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_whole
from florenz.limits.table import MANIFEST_BYTES
from florenz.shards.plan import HELDOUT, split_named, split_of_name
from florenz.shards.schema import SCHEMA_VERSION
from florenz.shards.writer import ShardInfo
from florenz.stores import files
from florenz.stores.seals import SEAL, check_seal, sealed

NAME = "manifest.json"
READABLE = (1, SCHEMA_VERSION)
BUILD = re.compile(r"\w[\w.-]*")

Counts = dict[str, dict[str, dict[str, int]]]


MEND = "assemble the dataset again (make dataset with the same OUT; no model is asked)"


class ManifestError(ValueError):
    """No manifest, or none that this program can read; the message is one line and says what to do."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What manifest.json holds, field by field under the same names.

    build: the folder below OUT/shards and OUT/heldout. languages: targets of translation, without English. held_out:
    those among them whose captioning is withheld. counts: split -> task -> language -> number of examples. rejected:
    step -> reason -> language -> number. inputs: where the images came from. recipe: all of it. models: role ->
    fingerprint. filters: what judged the texts, such as the checksum of the language ID model. schema_version: of the
    samples; of a manifest of version 1 all else is read as if it were of this one.
    """

    build: str
    languages: tuple[str, ...]
    held_out: tuple[str, ...]
    shards: tuple[ShardInfo, ...]
    counts: Counts
    rejected: dict[str, dict[str, dict[str, int]]]
    inputs: dict[str, Any]
    recipe: dict[str, Any]
    models: dict[str, Any]
    filters: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def shards_of(self, split: str) -> list[ShardInfo]:
        """The shards of one split, in order: "train" for training, never those of another."""
        return [shard for shard in self.shards if shard.split == split]


FIELDS = {one.name for one in fields(Manifest)} | {SEAL}


def shard_path(out: str, build: str, name: str) -> str:
    """Where the shard of this file name lies. What is withheld has a folder of its own, so that nobody who reads or
    copies shards/ gets it unasked; version 1 kept it beside the others, as val-heldout-000000.tar.
    """
    folder = HELDOUT if name.startswith(f"{HELDOUT}-") else "shards"
    return files.join(out, folder, build, name)


def shard_folders(out: str, build: str) -> tuple[str, str]:
    """Every folder in which shards of a build lie."""
    return files.join(out, "shards", build, ""), files.join(out, HELDOUT, build, "")


def count_examples(shards: Iterable[ShardInfo]) -> Counts:
    """Split -> task -> language -> number of examples, all in sorted order."""
    totals: Counter[tuple[str, str, str]] = Counter()
    for shard in shards:
        for pair, number in shard.counts.items():
            task, _, language = pair.partition("/")
            totals[shard.split, task, language] += number
    counts: Counts = {}
    for (split, task, language), number in sorted(totals.items()):
        counts.setdefault(split, {}).setdefault(task, {})[language] = number
    return counts


def manifest_path(out: str) -> str:
    return files.join(out, NAME)


def write_manifest(out: str, manifest: Manifest, write: Callable[[bytes], None] | None = None) -> None:
    """Make this the current build of OUT, in one step. `write`: puts the bytes there, by default over whatever is."""
    assert manifest.schema_version == SCHEMA_VERSION, "a dataset of an earlier version is read, and not written"
    record = asdict(manifest)
    record["shards"] = [
        {**asdict(shard), "path": shard_path("", manifest.build, shard.path)} for shard in manifest.shards
    ]
    content = (json.dumps(sealed(record), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    if write is not None:
        write(content)
        return
    with files.atomic_write(manifest_path(out)) as file:
        file.write(content)


def read_manifest(out: str) -> Manifest:
    """The manifest of OUT. `ManifestError` if there is none or it cannot be read."""
    return read_manifest_file(manifest_path(out))


def read_manifest_file(path: str) -> Manifest:
    """The same of a build that is not the current one, from where its manifest is kept."""
    try:
        with files.open_read(path) as file:
            content = read_whole(file, MANIFEST_BYTES, path)
    except TooLarge as problem:
        raise ManifestError(f"{problem}: it is no manifest of this program") from problem
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise ManifestError(
            f"{path} does not exist: give the OUT folder of a run that has finished, or run it to the end"
        ) from problem
    try:
        record = json.loads(content.decode())
    except (ValueError, RecursionError) as problem:
        raise ManifestError(f"{path} is not JSON ({_one_line(problem)}): {MEND}") from problem
    if not isinstance(record, dict):
        raise ManifestError(f"{path} holds a {type(record).__name__}, not an object: {MEND}")
    if (version := record.get("schema_version")) not in READABLE:
        raise ManifestError(
            f"{path} has schema version {version!r}, this program reads {' and '.join(map(str, READABLE))}: "
            f"use the program that wrote it, or {MEND}"
        )
    try:
        check_seal(record)
        if strange := sorted(record.keys() - FIELDS):
            raise ValueError(f"field {strange[0]!r} is none of a manifest's")  # such as a checksum's name, flipped
        return _manifest(record)
    except ValueError as problem:
        raise ManifestError(f"{path}: {_one_line(problem)}: {MEND}") from problem


def _manifest(record: Mapping[str, Any]) -> Manifest:
    build = _field(record, "build", str)
    if not BUILD.fullmatch(build):
        raise ValueError(f"build {build!r} is not the name of a folder")
    return Manifest(
        build=build,
        languages=_strings(record, "languages"),
        held_out=_strings(record, "held_out"),
        shards=tuple(_shard(build, entry) for entry in _field(record, "shards", list)),
        counts={split_named(split): counts for split, counts in _numbers_by(record, "counts").items()},
        rejected=_numbers_by(record, "rejected"),
        **{name: _field(record, name, dict) for name in ("inputs", "recipe", "models", "filters")},
        schema_version=_field(record, "schema_version", int),
    )


def _shard(build: str, entry: Any) -> ShardInfo:
    if not isinstance(entry, dict):
        raise ValueError(f"shards holds a {type(entry).__name__}, not only objects")
    path = _field(entry, "path", str)
    name = path.rpartition("/")[2]
    if path != shard_path("", build, name) or split_of_name(name) is None:
        raise ValueError(f"shard path {path!r} is not that of a shard of {build}, like shards/{build}/train-000000.tar")
    counts = _field(entry, "counts", dict)
    return ShardInfo(
        path=name,
        split=split_named(_field(entry, "split", str)),
        sha256=_field(entry, "sha256", str),
        samples=_field(entry, "samples", int),
        bytes=_field(entry, "bytes", int),
        counts={pair: _field(counts, pair, int) for pair in counts},
    )


def _field(record: Mapping[str, Any], name: str, kind: type) -> Any:
    value = record.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        found = f"is a {type(value).__name__}" if name in record else "is missing"
        raise ValueError(f"field '{name}' {found}, expected a {kind.__name__}")
    return value


def _strings(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _field(record, name, list)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"field '{name}' holds something else than strings")
    return tuple(values)


def _numbers_by(record: Mapping[str, Any], name: str) -> dict[str, dict[str, dict[str, int]]]:
    """Three levels of names and a number at the end."""
    outer = _field(record, name, dict)
    middle = {first: _field(outer, first, dict) for first in outer}
    return {
        first: {
            second: {third: _field(_field(inner, second, dict), third, int) for third in inner[second]}
            for second in inner
        }
        for first, inner in middle.items()
    }


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())
