"""Alignment tables learned ahead: of a language whose translations are all there, while others are still translated.

On one machine the captioner's core has nothing to do by then, and learning is most of what an assembly computes. What
is learned is a function of the pairs, and an assembly takes a table from here only if it was learned from the very
pairs that it would learn from itself; so being early decides nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from florenz.filters.alignment_check import AlignmentTable
from florenz.pipeline.here import Here

NICENESS = 19


class LearnedAhead(Here):
    """One table after the other, in a thread of its own.

    learn: a language -> what the ledger's pairs teach about it now; None where they are too few.
    """

    def __init__(self, learn: Callable[[str], AlignmentTable | None]) -> None:
        super().__init__()
        self._learn, self._gate = learn, threading.Lock()
        self._thread = ThreadPoolExecutor(1, "learning", initializer=_after_all_others)
        self._tables: dict[str, Future[AlignmentTable | None]] = {}

    def begin(self, language: str) -> None:
        """Its translations are all there. Does not wait."""
        with self._gate:
            if language not in self._tables:
                self._tables[language] = self._thread.submit(self._learn, language)

    def table(self, language: str, fingerprint: str) -> AlignmentTable | None:
        """The table that was learned from pairs of this fingerprint, waited for; None if there is no such.

        Raises what learning raised: it reads the ledger.
        """
        with self._gate:
            learning = self._tables.get(language)
        table = learning.result() if learning else None
        return table if table and table.fingerprint == fingerprint else None


def _after_all_others() -> None:
    """The models come first: this thread computes when they leave a core alone. On Linux each has a niceness."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
