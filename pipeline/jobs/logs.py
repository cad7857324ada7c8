"""Where the launcher's side of a run writes its logs."""

from __future__ import annotations

import os
from pathlib import Path


def local_log(out: str, name: str) -> Path:
    """A local file: in OUT, or, where OUT is an object store, in the working folder."""
    if "://" in out:
        return Path(f"{name}-{os.getpid()}.log").absolute()
    return Path(out).absolute() / "logs" / f"{name}.log"


def progress_log(out: str) -> Path | None:
    """The JSON lines of a run's progress; None where OUT is an object store, to which nothing can be appended."""
    return None if "://" in out else Path(out).absolute() / "logs" / "progress.jsonl"
