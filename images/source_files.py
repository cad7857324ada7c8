"""One file of a source: opening it, and telling a fault of its own from a fault of the run."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from florenz.images.bad_image import BadImage
from florenz.limits.errors import excess
from florenz.stores.files import open_read, read_ranges

# What is wrong with one file. Anything else (no network, too many open files) is an error of the run and not caught.
_FILE_FAULTS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_FILE_ERRNOS = (errno.ELOOP, errno.EIO, errno.ENAMETOOLONG)


@contextmanager
def file_faults() -> Iterator[None]:
    """Turns an OSError that is the file's own fault into BadImage `unreadable_file`; lets every other one through."""
    try:
        yield
    except OSError as error:
        if isinstance(error, _FILE_FAULTS) or error.errno in _FILE_ERRNOS:
            raise BadImage("unreadable_file", error.strerror or type(error).__name__) from error
        raise


def open_file(path: str) -> BinaryIO:
    """The file, to be read under `file_faults`. Raises BadImage `unreadable_file` for a pipe, socket or device."""
    _check_is_regular(path)
    return open_read(path)


def read_piece(path: str, offset: int, size: int) -> bytes:
    """These bytes of the file, fewer where it ends, under `file_faults`. In a store it is one request, where opening
    the file would bring its beginning first. Raises as `open_file`.
    """
    _check_is_regular(path)
    (piece,) = read_ranges(path, [(offset, size)])
    return piece


def _check_is_regular(path: str) -> None:
    local = local_name(path)
    if local is not None and not stat.S_ISREG(os.stat(local).st_mode):  # opening a named pipe would wait for ever
        raise BadImage("unreadable_file", "not a regular file")


def local_name(path: str) -> str | None:
    """The name for `os` of a local path, None for an object store's."""
    bare = path.removeprefix("file://")
    return None if "://" in bare else os.path.expanduser(bare)


def check_bytes(size: int, max_bytes: int) -> None:
    """Raises BadImage `too_many_bytes`."""
    if size > max_bytes:
        raise BadImage("too_many_bytes", excess(size, max_bytes, "bytes"))
