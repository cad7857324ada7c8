"""Folders, globs and plain files as sources of images."""

import errno
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from florenz.images.formats import SIGNATURE_BYTES, sniff
from florenz.images.references import ImageRef, Reject, shown, uri_of
from florenz.images.source_files import file_faults, local_name, open_file
from florenz.limits.errors import TooLarge
from florenz.limits.table import Limits
from florenz.stores.files import Entry, entry_of, exists, list_entries

# A name that ends so is taken for an image until its bytes are decoded: a look into each file costs a request.
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp",
    ".avif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".heic", ".heif", ".jxl", ".ico", ".psd",
)  # fmt: skip
# Stand beside an image of the same name, as img2dataset leaves them: no images, and no rejects.
COMPANION_SUFFIXES = (".json", ".txt", ".caption", ".cls", ".url", ".npy")
SIDECAR_SUFFIX = ".json"  # of them the one that is read (`sidecars.py`)
FOLDER_DEPTH, SHOWN_PATH_CHARS = "[limits] folder_depth", 100
CLOCK_STEP_S = 10.0  # the coarsest file system counts in 2 s; and clocks of machines differ
_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a source and how it is opened. stamp: another once it, or its sidecar, has changed; "" where that
    can't be told. sidecar: the path of `<name>.json` beside an image. size: in bytes, as listed; 0 where nobody knows.
    """

    path: str
    kind: Literal["file", "tar", "parquet"]
    stamp: str = ""
    sidecar: str = ""
    size: int = 0


def list_sources(source: str, limits: Limits = Limits()) -> list[SourceFile]:  # noqa: B008 - frozen
    """The files of a folder, a glob (`*`, `?`, `[ ]`, `**`), or one file, sorted by path.

    Hidden files and folders, `.partial` files and what stands beside an image of the same name (COMPANION_SUFFIXES) are
    left out. Raises ValueError where nothing is found, and where folders lie in each other more than `folder_depth`
    deep.
    """
    listed_at = time.time()
    try:
        entries = _listed(source)
    except PermissionError as error:
        raise ValueError(f"can't list {error.filename or source!r}: make it readable, or name the files") from error
    except (RecursionError, OSError) as error:  # the first: os.walk of Python 3.11
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            raise
        raise TooLarge("a folder in it", None, limits.folder_depth, "folders above it", FOLDER_DEPTH) from error
    for path in (entry.name for entry in entries):
        depth = path.removeprefix(source).strip("/").count("/")
        if depth > limits.folder_depth:
            where = f"{path[:SHOWN_PATH_CHARS]!r}..."
            raise TooLarge(f"the file at {where}", depth, limits.folder_depth, "folders above it", FOLDER_DEPTH)
    if not entries:
        raise ValueError(f"no images at {source!r}: name a folder, glob, image, .tar or .parquet that exists")
    companions = _companions(entries)
    return [
        _source_file(entry, companions.get(f"{os.path.splitext(entry.name)[0]}{SIDECAR_SUFFIX}"), listed_at)
        for entry in sorted(entries, key=lambda entry: entry.name)
        if entry.name not in companions
    ]


def _companions(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Those that stand beside an image of the same name, by their own names."""
    by_name = {entry.name: entry for entry in entries}
    pictures = {os.path.splitext(name)[0] for name in by_name if name.lower().endswith(IMAGE_SUFFIXES)}
    return {
        name: entry
        for name, entry in by_name.items()
        if name.lower().endswith(COMPANION_SUFFIXES) and os.path.splitext(name)[0] in pictures
    }


def _source_file(entry: Entry, sidecar: Entry | None, listed_at: float) -> SourceFile:
    kind, stamp = _kind(entry.name), _stamp(entry, listed_at)
    if sidecar is None or not entry.name.lower().endswith(IMAGE_SUFFIXES):
        return SourceFile(path=entry.name, kind=kind, stamp=stamp, size=entry.size)
    beside = _stamp(sidecar, listed_at)
    both = f"{stamp} {beside}" if stamp and beside else ""
    return SourceFile(path=entry.name, kind=kind, stamp=both, sidecar=sidecar.name, size=entry.size)


def _stamp(entry: Entry, listed_at: float) -> str:
    """None for a file that was written just now: once more within a step of its clock, and nobody would see it."""
    return entry.stamp if entry.modified < listed_at - CLOCK_STEP_S else ""


def _listed(source: str) -> list[Entry]:
    if not exists(source):
        return _globbed(source) if re.search(r"[*?[]", source) else []
    entries = _visible(source, list_entries(source))
    is_empty_folder = not entries and os.path.isdir(local_name(source) or "")
    return entries if entries or is_empty_folder else [entry_of(source)]


def _globbed(pattern: str) -> list[Entry]:
    folder = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    if pattern.startswith("/") and not folder:
        folder = "/"
    base = folder or "."
    wanted = pattern.removeprefix(folder).lstrip("/").split("/")
    entries = [
        replace(entry, name=entry.name.removeprefix(base).lstrip("/")) for entry in _visible(base, list_entries(base))
    ]
    matching = [entry for entry in entries if _matches(entry.name.split("/"), wanted)]
    start = f"{folder.rstrip('/')}/" if folder else ""
    return [replace(entry, name=f"{start}{entry.name}") for entry in matching]


def _matches(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[skipped:], wanted[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def _visible(folder: str, entries: Iterable[Entry]) -> list[Entry]:
    names = ((entry, entry.name.removeprefix(folder).lstrip("/")) for entry in entries)
    return [entry for entry, name in names if not is_hidden(name) and not name.endswith(".partial")]


def is_hidden(name: str) -> bool:
    """Whether the name, or a folder in it, begins with a dot."""
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _kind(path: str) -> Literal["file", "tar", "parquet"]:
    lower = path.lower()
    if lower.endswith(".tar"):
        return "tar"
    return "parquet" if lower.endswith((".parquet", ".pq")) else "file"


def read_file(path: str, limits: Limits = Limits()) -> Iterator[ImageRef | Reject]:  # noqa: B008 - frozen
    """The file as one reference; by its first bytes, one without an image's name is looked at."""
    if path.lower().endswith(IMAGE_SUFFIXES):
        yield ImageRef(uri=uri_of(path))
        return
    with file_faults(), open_file(path) as file:
        head = file.read(SIGNATURE_BYTES)
    if sniff(head):
        yield ImageRef(uri=uri_of(path))
    else:
        name = shown(path.rpartition("/")[2])
        hint = ": unpack it, only plain tars and Parquet are opened" if name.lower().endswith(_ARCHIVE_SUFFIXES) else ""
        yield Reject(uri=uri_of(path), reason="not_an_image" if head else "empty_file", detail=name + hint)
