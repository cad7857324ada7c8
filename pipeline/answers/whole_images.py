"""Captions that come back one by one, in any order, put together image by image: an image is known when all of its
styles are answered, and a part of the ledger holds several images.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from florenz.captioners.contract import Answer
from florenz.pipeline.answers.ledger import CaptionRow
from florenz.pipeline.answers.questions import CaptionTask

AT_ONCE = 32  # images of one part; so many that are answered are lost with a killed run, at most

Keep = Callable[[Sequence[CaptionTask], Sequence[CaptionRow]], None]


class WholeImages:
    """Hands images with all their rows to `keep`, some at once. Threads share it; `keep` is called by one at a time."""

    def __init__(self, keep: Keep, at_once: int = AT_ONCE) -> None:
        self._keep, self._at_once = keep, at_once
        self._gate = threading.Lock()
        self._open: dict[str, list[CaptionRow]] = {}
        self._whole: list[tuple[CaptionTask, list[CaptionRow]]] = []

    def add(self, task: CaptionTask, rows: Sequence[CaptionRow]) -> None:
        """Some or all of an image's rows."""
        with self._gate:
            found = self._open.setdefault(task.key, [])
            found += rows
            if len(found) == len(task.styles):
                self._whole.append((task, self._open.pop(task.key)))
                if len(self._whole) >= self._at_once:
                    self._flush()

    def flush(self) -> None:
        """All that are whole; what is known of others is kept too, under no task: it has been paid for."""
        with self._gate:
            self._flush()
            if left := [row for rows in self._open.values() for row in rows]:
                self._open.clear()
                self._keep([], left)

    def _flush(self) -> None:
        whole, self._whole = self._whole, []
        if whole:
            self._keep([task for task, _ in whole], [row for _, rows in whole for row in rows])


def row_of(task: CaptionTask, style: str, answer: Answer) -> CaptionRow:
    return CaptionRow(
        key=task.key,
        style=style,
        text=None if answer.reason else answer.text,
        finish_reason=answer.finish_reason,
        reason=answer.reason,
        detail=answer.detail,
    )


def rows_without(task: CaptionTask, reason: str, detail: str) -> list[CaptionRow]:
    """Of an image that nobody can be asked about."""
    return [CaptionRow(key=task.key, style=style, text=None, reason=reason, detail=detail) for style in task.styles]
