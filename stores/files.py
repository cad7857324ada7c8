"""The one layer through which every path that a user gives is read and written: local, gs://, s3://, memory://.

Which store a path belongs to is in its scheme (`stores/contract.py`). Presence means complete, in every one of them: a
file appears under its name with all its bytes or not at all.

A local folder can be pinned: then nothing is written or listed below it unless it is still that folder.
"""

import importlib
import os
import pkgutil
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache
from typing import BinaryIO, cast

from florenz.stores import schemes
from florenz.stores.contract import PARTIAL_NAME, Entry, Range, Store, Versioned
from florenz.stores.errors import StoreError, StoreUnavailable, WriteError, in_words
from florenz.stores.pinning import pinned_folder
from florenz.stores.schemes.local import system_path

__all__ = [
    "Entry", "StoreError", "StoreUnavailable", "Versioned", "WriteError", "atomic_write", "can_swap", "create",
    "entry_of", "exists", "in_words", "join", "list_entries", "list_files", "local_path", "open_read", "pinned",
    "read_bytes", "read_ranges", "read_versioned", "remove", "remove_partials", "sizes_below", "store_of", "swap",
]  # fmt: skip

LOCAL, REMOTE = "local", "remote"  # the two files of schemes/ that are not named after a scheme


def store_of(path: str) -> Store:
    """The store of a path. `StoreError` if that needs a package which is not installed."""
    scheme, mark, _ = path.partition("://")
    try:
        return _store_for(scheme if mark else "file")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith(schemes.__name__.partition(".")[0]):
            raise
        raise StoreError(f"cannot open {path}: it needs the package {missing.name}, which is missing") from missing


@cache
def _store_for(scheme: str) -> Store:
    """The folder is the table: its files are listed, and the chosen one alone is imported."""
    names = {module.name for module in pkgutil.iter_modules(schemes.__path__)}
    name = LOCAL if scheme == "file" else scheme if scheme in names and scheme != LOCAL else REMOTE
    module = importlib.import_module(f"{schemes.__name__}.{name}")
    return cast(Store, getattr(module, "STORE", module))


def local_path(path: str) -> str | None:
    """The name of a path for the system's own calls; None for one that is not on this machine."""
    return system_path(path) if store_of(path).FACTS.is_local else None


def pinned(folder: str) -> AbstractContextManager[None]:
    """While the block runs, `WriteError` for what would write or list below this local folder if it is gone, or another
    one is in its place, and for what is not found there. An object store has nothing to pin.
    """
    local = local_path(folder)
    return nullcontext() if local is None else pinned_folder(local)


def open_read(path: str) -> BinaryIO:
    """A seekable binary file, to be used in a `with`. `FileNotFoundError` if there is none."""
    return store_of(path).open_read(path)


def read_bytes(path: str) -> bytes:
    """All bytes of a file. `FileNotFoundError` if there is none."""
    return store_of(path).read_bytes(path)


def read_ranges(path: str, ranges: Sequence[Range]) -> list[bytes]:
    """Pieces of a file, given as (offset, size), in their order; a shorter one where the file ends."""
    store = store_of(path)
    if store.FACTS.reads_ranges:
        return store.read_ranges(path, ranges)
    with store.open_read(path) as file:
        return [file.read(size) for offset, size in ranges if file.seek(offset) == offset]


def can_swap(path: str) -> bool:
    """Whether `read_versioned` and `swap` are to be had for this path."""
    return store_of(path).FACTS.can_swap


def read_versioned(path: str) -> Versioned | None:
    """All bytes of a file and which version that is; None if there is none. For stores that `can_swap`."""
    return store_of(path).read_versioned(path)


def swap(path: str, content: bytes, version: str | None) -> str | None:
    """Replace this version of a file (None: there must be none) in one step; the new version.

    None if it is no longer that version: somebody else was faster. For stores that `can_swap`.
    """
    return store_of(path).swap(path, content, version)


def atomic_write(path: str) -> AbstractContextManager[BinaryIO]:
    """A binary file that appears as `path`, replacing what was there, when the `with` ends without an error.

    Parent folders are made. After an error nothing appears and what was there stays; `WriteError` for what the system
    refuses. A process that is killed can leave a `.name.pid-random.partial` beside a local target, which `list_files`
    never shows and `remove_partials` removes.
    """
    return store_of(path).atomic_write(path)


def create(path: str, content: bytes) -> bool:
    """Write a file unless there is one of this name. True for the one who did, and for nobody else.

    `StoreError` where the store can't tell who came first: ask `store_of(path).FACTS.can_create_only`.
    """
    return store_of(path).create(path, content)


def remove_partials(folder: str) -> int:
    """Remove what killed processes left of `atomic_write` below a local folder; how many there were.

    For whoever knows that nobody else is writing there. An object store has none: nothing is staged in it.
    """
    store = store_of(folder)
    if not store.FACTS.is_local:
        return 0
    partials = [name for name in store.list_names(folder) if _is_partial(name)]
    for name in partials:
        store.remove(join(folder, name))
    return len(partials)


def exists(path: str) -> bool:
    """Whether there is a file or a folder of this name."""
    return store_of(path).exists(path)


def remove(path: str) -> None:
    """Remove a file. One that is not there is no error: two runs may clean up the same one."""
    store_of(path).remove(path)


def list_files(folder: str) -> list[str]:
    """Paths of all files below a folder at any depth, sorted, each beginning with `folder` as it was given.

    Linked folders are followed, each real folder once. Unfinished writes are left out. No folder: an empty list.
    """
    return sorted(join(folder, name) for name in store_of(folder).list_names(folder) if not _is_partial(name))


def list_entries(folder: str) -> Iterator[Entry]:
    """As `list_files`, in any order, one by one: each file's path as `name`, its size, when it changed, and its stamp.

    Without a stamp where the store keeps none.
    """
    store = store_of(folder)
    if store.FACTS.has_stamps:
        entries = iter(store.list_entries(folder))
    else:
        entries = (Entry(name=name, size=0, modified=0.0, stamp="") for name in store.list_names(folder))
    return (replace(entry, name=join(folder, entry.name)) for entry in entries if not _is_partial(entry.name))


def entry_of(path: str) -> Entry:
    """What `list_entries` says of one file; without a stamp where the store keeps none, or there is no such file."""
    store = store_of(path)
    found = store.entry_of(path) if store.FACTS.has_stamps else None
    return replace(found, name=path) if found else Entry(name=path, size=0, modified=0.0, stamp="")


def sizes_below(folder: str) -> dict[str, int]:
    """Path -> size in bytes of each file that `list_files` gives."""
    if store_of(folder).FACTS.has_stamps:
        return {entry.name: entry.size for entry in list_entries(folder)}
    sizes = {}
    for path in list_files(folder):
        with open_read(path) as file:
            sizes[path] = file.seek(0, os.SEEK_END)
    return sizes


def join(base: str, *parts: str) -> str:
    """`base` and the parts with one slash between them; `base` may end with a slash, as in memory://."""
    for part in parts:
        base = f"{base}{part}" if base.endswith("/") or not base else f"{base}/{part}"
    return base


def _is_partial(name: str) -> bool:
    return PARTIAL_NAME.fullmatch(posixpath.basename(name)) is not None
