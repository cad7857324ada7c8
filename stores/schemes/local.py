"""Paths of this machine, with or without file:// before them.

A file is written beside its target under a `.partial` name and renamed, which is one step on a local disk; one that
only its first writer may create is linked instead, which fails where the name is taken.
"""

import contextlib
import os
import posixpath
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from florenz.stores.contract import Entry, Facts, Range
from florenz.stores.errors import WriteError, in_words
from florenz.stores.pinning import check_pinned

FACTS = Facts(is_local=True, can_create_only=True, has_stamps=True, reads_ranges=True)


def system_path(path: str) -> str:
    """The name for the system's own calls."""
    return os.path.expanduser(path.removeprefix("file://"))


def open_read(path: str) -> BinaryIO:
    """`WriteError` for what is missing below a pinned folder that is gone."""
    try:
        return open(system_path(path), "rb")
    except FileNotFoundError:
        check_pinned(system_path(path))
        raise


def read_bytes(path: str) -> bytes:
    with open_read(path) as file:
        return file.read()


def atomic_write(path: str) -> AbstractContextManager[BinaryIO]:
    """Parent folders are made. `WriteError` for what the system refuses, and below a pinned folder that is gone."""
    return _staged(system_path(path), os.replace)


def create(path: str, content: bytes) -> bool:
    """The disk must know hard links; `WriteError` if it doesn't."""
    is_first = True

    def link(partial: str, target: str) -> None:
        nonlocal is_first
        try:
            os.link(partial, target)
        except FileExistsError:
            is_first = False
        os.remove(partial)

    with _staged(system_path(path), link) as file:
        file.write(content)
    return is_first


def exists(path: str) -> bool:
    return os.path.exists(system_path(path))


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(system_path(path))


def list_names(folder: str) -> Iterator[str]:
    """Linked folders are followed, each real folder once. `WriteError` below a pinned folder that is gone."""
    root = system_path(folder)
    check_pinned(root)
    seen: set[str] = set()
    for parent, folders, names in os.walk(root, followlinks=True, onerror=_unless_missing):
        real = os.path.realpath(parent)
        if real in seen:  # a link to a folder above would go round for ever
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        below = os.path.relpath(parent, root)  # once for a folder: of all that a listing does it costs most
        for name in names:
            yield name if below == "." else posixpath.join(below, name)


def list_entries(folder: str) -> Iterator[Entry]:
    """As `list_names`; what can't be looked at has no stamp.

    The stamp holds the time of the last change of the inode besides the file's own: `utime` sets the latter at will.
    """
    root = system_path(folder)
    for name in list_names(folder):
        yield _entry(name, os.path.join(root, name)) or Entry(name=name, size=0, modified=0.0, stamp="")


def entry_of(path: str) -> Entry | None:
    return _entry("", system_path(path))


def _entry(name: str, path: str) -> Entry | None:
    """None for a dangling link or what may not be looked at: reading it will say so."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    stamp = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
    return Entry(name=name, size=found.st_size, modified=max(found.st_mtime, found.st_ctime), stamp=stamp)


def read_ranges(path: str, ranges: Sequence[Range]) -> list[bytes]:
    with open_read(path) as file:
        return [os.pread(file.fileno(), size, offset) for offset, size in ranges]


def _unless_missing(problem: OSError) -> None:
    # os.walk skips folders that it may not read; a dataset that loses a folder in silence is worse than an error.
    if not isinstance(problem, FileNotFoundError | NotADirectoryError):
        raise problem


@contextlib.contextmanager
def _staged(path: str, publish: Callable[[str, str], None]) -> Iterator[BinaryIO]:
    """A file beside `path`; at the end `publish(its name, path)` makes it appear and leaves nothing of it."""
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}.{os.getpid()}-{secrets.token_hex(8)}.partial")  # a PARTIAL_NAME
    try:
        check_pinned(path)
        os.makedirs(folder or ".", exist_ok=True)
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # without it a power cut after the rename can leave the name and no bytes
        publish(partial, path)
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
