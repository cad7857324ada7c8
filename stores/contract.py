"""What a store is: a module in `stores/schemes/`, named after the scheme of the URLs that it opens.

`s3://bucket/a` goes to `schemes/s3.py` if there is one. Paths without a scheme and file:// go to `schemes/local.py`,
every other URL to `schemes/remote.py`, which asks fsspec. One more store is one more file there; nothing lists them.

Presence means complete: a file appears under its name with all its bytes or not at all. Whatever cannot promise that is
no store. `tests/contracts/store.py` holds each of them to what is said here.
"""

import re
from collections.abc import Iterable
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


class Store(Protocol):
    """What a module in `stores/schemes/` offers. Paths are whole, as the user gave them, with their scheme."""

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
