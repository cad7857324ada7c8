"""Remote shards are copied to the local cache before their turn, by a process of their own.

Of its own, because the workers of a stream are forked, and the threads by which an object store is read do not live on
in them; and because an epoch's order is known, so that what is needed in some minutes can be fetched now. Workers that
find a shard missing all the same wait for the one who fetches it, or have it fetched.

    python -m florenz.train.data.read_ahead    each line of its input is one shard: {"path", "shard", "cache"}
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from types import TracebackType

from florenz.shards.writer import ShardInfo
from florenz.train.data.order import SampleOrder, Window
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError

AHEAD_BATCHES = 64  # of this rank: beyond those that workers prefetch
SHARDS_IN_FLIGHT = 4


class ReadAhead:
    """Tells a fetching process which shards come next; does nothing for a local dataset. To be used in a `with`."""

    def __init__(self, files: ShardFiles, order: SampleOrder, *, first: int, step: int, num_prefetched: int) -> None:
        """first, step: the micro-batches of this rank. num_prefetched: how many of them workers may be ahead."""
        self._files, self._order, self._step = files, order, step
        self._next = first
        self._span = (AHEAD_BATCHES + num_prefetched) * step
        self._told: dict[int, None] = {}
        self._windows: set[Window] = set()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "ReadAhead":
        if self._files.is_remote:
            words = [sys.executable, "-m", "florenz.train.data.read_ahead"]
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()  # a copy that it was making is a .partial file, which the cache removes
            self._process.communicate()

    def look(self, number: int) -> None:
        """Micro-batch `number` is about to be read: fetch what it and those behind it need, in their order."""
        while self._process and self._next <= number + self._span:
            window, _ = self._order.window_of(self._next)
            self._next += self._step
            if window in self._windows:
                continue
            if len(self._windows) > 4 * self._order.num_lanes:
                self._windows.clear()
            self._windows.add(window)
            self._tell(list(dict.fromkeys(shard for shard, _ in self._order.samples_of(window))))

    def _tell(self, shards: Sequence[int]) -> None:
        """Of a shard that was told of lately nothing more is said; it may have left the cache since an epoch ago."""
        assert self._process and self._process.stdin
        for shard in shards:
            if shard in self._told:
                continue
            self._told[shard] = None
            if len(self._told) > 8 * self._order.num_lanes * self._order.shards_per_group:
                del self._told[next(iter(self._told))]
            with contextlib.suppress(OSError):  # it has died: workers fetch for themselves
                self._process.stdin.write(order_of(*self._files.remote_shard(shard)) + "\n")
                self._process.stdin.flush()


def order_of(path: str, shard: ShardInfo, cache: ShardCache) -> str:
    return json.dumps({"path": path, "shard": asdict(shard), "cache": asdict(cache)})


def fetch(line: str) -> str:
    """Carry out an order; what is wrong with it, "" if nothing is."""
    order = json.loads(line)
    try:
        ShardCache(**order["cache"]).open(order["path"], ShardInfo(**order["shard"])).close()
    except (ValueError, OSError) as problem:
        return str(problem)
    return ""


def fetch_apart(path: str, shard: ShardInfo, cache: ShardCache) -> None:
    """In another process, for one that was forked. Raises StreamError."""
    words = [sys.executable, "-m", "florenz.train.data.read_ahead", "--aloud"]
    line = order_of(path, shard, cache)
    ran = subprocess.run(words, input=line, capture_output=True, text=True)
    if ran.returncode:
        said = ran.stdout.strip() or ran.stderr.strip().rpartition("\n")[2]
        raise StreamError(said or f"{path} could not be fetched")


def main(arguments: Sequence[str]) -> int:
    with ThreadPoolExecutor(SHARDS_IN_FLIGHT) as pool:
        fetching = [pool.submit(fetch, line) for line in iter(sys.stdin.readline, "")]  # each as soon as it is told
        problems = [problem for problem in (one.result() for one in fetching) if problem]
    if "--aloud" in arguments:
        print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
