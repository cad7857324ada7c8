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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from florenz.stores import files


@dataclass(frozen=True, kw_only=True)
class Busy:
    """One bundle of one worker. in_flight_s: questions times seconds. busy_s: with one in flight at least.
    answer_tokens, prompt_tokens: as the servers said, 0 for nothing.
    """

    worker: str
    in_flight_s: float
    busy_s: float
    answer_tokens: int = 0
    prompt_tokens: int = 0


class Meter:
    """Questions in flight. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._in_flight, self._since = 0, clock()
        self._in_flight_s = self._busy_s = 0.0

    def add(self, questions: int) -> None:
        """So many more, or fewer, are in flight from now on."""
        with self._lock:
            now = self._clock()
            self._in_flight_s += self._in_flight * (now - self._since)
            self._busy_s += (now - self._since) * (self._in_flight > 0)
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
        )


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
