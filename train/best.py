"""The weights that a training keeps: those of its last step, or the best ones on the way.

OUT/best holds the weights of the validation whose covered pairs had the lowest cross-entropy, and best.json, which says
which step that was. A training that goes on from a checkpoint before that step comes by it again, with the same
figures; the earlier step wins a tie, so that the outcome is that of a training which nothing disturbed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.train.checkpoint import flush

FOLDER = "best"
RECORD = "best.json"
MODEL = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Best:
    """step: counted through all stages. score: the lower, the better."""

    step: int
    score: float

    def is_beaten_by(self, score: float, step: int) -> bool:
        return (score, step) < (self.score, self.step)


def read_best(out: str, identity: Mapping[str, Any]) -> Best | None:
    """What is kept of this very training; None if nothing is, or what is there is another one's."""
    try:
        record = json.loads(read_path(Path(out) / FOLDER / RECORD, RECORD_BYTES))
        return Best(step=record["step"], score=record["score"]) if record["identity"] == identity else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def best_weights(out: str) -> dict[str, torch.Tensor]:
    """ValueError if they are not there, or damaged."""
    path = Path(out) / FOLDER / MODEL
    try:
        return load_file(path)
    except (OSError, SafetensorError) as problem:
        raise ValueError(
            f"{path}, the best weights of the training, cannot be read ({problem}): remove {Path(out) / 'checkpoints'} "
            'and train again, or set keep = "last" in [validation]'
        ) from problem


def begin_best(out: str) -> Path:
    """An empty folder for MODEL."""
    unfinished = best_partial(out)
    for leftover in (unfinished, _old(out)):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished


def finish_best(out: str, best: Best, *, identity: Mapping[str, Any]) -> None:
    """In place of those that were kept before; complete, or the ones before."""
    folder, unfinished, old = Path(out) / FOLDER, best_partial(out), _old(out)
    record = {"step": best.step, "score": best.score, "identity": dict(identity)}
    (unfinished / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    for name in (MODEL, RECORD):
        flush(unfinished / name)
    if folder.exists():
        folder.rename(old)  # a folder cannot be renamed onto a full one
    unfinished.rename(folder)
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def best_partial(out: str) -> Path:
    """Of weights that are being written."""
    return Path(out) / f".{FOLDER}.partial"


def _old(out: str) -> Path:
    return Path(out) / f".{FOLDER}-removed.partial"
