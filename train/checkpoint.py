"""Checkpoints: all that a training needs to go on as if nothing had happened, complete or absent.

A checkpoint is a folder with the weights, the optimizer's state and checkpoint.json, which holds the position, what the
recipe was, and the SHA-256 of the other two. It is written under another name, flushed and renamed; one that was
damaged afterwards shows by its checksums, and the one before is used. All is safetensors and JSON, nothing is a pickle.

The schedule and the stream are functions of the position, and so are the random numbers (each micro-batch seeds them
anew), so three integers say all about them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.stores.seals import SEAL, check_seal, sealed

FOLDER = "checkpoints"
RECORD = "checkpoint.json"
MODEL = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
FORMAT = 1
NAME = re.compile(r"step-\d{8}")
READ_BYTES = 1 << 22
KEYS = {"format", "position", "identity", "counts", "segment", "sha256", SEAL}  # of a record


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a training is. stage: index; stage_step: steps done in it; step: steps done in all stages together.

    micro_batch: the stream's first micro-batch that was not used yet, counted from the start of the stage.
    """

    stage: int = 0
    stage_step: int = 0
    step: int = 0
    micro_batch: int = 0

    def next(self, num_micro_batches: int) -> Position:
        """After one more step of so many micro-batches."""
        return Position(
            stage=self.stage,
            stage_step=self.stage_step + 1,
            step=self.step + 1,
            micro_batch=self.micro_batch + num_micro_batches,
        )

    def has_finished(self, stage: int, steps: int) -> bool:
        """Whether this stage, of so many steps, is done."""
        return (self.stage, self.stage_step) >= (stage, steps)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A complete checkpoint on disk. identity: what decides the weights; only the same recipe can go on from it.
    counts: of the stage it stands in (`counts.py`); empty in one that was written before they were kept."""

    path: Path
    position: Position
    identity: dict[str, Any]
    counts: dict[str, list[int]] = field(default_factory=dict)
    segment: dict[str, Any] = field(default_factory=dict)
    """Of a training that follows a growing dataset (`following.py`); else empty."""

    def weights(self) -> dict[str, torch.Tensor]:
        """Name -> tensor, on the CPU."""
        return load_file(self.path / MODEL)

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        """As it was given to `save_checkpoint`."""
        return load_file(self.path / OPTIMIZER)


def save_checkpoint(
    out: str,
    *,
    position: Position,
    identity: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    optimizer_state: Mapping[str, torch.Tensor],
    keep: int,
    counts: Mapping[str, Sequence[int]] | None = None,
    segment: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint below `out`, then remove all but the newest `keep`. Whole tensors on the CPU, none shared."""
    partial = begin_checkpoint(out, position.step)
    save_file(dict(weights), partial / MODEL)
    save_file(dict(optimizer_state), partial / OPTIMIZER)
    return finish_checkpoint(out, position=position, identity=identity, keep=keep, counts=counts, segment=segment)


def begin_checkpoint(out: str, step: int) -> Path:
    """An empty folder for MODEL and OPTIMIZER, which is no checkpoint yet."""
    partial = partial_folder(out, step)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def finish_checkpoint(
    out: str,
    *,
    position: Position,
    identity: Mapping[str, Any],
    keep: int,
    counts: Mapping[str, Sequence[int]] | None = None,
    segment: Mapping[str, Any] | None = None,
) -> Path:
    """Make a checkpoint of the folder that `begin_checkpoint` gave and that was filled since; flushed and whole."""
    folder, partial = Path(out) / FOLDER, partial_folder(out, position.step)
    record = {
        "format": FORMAT,
        "position": asdict(position),
        "identity": dict(identity),
        "counts": {name: list(numbers) for name, numbers in (counts or {}).items()},
        "segment": dict(segment or {}),
        "sha256": {name: _flushed_sha256(partial / name) for name in (MODEL, OPTIMIZER)},
    }
    (partial / RECORD).write_text(json.dumps(sealed(record), indent=1) + "\n")
    flush(partial / RECORD)
    final = folder / _name(position.step)
    _remove(final)  # a damaged one of the same step
    partial.rename(final)
    flush(folder)
    for old in _folders(out)[:-keep]:
        _remove(old)
    return final


def newest_checkpoint(out: str, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint whose files are as they were written; each damaged one before it is told to `warn`."""
    for path in reversed(_folders(out)):
        try:
            record = _read_record(path)
            for name, digest in record["sha256"].items():
                if _sha256(path / name) != digest:
                    raise ValueError(f"{name} is not as it was written")
            return _checkpoint(path, record)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            advice = "going back to the one before; make train goes on from there"
            warn(f"checkpoint {path} is damaged ({problem}): {advice}")
    return None


def read_checkpoint(out: str, step: int) -> Checkpoint:
    """The one of this step, which must be there and good."""
    path = Path(out) / FOLDER / _name(step)
    return _checkpoint(path, _read_record(path))


def identity_of_newest(out: str) -> dict[str, Any] | None:
    """What the newest checkpoint with a readable record was trained with; nothing else of it is looked at."""
    found = newest_record(out)
    return found.identity if found else None


def newest_record(out: str) -> Checkpoint | None:
    """The newest checkpoint with a readable record, its weights unread."""
    for path in reversed(_folders(out)):
        try:
            return _checkpoint(path, _read_record(path))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # `newest_checkpoint` will say so
    return None


def remove_unfinished(out: str) -> None:
    """Remove what a killed run left. For whoever holds the lock on `out`."""
    for path in (Path(out) / FOLDER).glob(".*.partial"):
        shutil.rmtree(path)


def _name(step: int) -> str:
    return f"step-{step:08d}"


def partial_folder(out: str, step: int) -> Path:
    """Of a checkpoint that is being written."""
    return Path(out) / FOLDER / f".{_name(step)}.partial"


def _folders(out: str) -> list[Path]:
    """Of the checkpoints that may be complete, oldest first."""
    paths = (Path(out) / FOLDER).glob("step-*")
    return sorted(path for path in paths if NAME.fullmatch(path.name))


def _read_record(path: Path) -> dict[str, Any]:
    record = json.loads(read_path(path / RECORD, RECORD_BYTES))
    check_seal(record)
    if strange := sorted(record.keys() - KEYS):  # a damaged name of the checksum would look like a record without one
        raise ValueError(f"it has {strange[0]!r}, which nothing writes")
    if record["format"] != FORMAT:
        raise ValueError(f"its format is {record['format']}, this program reads {FORMAT}")
    return dict(record)


def _checkpoint(path: Path, record: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(
        path=path,
        position=Position(**record["position"]),
        identity=dict(record["identity"]),
        counts=dict(record.get("counts", {})),
        segment=dict(record.get("segment", {})),
    )


def _remove(path: Path) -> None:
    """By way of another name: a removal that is cut off leaves nothing that looks like a checkpoint."""
    if path.exists():
        doomed = path.with_name(f".{path.name}-removed.partial")
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
        shutil.rmtree(doomed)


def _flushed_sha256(path: Path) -> str:
    flush(path)
    return _sha256(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Onto the disk: without it a power cut after the rename can leave the name and no bytes. Folders as well."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
