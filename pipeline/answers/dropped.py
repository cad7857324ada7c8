"""Texts that a build's filters dropped, looked up while the ledger is gone through, a range of keys at a time.

The ledger's parts stand in the order of keys, and so do a part's rows: neighbours ask for the same range. So what is
held at once does not grow with the dataset.
"""

from __future__ import annotations

from collections.abc import Callable

from florenz.pipeline.assemble.rejects import Reject, count_rejects, iter_rejects
from florenz.pipeline.ranges import range_of

MAX_HELD = 1 << 17  # rejects of a range, on average: some 50 MB


class DroppedTexts:
    """path: of the build's rejects; None, there are none. is_meant: whether a reject is one of those."""

    def __init__(self, path: str | None, is_meant: Callable[[Reject], bool]) -> None:
        self._path, self._is_meant = path, is_meant
        self._digits = 0 if path is None else _digits_for(count_rejects(path))
        self._range: str | None = None
        self._held: set[tuple[str, str, str, str]] = set()

    def hold(self, key: str, style: str, language: str, text: str | None) -> bool:
        """Whether this text about this image was dropped."""
        if self._path is None or text is None:
            return False
        if (its_range := range_of(key, self._digits)) != self._range:
            self._held.clear()
            self._held.update(
                (one.key, one.style, one.language, one.text)
                for one in iter_rejects(self._path, its_range)
                if self._is_meant(one)
            )
            self._range = its_range
        return (key, style, language, text) in self._held


def _digits_for(num_rejects: int) -> int:
    digits = 0
    while num_rejects > MAX_HELD * 16**digits:
        digits += 1
    return digits
