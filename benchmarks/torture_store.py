"""`make torture STORE=s3`: runs whose OUT and images lie in an object store, killed and run again.

As `torture.py`, whose recipe and world it takes; a run dies before its n-th request to the store, or at some moment.
Between two requests nothing changes there, so these are all the states that a killed run can leave, save those inside
an upload. The next run finds a lock whose process is dead, and takes it over.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stand_in_server import stand_in_process
from benchmarks.stand_in_stores import Way, stand_in_store
from benchmarks.torture import HUNG_AFTER_S, RECIPE, KillPoint, draw_torture_world, kill_points, preload

ROOT = Path(__file__).resolve().parents[1]
COMPARED = ("manifest.json", "shards/", "rejects/")


@dataclass(frozen=True, kw_only=True)
class StoreBench:
    """A recipe, and the store in which its images and its OUT lie. This process itself never uses obstore: it forks."""

    recipe: Path
    way: Way

    @property
    def out(self) -> str:
        return f"{self.way.store.bucket}/out"

    @property
    def log(self) -> Path:
        return self.recipe.with_suffix(".log")

    def run(self, kill: KillPoint | None = None, *, count: Path | None = None) -> int:
        """Exit code of one run in a process of its own; negative when a signal ended it."""
        child = os.fork()
        if child == 0:
            self._run_in_child(kill or KillPoint(), count)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _run_in_child(self, kill: KillPoint, count: Path | None) -> None:
        """Never returns."""
        code = 70
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.chdir(self.recipe.parent)  # where a run leaves its logs that has no local OUT
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, kill.seconds or HUNG_AFTER_S)  # ends it as SIGKILL does
            os.environ.update(self.way.store.variables)
            watch = Requests(kill.event)
            from florenz.pipeline.__main__ import main

            code = main([str(self.recipe)])
            if count:
                count.write_text(str(watch.seen))
        finally:
            os._exit(code)

    def clear(self) -> None:
        for name in self.way.names(self.out):
            self.way.remove(f"{self.out}/{name}")

    def bytes_of_result(self) -> dict[str, str]:
        """Path below OUT -> SHA-256, of everything that must be the same."""
        names = [name for name in self.way.names(self.out) if name.startswith(COMPARED)]
        return {name: hashlib.sha256(self.way.get(f"{self.out}/{name}") or b"").hexdigest() for name in names}


class Requests:
    """Counts what goes to the store below OUT, from any thread, and kills the process before the n-th of them."""

    def __init__(self, last: int | None) -> None:
        from florenz.stores.objects import ObjectStore

        self.seen, self.last, self.lock = 0, last, threading.Lock()
        ask = ObjectStore._bucket

        def counted(store: ObjectStore, path: str, retry: Any) -> Any:
            with self.lock:
                self.seen += "/out" in path
                if self.seen == self.last:
                    os.kill(os.getpid(), signal.SIGKILL)
            return ask(store, path, retry)

        setattr(ObjectStore, "_bucket", counted)  # noqa: B010 - mypy lets no method be assigned


def problem_at(bench: StoreBench, kill: KillPoint, wanted: dict[str, str]) -> str | None:
    """What is wrong after a death at this point and a second run; None if nothing is."""
    bench.clear()
    code = bench.run(kill)
    if code not in (0, -signal.SIGKILL, -signal.SIGALRM):
        return f"the run ended with {code}: {bench.log.read_text()[-600:]}"
    if (code := bench.run()) != 0:
        return f"the run after it ended with {code}: {bench.log.read_text()[-600:]}"
    found = bench.bytes_of_result()
    differing = sorted(path for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path))
    return f"{len(differing)} files differ, first {differing[0]}" if differing else None


def undisturbed(bench: StoreBench) -> tuple[dict[str, str], int, float]:
    """What an undisturbed run leaves, how many requests it makes and how many seconds it takes."""
    bench.clear()
    counter = bench.recipe.with_suffix(".count")
    started = time.monotonic()
    code = bench.run(count=counter)
    assert code == 0, f"the undisturbed run ended with {code}: {bench.log.read_text()[-2000:]}"
    seconds, found = time.monotonic() - started, bench.bytes_of_result()
    assert {name.partition("/")[0] for name in found} == {"manifest.json", "rejects", "shards"}, sorted(found)
    return found, int(counter.read_text()), seconds


def outcomes(bench: StoreBench, number: int, seed: int) -> Iterator[tuple[str, str | None]]:
    wanted, events, seconds = undisturbed(bench)
    print(f"undisturbed: {len(wanted)} files, {events} requests, {seconds:.1f} s", flush=True)
    for kill in kill_points(number, events, seconds, seed):
        name = f"request {kill.event}" if kill.event is not None else f"{kill.seconds:.3f} s"
        yield name, problem_at(bench, kill, wanted)


def torture(scheme: str, number: int, seed: int) -> int:
    """Exit code: 0 if every killed run ended as the undisturbed one."""
    preload()
    survived = 0
    with (
        tempfile.TemporaryDirectory(prefix="florenz-torture-") as name,
        stand_in_process() as endpoint,
        stand_in_store(scheme) as store,
    ):
        bench = StoreBench(recipe=Path(name) / "recipe.toml", way=Way(store))
        for picture in sorted(draw_torture_world(Path(name)).iterdir()):
            bench.way.put(f"{store.bucket}/images/{picture.name}", picture.read_bytes())
        recipe = RECIPE.format(out=bench.out, images=f"{store.bucket}/images", endpoint=endpoint)
        bench.recipe.write_text(recipe)
        (Path(name) / "playground").symlink_to(ROOT / "playground")  # runs happen here, and its models have short names
        for done, (what, problem) in enumerate(outcomes(bench, number, seed), 1):
            survived += problem is None
            print(f"{done}/{number} {what}: {problem or 'survived'}", flush=True)
    print(f"torture-{scheme}: {survived} of {number} (goal {number})")
    return 0 if survived == number else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("s3", "gs"), default="s3")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    raise SystemExit(torture(options.store, options.points, options.seed))
