"""Captioning and translating side by side on one machine: when that is possible, and the thread that captions.

Both are in memory at once in any case, since the server comes up while captions are made. What decides is whether they
would take cores from each other, and whether there is memory for the cache that a server on a CPU has yet to touch, and
on a GPU that both are on, for what they work on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType

from florenz.captioners.contract import Captioner, LeavingRoom
from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.pipeline.answers.captioned import Captioned
from florenz.pipeline.serving import Serving

MARGIN_BYTES = 1 << 30  # for what both work on: prompts in flight, pictures read ahead
MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def leaves_cores(captioner: Captioner | None, serving: Serving, cores: int | None = None) -> bool:
    """Whether each model computes where the other does not. cores: that this process may use."""
    if not isinstance(captioner, LeavingRoom):
        return False
    cores = len(os.sched_getaffinity(0)) if cores is None else cores
    if captioner.num_cores == 0:
        return True
    return captioner.num_cores + max(1, cores if serving.num_cores is None else serving.num_cores) <= cores


def leaves_memory(serving: Serving, free: int | None, on_gpu: int | None) -> bool:
    """Whether what is free now, with both models loaded, is enough for both to work.

    free: bytes of this machine, None: unknown. on_gpu: of the captioner's GPU, None: it has none. A server of ours has
    taken its cache there by now, and one on another machine takes nothing.
    """
    if free is not None and free < serving.bytes_to_come + MARGIN_BYTES:
        return False
    return on_gpu is None or not serving.is_ours or on_gpu >= MARGIN_BYTES


def free_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Of this machine, and within the limit of this container; None where the system does not say."""
    try:
        said = dict(line.split(":", 1) for line in _said(meminfo).splitlines())
        free = int(said["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None
    try:
        limit, used = (_said(cgroup / name) for name in ("memory.max", "memory.current"))
        cached = dict(line.split() for line in _said(cgroup / "memory.stat").splitlines())["inactive_file"]
        return min(free, int(limit) - int(used) + int(cached))
    except (OSError, ValueError, KeyError):  # no such files, or no limit
        return free


def _said(path: Path) -> str:
    return read_path(path, RECORD_BYTES).decode()


class Captioning:
    """Captions in a thread of its own while the block runs; the first error of either ends both.

    An error in the block stops the captioner, and goes on when what was being captioned is in the ledger; an interrupt
    goes on at once. An error of the captioner is raised by `check`, and when the block ends.
    """

    def __init__(self, caption: Callable[[Captioned], None], captioned: Captioned) -> None:
        self._caption, self._captioned = caption, captioned

    def __enter__(self) -> Captioning:
        executor = ThreadPoolExecutor(1, "captioning")
        self._ended = executor.submit(self._run)
        executor.shutdown(wait=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._ended.result()
        elif not isinstance(error, Exception):
            self._captioned.stop()
        else:
            self.check()  # which was first
            self._captioned.stop()
            wait([self._ended])

    def check(self) -> None:
        """Raises what ended the captioner, if that has happened."""
        if self._ended.done():
            self._ended.result()

    def _run(self) -> None:
        try:
            self._caption(self._captioned)
        finally:
            self._captioned.end()
