"""Every URL whose scheme has no file of its own, through fsspec: memory://, and what else it knows.

Such stores have no rename, and fsspec's own writers publish what they have when an exception unwinds them, so bytes
are staged in a temporary local file and uploaded in one piece at the end. The price is disk space for one file and an
upload that starts late; what it buys is that a failed write leaves nothing behind.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, NoReturn, cast

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from florenz.stores.contract import Facts
from florenz.stores.errors import StoreError

FACTS = Facts()


def open_read(path: str) -> BinaryIO:
    store, inner = _store(path)
    return cast(BinaryIO, store.open(inner, "rb"))


def read_bytes(path: str) -> bytes:
    store, inner = _store(path)
    return bytes(store.cat_file(inner))


@contextlib.contextmanager
def atomic_write(path: str) -> Iterator[BinaryIO]:
    store, inner = _store(path)
    with tempfile.NamedTemporaryFile(prefix="upload-") as staged:
        yield cast(BinaryIO, staged)
        staged.flush()
        store.put_file(staged.name, inner)


def create(path: str, content: bytes) -> NoReturn:
    # fsspec's mode="create" looks whether there is a file and then writes: two can both come first.
    raise StoreError(f"cannot create {path} for one writer alone: fsspec does not say who came first")


def exists(path: str) -> bool:
    store, inner = _store(path)
    store.invalidate_cache()  # another process may have written since we last listed
    return bool(store.exists(inner))


def remove(path: str) -> None:
    store, inner = _store(path)
    with contextlib.suppress(FileNotFoundError):
        store.rm_file(inner)


def list_names(folder: str) -> Iterator[str]:
    store, inner = _store(folder)
    store.invalidate_cache()
    prefix = inner.rstrip("/") + "/"
    for found in store.find(inner):
        if found.startswith(prefix):
            yield found[len(prefix) :]


def _store(path: str) -> tuple[AbstractFileSystem, str]:
    """The file system behind a URL and the path inside it; `StoreError` for one that cannot be opened."""
    try:
        store, inner = url_to_fs(path)
    except (ImportError, ValueError) as problem:
        # ImportError: the package for this kind of store is missing. ValueError: no such kind. fsspec says which.
        raise StoreError(f"cannot open {path}: {problem}") from problem
    return store, inner
