"""Folders that must stay the same while a run writes into them.

A mount that goes away leaves an empty folder in its place, in which all work would seem undone, and what is written
there is out of sight when the mount is back.
"""

import contextlib
import os
from collections.abc import Iterator

from florenz.stores.errors import WriteError

_pinned: dict[str, tuple[int, int] | None] = {}  # local folder -> what it is: device and inode


@contextlib.contextmanager
def pinned_folder(folder: str) -> Iterator[None]:
    """While the block runs, `check_pinned` fails below this local folder if it is gone, or another is in its place."""
    name = os.path.abspath(folder)
    _pinned[name] = _identity(name)
    try:
        yield
    finally:
        _pinned.pop(name, None)


def check_pinned(path: str) -> None:
    """`WriteError` if this local path lies below a pinned folder that is no longer what it was."""
    path = os.path.abspath(path)
    for folder, identity in list(_pinned.items()):
        is_below = path == folder or path.startswith(os.path.join(folder, ""))
        if is_below and (identity is None or _identity(folder) != identity):
            raise WriteError(f"{folder} is gone, or another folder is in its place; bring it back")


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino
