"""Which of a machine's GPUs a model of ours computes on: each process takes one that no other has, while there is one.

The processes know nothing of each other, whatever runner has started them. So each holds a lock on a file that stands
for a place at a GPU, and the system drops the lock with its process, however that ends. When every GPU has one, second
places are taken. The last GPU goes first: vLLM, where a server is on this machine too, begins with the first.
"""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from florenz.stores.own_folder import own_folder


class Place:
    """At the GPU of this number, until `leave` or the end of the process."""

    def __init__(self, gpu: int, held: int) -> None:
        self.gpu, self._held = gpu, held

    def leave(self) -> None:
        """No-op the second time."""
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)


def take_place(names: Sequence[str], folder: Path | None = None) -> Place:
    """names: of all GPUs that this process sees, the same in every process. Raises PermissionError for the folder."""
    folder = own_folder(folder)
    for round_number in itertools.count():
        for gpu, name in reversed(list(enumerate(names))):
            held = os.open(folder / f"captioner-{name}-{round_number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
            else:
                return Place(gpu, held)
    raise AssertionError("some round has a place")


def device_for(name: str, number: int, names: Callable[[], Sequence[str]]) -> tuple[str, Place | None]:
    """Where to compute, as torch calls it; for one of the GPUs that the recipe leaves to us, the place there.

    name: auto, cpu, cuda, or one of several as in cuda:1. number: of the GPUs here; names: gives what they are called.
    Raises ValueError for a GPU that is not here, PermissionError for the folder of places; one line with what to do.
    """
    if name == "cpu" or (name == "auto" and not number):
        return "cpu", None
    _, _, named = name.partition(":")
    if number <= int(named or 0):
        sees = f"{number} GPUs, cuda:0 to cuda:{number - 1}" if number else "no GPU here"
        raise ValueError(f'device = {name!r}, and torch sees {sees}: name another, or write device = "auto"')
    if named:
        return name, None
    place = take_place(names())
    return f"cuda:{place.gpu}", place
