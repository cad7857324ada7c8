"""One run, or one training, at a time in one OUT.

The lock belongs to the process, not to the file: a run that was killed leaves none behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from florenz.stores import files

MAX_HOLDER_CHARS = 64  # of what stands in the lock: a process's number


class OutInUse(ValueError):
    """Somebody else holds OUT; the message says who and what to do."""


@contextlib.contextmanager
def lock_out(out: str) -> Iterator[None]:
    """Hold OUT while the block runs.

    Raises:
        OutInUse: another run holds it. An object store has no such lock: two runs there do work twice and lose
        nothing, since ledger parts are named by their content.
    """
    local = files.local_path(out)
    if local is None:
        yield
        return
    folder = Path(local)
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
