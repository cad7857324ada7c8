"""One run, or one training, at a time in one OUT.

On a local disk the lock belongs to the process, not to the file: a run that was killed leaves none behind. In an object
store it is an object with an owner and a lease (`lease.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from florenz.stores import files
from florenz.stores.errors import OutInUse

__all__ = ["Held", "OutInUse", "lock_out"]

MAX_HOLDER_CHARS = 64  # of what stands in the lock: a process's number


class Held(Protocol):
    """OUT as the one who holds it has it."""

    def check(self) -> None:
        """Before what can't be undone. `OutLost` if another has taken OUT over, or may have."""


class _Local:
    def check(self) -> None:
        """The system keeps it for us as long as we live."""


@contextlib.contextmanager
def lock_out(out: str) -> Iterator[Held]:
    """Hold OUT while the block runs.

    Raises:
        OutInUse: another run holds it.
        OutLost: another run has taken it over, since we were not heard of for a lease; the block is interrupted.
        A store that can't tell who came first is not locked: two runs there do work twice and lose nothing, since
        ledger parts are named by their content.
    """
    local = files.local_path(out)
    if local is not None:
        with _local_lock(out, Path(local)):
            yield _Local()
    elif files.can_swap(out):
        from florenz.stores.lease import lease_out

        with lease_out(out) as lease:
            yield lease
    else:
        yield _Local()


@contextlib.contextmanager
def _local_lock(out: str, folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            file.seek(0)
            holder = file.read(MAX_HOLDER_CHARS).strip() or "unknown"
            raise OutInUse(
                f"OUT {out!r} is in use by another run (process {holder}): wait for it, or choose another OUT"
            ) from problem
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
