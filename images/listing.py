"""The files of a folder, glob or store one by one, in no order: what can be done with a hundred million of them.

The same files as `folders.list_sources` gives, before those that stand beside a picture are taken out. `folders.py`
doesn't take them from here yet: it belongs to the code that decides what is found in a file
(`pipeline/known_sources.py`), and after a change there all images are read again.
"""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import replace

from florenz.images.folders import COMPANION_SUFFIXES, FOLDER_DEPTH, SHOWN_PATH_CHARS, is_hidden
from florenz.images.folders import _matches as matches
from florenz.images.source_files import local_name
from florenz.limits.errors import TooLarge
from florenz.limits.table import Limits
from florenz.stores.files import Entry, entry_of, exists, join, list_entries, local_path
from florenz.stores.walking import names_below

WILDCARD = re.compile(r"[*?[]")


def listed(source: str, limits: Limits = Limits()) -> Iterator[Entry]:  # noqa: B008 - frozen
    """Each with its whole path as name. Raises ValueError as `list_sources` does, some of it only in the middle."""
    is_empty = True
    try:
        for entry in _entries(source):
            is_empty = False
            _check_depth(entry.name, source, limits)
            yield entry
    except PermissionError as error:
        raise ValueError(f"can't list {error.filename or source!r}: make it readable, or name the files") from error
    except (RecursionError, OSError) as error:  # the first: os.walk of Python 3.11, in other stores
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            raise
        raise TooLarge("a folder in it", None, limits.folder_depth, "folders above it", FOLDER_DEPTH) from error
    if is_empty:
        raise ValueError(f"no images at {source!r}: name a folder, glob, image, .tar or .parquet that exists")


def bytes_listed(source: str, limits: Limits = Limits()) -> int:  # noqa: B008 - frozen
    """Of all that images are read from, as listed; 0 in a store that doesn't say. Raises as `listed` does."""
    return sum(entry.size for entry in listed(source, limits) if not entry.name.lower().endswith(COMPANION_SUFFIXES))


def _check_depth(path: str, source: str, limits: Limits) -> None:
    depth = path.removeprefix(source).strip("/").count("/")
    if depth > limits.folder_depth:
        where = f"{path[:SHOWN_PATH_CHARS]!r}..."
        raise TooLarge(f"the file at {where}", depth, limits.folder_depth, "folders above it", FOLDER_DEPTH)


def _entries(source: str) -> Iterator[Entry]:
    if exists(source):
        is_empty = True
        for entry in _below(source, join(source, ""), []):
            is_empty = False
            yield entry
        if is_empty and not os.path.isdir(local_name(source) or ""):
            yield entry_of(source)  # the source is one file
    elif wildcard := WILDCARD.search(source):
        folder = source[: wildcard.start()].rpartition("/")[0] or ("/" if source.startswith("/") else "")
        wanted = source.removeprefix(folder).lstrip("/").split("/")
        yield from _below(folder or ".", f"{folder.rstrip('/')}/" if folder else "", wanted)


def _below(folder: str, start: str, wanted: list[str]) -> Iterator[Entry]:
    """Those visible in a folder that fit, all where nothing is wanted; `start` goes before their names there.

    Nobody looks at a local file that is not wanted.
    """
    if local_path(folder) is not None:
        yield from (entry_of(start + name) for name in names_below(folder) if _is_wanted(name, wanted))
    else:
        for entry in list_entries(folder):
            name = entry.name.removeprefix(folder).lstrip("/")
            if _is_wanted(name, wanted):
                yield replace(entry, name=start + name)


def _is_wanted(name: str, wanted: list[str]) -> bool:
    if name.endswith(".partial") or (("/." in name or name.startswith(".")) and is_hidden(name)):
        return False
    return not wanted or matches(name.split("/"), wanted)
