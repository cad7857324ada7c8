"""What a store is: a module in `stores/schemes/`, or what stands there as STORE, named after the scheme of its URLs.

`s3://bucket/a` goes to `schemes/s3.py`. Paths without a scheme and file:// go to `schemes/local.py`, every URL whose
scheme has no file there to `schemes/remote.py`, which asks fsspec. One more store is one more file; nothing lists them.

Presence means complete: a file appears under its name with all its bytes or not at all. Whatever cannot promise that is
no store. `tests/contracts/store.py` holds each of them to what is said here.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

# What a killed write leaves in a store that stages beside the target. Such names are never shown to anybody.
PARTIAL_NAME = re.compile(r"\..+\.\d+-[0-9a-f]{16}\.partial")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a store can do beyond the rest; callers ask for this and never for a store's name.

    A new ability comes with a default of False, so that the stores that lack it need not be told.
    """

    is_local: bool = False
    """A path, less file://, is a name for the system's own calls: it can be locked, pinned and mapped."""

    can_create_only: bool = False
    """`create` tells the one who came first from all others, whatever they run on."""

    can_swap: bool = False
    """`read_versioned` and `swap`: a file is replaced only if it is still the version that was read."""

    has_stamps: bool = False
    """`list_entries` and `entry_of`: a listing says of each file whether it has changed, without a look into it."""

    reads_ranges: bool = False
    """`read_ranges`: many pieces of a file in one call, without opening it."""

    is_shared: bool = False
    """The same URL is the same file on every machine."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file as a listing shows it.

    name: relative to the folder listed. size: in bytes. modified: seconds since 1970 by the clock of whoever keeps the
    file, which may not be ours. stamp: another one for every writing; "" where the store can't tell.
    """

    name: str
    size: int
    modified: float
    stamp: str


@dataclass(frozen=True, kw_only=True)
class Versioned:
    """All bytes of a file; `version`, opaque, names this writing of it for `swap`; `modified` as in Entry."""

    content: bytes
    version: str
    modified: float


Range = tuple[int, int]  # offset and size in bytes


class Store(Protocol):
    """What a module in `stores/schemes/` offers. Paths are whole, as the user gave them, with their scheme.

    The last five only where its FACTS say so. What the network or the other side does to a request is a
    `StoreUnavailable`, after retries; what a user has to mend is a `StoreError`.
    """

    @property
    def FACTS(self) -> Facts: ...

    def open_read(self, path: str) -> BinaryIO:
        """A seekable binary file. `FileNotFoundError`, which names the path, if there is none."""

    def read_bytes(self, path: str) -> bytes:
        """All bytes of a file, in one request. `FileNotFoundError` as above."""

    def atomic_write(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A binary file that replaces what is at `path` when the `with` ends without an error, in one step."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file unless there is one: True for the one who did. `StoreError` where not `can_create_only`."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder of this name, as of now."""

    def remove(self, path: str) -> None:
        """Remove a file. One that is not there is no error."""

    def list_names(self, folder: str) -> Iterable[str]:
        """Names of all files below a folder at any depth, relative to it, in any order; none if there is no folder."""

    def list_entries(self, folder: str) -> Iterable[Entry]:
        """As `list_names`, with what the listing knows of each file."""

    def entry_of(self, path: str) -> Entry | None:
        """What a listing of its folder would say of this file, under the name ""; None if there is none."""

    def read_ranges(self, path: str, ranges: Sequence[Range]) -> list[bytes]:
        """These pieces, in their order; a shorter one where the file ends. `FileNotFoundError` as above."""

    def read_versioned(self, path: str) -> Versioned | None:
        """A file and which version it is; None if there is none."""

    def swap(self, path: str, content: bytes, version: str | None) -> str | None:
        """Replace this version (None: there must be no file). The new version; None if it is no longer that one."""
