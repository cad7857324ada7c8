"""How busy a model was, counted by those who ask it: for the report, on any runner.

A worker integrates its questions in flight over time and leaves a note in OUT when a bundle ends,

    OUT/ledger/busy/<step>-<random>.json

which the launcher adds up and removes when the graph has ended. A note that is lost costs a line of the report.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from florenz.stores import files

SHORT_S = 0.05  # between two batches, while answers are written


@dataclass(frozen=True, kw_only=True)
class Busy:
    """One bundle of one worker. in_flight_s: questions times seconds. busy_s: with one in flight at least.
    answer_tokens, prompt_tokens: as the servers said, 0 for nothing. spans: from when to when it was busy, by this
    machine's clock that never goes back (`time.monotonic`).
    """

    worker: str
    in_flight_s: float
    busy_s: float
    answer_tokens: int = 0
    prompt_tokens: int = 0
    spans: Sequence[tuple[float, float]] = ()


class Meter:
    """Questions in flight. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._in_flight, self._since = 0, clock()
        self._in_flight_s = self._busy_s = 0.0
        self._spans: list[tuple[float, float]] = []

    def add(self, questions: int) -> None:
        """So many more, or fewer, are in flight from now on."""
        with self._lock:
            now = self._clock()
            self._in_flight_s += self._in_flight * (now - self._since)
            if self._in_flight > 0:
                self._busy_s += now - self._since
                self._spans[-1:] = joined([*self._spans[-1:], (self._since, now)])
            self._in_flight, self._since = self._in_flight + questions, now

    @contextlib.contextmanager
    def asking(self, questions: int) -> Iterator[None]:
        self.add(questions)
        try:
            yield
        finally:
            self.add(-questions)

    def busy(self, *, answer_tokens: int = 0, prompt_tokens: int = 0) -> Busy:
        self.add(0)
        return Busy(
            worker=f"{platform.node()}:{os.getpid()}",
            in_flight_s=self._in_flight_s,
            busy_s=self._busy_s,
            answer_tokens=answer_tokens,
            prompt_tokens=prompt_tokens,
            spans=tuple(self._spans),
        )


def joined(spans: Iterable[tuple[float, float]], gap_s: float = SHORT_S) -> list[tuple[float, float]]:
    """In order, those that touch as one, and those with a gap between them that is too short to count."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= gap_s:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def leave(out: str, step: str, busy: Busy) -> None:
    """No-op where nothing can be written: answers, which can't be written either, stop the run with their own words."""
    path = files.join(_folder(out), f"{step}-{uuid.uuid4().hex}.json")
    with contextlib.suppress(OSError, files.StoreError), files.atomic_write(path) as file:
        file.write(json.dumps(asdict(busy)).encode())


def collect(out: str, step: str) -> list[Busy]:
    """The notes of a step, which are then gone; also those of a run that was cut off, so once before the step."""
    found = []
    for path in files.list_files(_folder(out)):
        if not path.rpartition("/")[2].startswith(f"{step}-"):
            continue
        try:
            found.append(Busy(**json.loads(files.read_bytes(path))))
        except (FileNotFoundError, ValueError, TypeError):
            continue
        files.remove(path)
    return found


@dataclass(frozen=True, kw_only=True)
class Together:
    """All bundles of a step. in_flight: questions, mean over its time. idle: share of it without one, mean over
    workers; None where several ask one server, of which none sees the others' questions.
    """

    in_flight: float
    idle: float | None
    answer_tokens: int
    prompt_tokens: int


def together(notes: Sequence[Busy], seconds: float, *, is_shared: bool) -> Together | None:
    """seconds: that the step took. is_shared: whether all workers ask the same servers."""
    workers = {note.worker for note in notes}
    if not workers or seconds <= 0:
        return None
    busy = sum(note.busy_s for note in notes) / (seconds * len(workers))
    return Together(
        in_flight=sum(note.in_flight_s for note in notes) / seconds,
        idle=None if is_shared and len(workers) > 1 else max(0.0, 1 - busy),
        answer_tokens=sum(note.answer_tokens for note in notes),
        prompt_tokens=sum(note.prompt_tokens for note in notes),
    )


def _folder(out: str) -> str:
    return files.join(out, "ledger", "busy", "")
