"""How many prompts to have at a server: enough that its sequences never wait for us, and not many more.

A list of prompts is answered when the last of them is, and what has ended before holds a place in our window while its
sequence at the server is free again. So the window is larger than the number of sequences that run there, by what the
answers' lengths say: with answers of 20 tokens on average and 60 at most, a list keeps 60 / 20 places for each sequence
that runs. Waiting in the server's queue costs a prompt nothing; only what is in flight is lost with a killed run.

Where nobody said how many sequences there are, it begins with what is safe at any server. It grows with each answer, as
TCP does, but not where a list takes a quarter of the time-out: lists would time out in the queue of a server that slow.
"""

from __future__ import annotations

from collections.abc import Sequence

FIRST = 128  # prompts at the start
LIST = 64  # prompts of one request: single ones cost a server 3.5 times as much as lists of 60
LISTS = 4  # at least, for the sequences that run at once: fewer are as coarse as a barrier
MARGIN = 1.25  # what is measured is a mean, and the queue must not be empty between two lists
SEQUENCES = 256  # what vLLM runs at once unless it is told otherwise
MAX = 4096
SHARE_OF_TIMEOUT = 0.25
MEMORY = 0.9  # of the mean over lists


def list_size(sequences: int | None) -> int:
    """Prompts of one request at a server that runs so many sequences at once."""
    return max(1, min(LIST, (sequences or SEQUENCES) // LISTS))


class Window:
    """`size` prompts at most are to be in flight. Not thread-safe: it belongs to the loop that asks."""

    def __init__(self, *, sequences: int | None, list_size: int, timeout_s: float, fixed: int | None = None) -> None:
        self._sequences, self._list, self._fixed = sequences or SEQUENCES, list_size, fixed
        self._slow_s = timeout_s * SHARE_OF_TIMEOUT
        self._spread = 2.0  # places for each sequence; measured from the first answers on
        self.size = fixed or (self._goal if sequences else min(max(FIRST, list_size), self._goal))

    @property
    def _goal(self) -> int:
        return min(MAX, int(self._sequences * self._spread * MARGIN) + 2 * self._list)

    def answered(self, lengths: Sequence[int], seconds: float) -> None:
        """A list came back: the lengths of its answers in any unit, and how long it took."""
        if self._fixed or not lengths:
            return
        spread = max(lengths) * len(lengths) / max(1, sum(lengths))
        self._spread = MEMORY * self._spread + (1 - MEMORY) * max(1.0, spread)
        if seconds > self._slow_s:
            self.size = max(self._list, self.size - len(lengths))
        else:
            self.size = min(self._goal, self.size + len(lengths))
