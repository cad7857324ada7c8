"""Publishing: a file that says what is current, replaced in one step by one who knows what stood there.

Who held an OUT, was taken for dead and wakes up again must not put an old dataset in the place of a newer one. Where a
store can swap, what was read when OUT was taken is what may be replaced, and nothing else. On a local disk the lock
lasts as long as its process, and nobody else can have written.
"""

from __future__ import annotations

from florenz.stores import files
from florenz.stores.errors import OutLost
from florenz.stores.lock import Held


class Publication:
    """The right to replace the file at `path` as it is now; of several who have it, one can use it."""

    def __init__(self, path: str, held: Held | None = None) -> None:
        self.path, self._held = path, held
        self._version: str | None = None
        if files.can_swap(path):
            found = files.read_versioned(path)
            self._version = found.version if found else None

    def check(self) -> None:
        """Raises OutLost if OUT is no longer ours, as far as we know without asking."""
        if self._held:
            self._held.check()

    def write(self, content: bytes) -> None:
        """Publish, in one step; the right is then to replace this. Raises OutLost, having written nothing."""
        self.check()
        if not files.can_swap(self.path):
            with files.atomic_write(self.path) as file:
                file.write(content)
            return
        version = files.swap(self.path, content, self._version)
        if version is None:
            raise OutLost(f"another run has written {self.path} since this one began, and what it published stays")
        self._version = version
