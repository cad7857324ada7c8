"""What C libraries print by themselves (libtiff about every odd tag, gRPC, oneDNN) goes to a log and not on the screen.

They write to file descriptor 2, past everything that Python could filter. So that descriptor becomes the log, and
`sys.stderr`, which our own messages and progress bars go through, keeps the screen.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def c_messages_to(log: Path) -> Iterator[None]:
    """While the block runs, descriptor 2 is `log` (appended to) and sys.stderr is what descriptor 2 was."""
    log.parent.mkdir(exist_ok=True)  # not OUT itself: where it is gone, it must not be made anew
    before, python_stderr = os.dup(2), sys.stderr
    try:
        if _writes_to_descriptor_2(python_stderr):
            sys.stderr = io.TextIOWrapper(os.fdopen(os.dup(2), "wb", 0), errors="backslashreplace", write_through=True)
        with log.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        sys.stderr = python_stderr


def _writes_to_descriptor_2(stream: object) -> bool:
    """Not so where a test or a notebook has put something else in its place."""
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == 2
    except (OSError, ValueError):
        return False
