"""The one layer through which every path that a user gives is read and written: local, gs://, s3://, memory://.

Presence means complete: a file appears under its name with all its bytes or not at all. A rename does that on a local
disk. Object stores have no rename, and fsspec's own writers publish what they have when an exception unwinds them, so
there the bytes are staged in a temporary local file and uploaded in one piece at the end. The price is disk space for
one file and an upload that starts late; what it buys is that a failed write leaves nothing behind.

A folder can be pinned: then nothing is written or listed below it unless it is still that folder. A mount that goes
away leaves an empty folder in its place, in which all work would seem undone, and what is written there is out of sight
when the mount is back.

gs:// needs the package gcsfs and s3:// needs s3fs. Both read their settings from the environment, for example
FSSPEC_S3_ENDPOINT_URL or STORAGE_EMULATOR_HOST.
"""

import contextlib
import errno
import os
import posixpath
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

PARTIAL_NAME = re.compile(r"\..+\.\d+-[0-9a-f]{16}\.partial")


class StoreError(ValueError):
    """A URL of a kind that cannot be opened from here; the message says what is missing."""


class WriteError(OSError):
    """A local file could not be written or a pinned folder is gone; the message is one line and says what to do."""


_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "make it writable again",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}
_pinned: dict[str, tuple[int, int] | None] = {}  # local folder -> what it is: device and inode


@contextlib.contextmanager
def pinned(folder: str) -> Iterator[None]:
    """While the block runs, `WriteError` for what would write or list below this local folder if it is gone, or another
    one is in its place. An object store has nothing to pin.
    """
    if not _is_local(folder):
        yield
        return
    name = os.path.abspath(_local(folder))
    _pinned[name] = _identity(name)
    try:
        yield
    finally:
        _pinned.pop(name, None)


def in_words(problem: OSError) -> str:
    """What the system said about a path, as one line that says what to do."""
    if isinstance(problem, WriteError) or problem.errno is None:
        return str(problem)
    where = f"{problem.filename}: " if problem.filename else ""
    return f"{where}{problem.strerror}; {_ADVICE.get(problem.errno, 'see whether its disk is there and well')}"


def open_read(path: str) -> BinaryIO:
    """A seekable binary file, to be used in a `with`. `FileNotFoundError` if there is none."""
    if _is_local(path):
        return open(_local(path), "rb")
    store, inner = _store(path)
    return cast(BinaryIO, store.open(inner, "rb"))


def read_bytes(path: str) -> bytes:
    """All bytes of a file. `FileNotFoundError` if there is none."""
    if _is_local(path):
        with open_read(path) as file:
            return file.read()
    store, inner = _store(path)
    return bytes(store.cat_file(inner))


def atomic_write(path: str) -> AbstractContextManager[BinaryIO]:
    """A binary file that appears as `path`, replacing what was there, when the `with` ends without an error.

    Parent folders are made. After an error nothing appears and what was there stays; `WriteError` for what the system
    refuses. A process that is killed can leave a `.name.pid-random.partial` beside the target, which `list_files` never
    shows and `remove_partials` removes.
    """
    return _replacing_local(_local(path)) if _is_local(path) else _uploading(path)


def remove_partials(folder: str) -> int:
    """Remove what killed processes left of `atomic_write` below a local folder; how many there were.

    For whoever knows that nobody else is writing there. An object store has none: nothing is staged in it.
    """
    if not _is_local(folder):
        return 0
    root = _local(folder)
    partials = [name for name in _walk_local(root) if PARTIAL_NAME.fullmatch(posixpath.basename(name))]
    for name in partials:
        os.remove(os.path.join(root, name))
    return len(partials)


def exists(path: str) -> bool:
    """Whether there is a file or a folder of this name."""
    if _is_local(path):
        return os.path.exists(_local(path))
    store, inner = _store(path)
    store.invalidate_cache()  # another process may have written since we last listed
    return bool(store.exists(inner))


