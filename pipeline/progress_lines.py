"""Progress for whoever looks at a log: a line for each step and at least every 30 s, and the same as JSON lines.

    caption    480 of 1000, 41.3/s, 13 s left
    caption    1000 of 1000 in 24.1 s, 41.5/s

OUT/logs/progress.jsonl holds {"at", "step", "done", "total", "seconds", "state"}, which `florenz progress` reads from
another terminal: state is "running", "done" or "stopped". A step that counts nothing has "phase", what it is doing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

LINE_EVERY_S = 30.0
RECORD_EVERY_S = 2.0  # what another terminal sees is at most so old


class ProgressLines:
    """One step. screen: where lines go, None for nowhere (a bar is there). log: the JSON lines' file, None for none."""

    def __init__(
        self,
        step: str,
        total: int | None,
        screen: TextIO | None,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.step, self.total, self.screen, self.log, self.clock = step, total, screen, log, clock
        self.done, self.phase = 0, ""
        self.started = self.told = self.recorded = clock()
        self._record("running")

    def update(self, items: int) -> None:
        self.done += items
        self.refresh()

    def set_postfix_str(self, s: str) -> None:
        """What the step is doing now, with a line of its own; named as tqdm's."""
        self.phase = s
        self._say(f"{s}{self._left()}")
        self._record("running")

    def refresh(self) -> None:
        """A line, if it is time for one."""
        now = self.clock()
        if now - self.told >= LINE_EVERY_S:
            self.told = now
            self._say(f"{self._count()}{self._rate()}{self._left()}")
        if now - self.recorded >= RECORD_EVERY_S:
            self._record("running")

    def close(self, *, is_done: bool) -> None:
        if is_done:
            self._say(f"{self._count()} in {self.clock() - self.started:.1f} s{self._rate()}")
        self._record("done" if is_done else "stopped")

    def _count(self) -> str:
        if self.total is None:
            return str(self.done) if self.done else self.phase or "..."
        return f"{self.done} of {self.total}"

    def _rate(self) -> str:
        seconds = self.clock() - self.started
        return f", {self.done / seconds:.1f}/s" if self.done and seconds > 0 else ""

    def _left(self) -> str:
        seconds = self.clock() - self.started
        if not self.total or not self.done or self.done >= self.total:
            return f", {seconds:.0f} s so far"
        return f", {seconds * (self.total - self.done) / self.done:.0f} s left"

    def _say(self, text: str) -> None:
        if self.screen is not None:
            print(f"{self.step:<10} {text}", file=self.screen, flush=True)

    def _record(self, state: str) -> None:
        self.recorded = self.clock()
        if self.log is None:
            return
        record = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "step": self.step,
            "done": self.done,
            "total": self.total,
            "seconds": round(self.clock() - self.started, 2),
            "state": state,
            **({"phase": self.phase} if self.phase else {}),
        }
        try:
            self.log.parent.mkdir(exist_ok=True)  # OUT itself is not made anew where it has gone
            with self.log.open("a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError:  # a disk that is full stops the run where it writes what counts, in one line, and not here
            self.log = None
