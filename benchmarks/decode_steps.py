"""A stand-in for how vLLM spends its time: in decode steps, each of which gives one token to every sequence that runs.

What a client makes of such a server is a count and not a time: how many sequences ran on average, and how many steps it
took against the fewest possible. So that a busy machine can't blur it, a step is taken only when all slots are taken or
when nothing more can come; for a client that leaves slots empty the server waits `patience_s`, and then goes on.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator

from benchmarks.stand_in_server import STUCK_S, Request, StandInServer, answer


class DecodeSteps:
    """The engine. num_slots: sequences that run at once. num_expected: prompts after which no more will come."""

    def __init__(
        self, length_of: Callable[[str], int], *, num_slots: int, num_expected: int, patience_s: float = 1.0
    ) -> None:
        self._length_of, self._num_slots = length_of, num_slots
        self._num_expected, self._patience_s = num_expected, patience_s
        self._changed = threading.Condition()
        self._waiting: deque[_Sequence] = deque()
        self._running: list[_Sequence] = []
        self._is_over = False
        self._num_asked = 0
        self.num_steps = 0
        self.num_tokens = 0
        self._longest = 0

    @property
    def mean_running(self) -> float:
        return self.num_tokens / max(1, self.num_steps)

    @property
    def fewest_steps(self) -> int:
        """With all slots taken at every step; never less than the longest answer."""
        return max(math.ceil(self.num_tokens / self._num_slots), self._longest)

    def decode(self, request: Request) -> None:
        """A fault for the stand-in: answers when all sequences of the request have ended."""
        sequences = [_Sequence(self._length_of(prompt)) for prompt in request.prompts]
        with self._changed:
            self._waiting += sequences
            self._num_asked += len(sequences)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_over or all(one.num_left == 0 for one in sequences), STUCK_S)
        answer(request)

    def run(self) -> None:
        """Step after step, until `stop`."""
        with self._changed:
            while not self._is_over:
                self._changed.wait_for(lambda: self._is_over or self._num_here > 0)
                self._changed.wait_for(self._may_step, self._patience_s)
                self._step()

    def stop(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    @property
    def _num_here(self) -> int:
        return len(self._waiting) + len(self._running)

    def _may_step(self) -> bool:
        return self._is_over or self._num_here >= self._num_slots or self._num_asked >= self._num_expected

    def _step(self) -> None:
        while self._waiting and len(self._running) < self._num_slots:
            self._running.append(self._waiting.popleft())
            self._longest = max(self._longest, self._running[-1].num_left)
        for one in self._running:
            one.num_left -= 1
        self.num_steps += bool(self._running)
        self.num_tokens += len(self._running)
        num_before = len(self._running)
        self._running = [one for one in self._running if one.num_left > 0]
        if len(self._running) < num_before:
            self._changed.notify_all()
            self._changed.wait(0)  # whoever waits for an answer may have it


class _Sequence:
    def __init__(self, num_left: int) -> None:
        self.num_left = num_left


@contextlib.contextmanager
def decoding(server: StandInServer, engine: DecodeSteps) -> Iterator[None]:
    """The server decodes as long as the block runs."""
    stepping = threading.Thread(target=engine.run, daemon=True)
    stepping.start()
    server.rule = lambda request: engine.decode
    try:
        yield
    finally:
        engine.stop()
        stepping.join()