def remove(path: str) -> None:
    """Remove a file. One that is not there is no error: two runs may clean up the same one."""
    with contextlib.suppress(FileNotFoundError):
        if _is_local(path):
            os.remove(_local(path))
        else:
            store, inner = _store(path)
            store.rm_file(inner)


def list_files(folder: str) -> list[str]:
    """Paths of all files below a folder at any depth, sorted, each beginning with `folder` as it was given.

    Linked folders are followed, each real folder once. Unfinished writes are left out. No folder: an empty list.
    """
    if _is_local(folder):
        _check_pinned(_local(folder))
    below = _walk_local(_local(folder)) if _is_local(folder) else _walk_store(folder)
    return sorted(join(folder, name) for name in below if not PARTIAL_NAME.fullmatch(posixpath.basename(name)))


def join(base: str, *parts: str) -> str:
    """`base` and the parts with one slash between them; `base` may end with a slash, as in memory://."""
    for part in parts:
        base = f"{base}{part}" if base.endswith("/") or not base else f"{base}/{part}"
    return base


def _is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def _local(path: str) -> str:
    return os.path.expanduser(path.removeprefix("file://"))


def _store(path: str) -> tuple[AbstractFileSystem, str]:
    """The file system behind a URL and the path inside it; `StoreError` for one that cannot be opened."""
    try:
        store, inner = url_to_fs(path)
    except (ImportError, ValueError) as problem:
        # ImportError: the package for this kind of store is missing. ValueError: no such kind. fsspec says which.
        raise StoreError(f"cannot open {path}: {problem}") from problem
    return store, inner


@contextlib.contextmanager
def _replacing_local(path: str) -> Iterator[BinaryIO]:
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}.{os.getpid()}-{secrets.token_hex(8)}.partial")
    try:
        _check_pinned(path)
        os.makedirs(folder or ".", exist_ok=True)
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # without it a power cut after the rename can leave the name and no bytes
        os.replace(partial, path)
    except BaseException as problem:  # Ctrl-C too
        with contextlib.suppress(OSError):  # gone, or on a disk that takes nothing any more, not even this
            os.remove(partial)
        if isinstance(problem, OSError) and _is_about(problem, path, partial):
            raise WriteError(f"can't write {path}: {in_words(OSError(problem.errno, problem.strerror))}") from problem
        raise


def _is_about(problem: OSError, path: str, partial: str) -> bool:
    """Whether it says something of this write, and not of a file that was to be read for it. `write` names no file."""
    if problem.errno is None or isinstance(problem, WriteError):
        return False
    return problem.filename in (None, partial) or os.path.join(path, "").startswith(os.path.join(problem.filename, ""))


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_pinned(path: str) -> None:
    path = os.path.abspath(path)
    for folder, identity in list(_pinned.items()):
        is_below = path == folder or path.startswith(os.path.join(folder, ""))
        if is_below and (identity is None or _identity(folder) != identity):
            raise WriteError(f"{folder} is gone, or another folder is in its place; bring it back")


@contextlib.contextmanager
def _uploading(path: str) -> Iterator[BinaryIO]:
    store, inner = _store(path)
    with tempfile.NamedTemporaryFile(prefix="upload-") as staged:
        yield cast(BinaryIO, staged)
        staged.flush()
        store.put_file(staged.name, inner)


def _walk_local(folder: str) -> Iterator[str]:
    """Names relative to the folder."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_unless_missing):
        real = os.path.realpath(parent)
        if real in seen:  # a link to a folder above would go round for ever
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in names:
            yield posixpath.normpath(posixpath.join(os.path.relpath(parent, folder), name))


def _unless_missing(problem: OSError) -> None:
    # os.walk skips folders that it may not read; a dataset that loses a folder in silence is worse than an error.
    if not isinstance(problem, FileNotFoundError | NotADirectoryError):
        raise problem


def _walk_store(folder: str) -> Iterator[str]:
    store, inner = _store(folder)
    store.invalidate_cache()
    prefix = inner.rstrip("/") + "/"
    for found in store.find(inner):
        if found.startswith(prefix):
            yield found[len(prefix) :]
