"""Models that lie in an object store, as local folders: fetched once, checked, and found again by what the store says.

~/.cache/florenz/models/<hash of URL, names, sizes and stamps>/ holds a model; the folder appears under that name when
all of its files are there at their listed sizes. A model that changes in the store has another name here;
XDG_CACHE_HOME moves the cache. Whoever loads it hashes its files as it would those of any folder, so its answers bear
the same fingerprint as those of a copy that the user made by hand.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from florenz.stores import files
from florenz.stores.errors import StoreError, StoreUnavailable

FILES_IN_FLIGHT = 4
COPY_BYTES = 8 << 20


@lru_cache(maxsize=32)  # a process works with one version of a model, whatever happens to it meanwhile
def fetched(url: str) -> str:
    """The local folder of the model at this URL. StoreError or StoreUnavailable where it can't be had."""
    if not files.store_of(url).FACTS.has_stamps:
        raise StoreError(f"can't fetch a model from {url}: give it as gs:// or s3://, or as a folder")
    entries = sorted(files.list_entries(url), key=lambda entry: entry.name)
    sizes = {entry.name.removeprefix(files.join(url, "")): entry.size for entry in entries}
    sizes = {name: size for name, size in sizes.items() if not any(part.startswith(".") for part in name.split("/"))}
    if not sizes:
        raise StoreError(f"there is no model at {url}: check the path")
    digest = hashlib.sha256(repr([url, [(entry.name, entry.stamp) for entry in entries]]).encode()).hexdigest()
    folder = os.path.join(cache_folder(), "models", digest[:32])
    if not _is_whole(folder, sizes):
        _fetch(url, folder, sizes)
    return folder


def cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "florenz")


def _is_whole(folder: str, sizes: dict[str, int]) -> bool:
    return os.path.isdir(folder) and files.sizes_below(folder) == {
        files.join(folder, name): size for name, size in sizes.items()
    }


def _fetch(url: str, folder: str, sizes: dict[str, int]) -> None:
    staged = f"{folder}.{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with ThreadPoolExecutor(FILES_IN_FLIGHT) as pool:
            for _ in pool.map(lambda name: _copy(files.join(url, name), files.join(staged, name)), sizes):
                pass
        if not _is_whole(staged, sizes):
            raise StoreUnavailable(f"the model at {url} has changed while it was fetched: run the same command again")
        if os.path.isdir(folder):  # files are missing in it: somebody has cleaned up
            shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # another process was faster, and has fetched the same
            os.rename(staged, folder)
        if not _is_whole(folder, sizes):
            raise StoreUnavailable(f"the model at {url} could not be kept in {folder}: see whether there is room")
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _copy(source: str, target: str) -> None:
    with files.open_read(source) as there, files.atomic_write(target) as here:
        while block := there.read(COPY_BYTES):
            here.write(block)
