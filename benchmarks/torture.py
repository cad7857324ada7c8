"""`make torture`: kills real runs at many points, runs them again, and compares every byte with an undisturbed run.

A run is the real command line in a forked process, with the real captioner and a translation server that answers at
once. It dies by SIGKILL before its n-th file operation below OUT (between a temporary file and its rename, between the
last shard and the manifest, ...), or by a signal at a random moment. Or it lives, and from the n-th file operation on
the disk is full, or read-only, or OUT is gone: then it must end by itself, in a few lines that say what to do. Then the
same command must finish, and shards, manifest and rejects must be those of the undisturbed run.

`--disks`: instead, runs that go on from where the one before was stopped, by a disk that fails at each kind of file, or
after so many bytes; only then one that is let through.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import hashlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.stand_in_server import stand_in_process
from florenz.console import quiet_libraries
from florenz.playground.world import draw_world
from florenz.stores.schemes import local

RECIPE = """
languages = ["de", "fr"]
out = "{out}"
[images]
source = "{images}"
[captioner]
model = "playground/models/captioner"
batch_size = 4
cpu_threads = 1  # so that there is room for the translator beside it: kills strike both
[translator]
model = "playground/models/translator"
prompt = "playground"
endpoint = "{endpoint}"
prompts_per_request = 4
max_in_flight = 1
[shards]
images_per_shard = 4
val_fraction = 0.3
"""
COMPARED = ("manifest.json", "shards/**/*", "heldout/**/*", "rejects/*")
FILE_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


# What may happen at a point, and what the system says of it. A full disk still renames and removes.
KILL, FULL, READ_ONLY, GONE = "kill", "full", "read-only", "gone"
ERRORS = {FULL: errno.ENOSPC, READ_ONLY: errno.EROFS}
ADVICE = {
    FULL: ("make room",),
    READ_ONLY: ("make it writable",),
    GONE: ("bring it back", "see whether its disk is there"),
}
REFUSED_EVENTS = {FULL: ("open", "os.mkdir"), READ_ONLY: FILE_EVENTS, GONE: ()}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PLACES = (".lock", "run.log", "parts.json", "captions", "translations", "shards", "rejects", "builds",
          "manifest.json", "report.json", "REPORT.md")  # fmt: skip
GONE_PLACES = ("parts.json", "published.json")  # without the latter a run would go on, as if it were the first
HUNG_AFTER_S = 600.0


@dataclass(frozen=True)
class KillPoint:
    """Where in a run the kind of fault strikes, and from where on it stays: one of these.

    event: before the n-th file operation below OUT. seconds: after the start (kill). place: when a file with this word
    in its path below OUT is to be written (gone: or read). num_bytes: when so many bytes have been written (full).
    """

    event: int | None = None
    seconds: float | None = None
    kind: str = KILL
    place: str | None = None
    num_bytes: int | None = None

    def __str__(self) -> str:
        kind = "" if self.kind == KILL else f"{self.kind} at "
        if self.place is not None:
            return f"{kind}{self.place}"
        if self.num_bytes is not None:
            return f"{kind}{self.num_bytes} bytes"
        return f"{kind}file operation {self.event}" if self.event is not None else f"{kind}{self.seconds:.3f} s"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the tortured runs happen: a recipe, its pictures, and OUT."""

    recipe: Path
    out: Path

    def run(self, kill: KillPoint | None = None, *, count_events: Path | None = None) -> int:
        """Exit code of one run in a process of its own; negative when a signal ended it."""
        child = os.fork()
        if child == 0:
            self._run_in_child(kill, count_events)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _run_in_child(self, kill: KillPoint | None, count_events: Path | None) -> None:
        """Never returns."""
        code = 70
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 2)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, HUNG_AFTER_S)
            watch = FileEvents(str(self.out), kill)
            sys.addaudithook(watch)
            if kill and kill.num_bytes is not None:
                vars(local)["open"] = Quota(kill.num_bytes).open
            if kill and kill.seconds is not None:
                signal.setitimer(signal.ITIMER_REAL, kill.seconds)  # ends it as SIGKILL does: nothing of ours runs
            from florenz.pipeline.__main__ import main

            code = main([str(self.recipe)])
            if count_events:
                count_events.write_text(str(watch.seen))
        finally:
            os._exit(code)

    @property
    def log(self) -> Path:
        """What the last run wrote to the screen as errors."""
        return self.out.with_suffix(".log")

    @property
    def away(self) -> Path:
        """Where OUT is while it is gone."""
        return self.out.with_suffix(".away")

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.rmtree(self.away, ignore_errors=True)

    def bytes_of_result(self) -> dict[str, str]:
        """Path below OUT -> SHA-256, of everything that must be the same."""
        paths = sorted({path for pattern in COMPARED for path in self.out.glob(pattern) if path.is_file()})
        return {str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


class FileEvents:
    """An audit hook that counts file operations below a folder and lets the fault strike at its point."""

    def __init__(self, folder: str, kill: KillPoint | None) -> None:
        self.folder, self.kill, self.seen = folder, kill or KillPoint(), 0
        self.has_struck = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in FILE_EVENTS or not arguments or not f"{arguments[0]}/".startswith(f"{self.folder}/"):
            return
        self.seen += 1
        path = str(arguments[0])
        if not self.has_struck and self._is_the_point(event, arguments, path.removeprefix(self.folder)):
            self.has_struck = True
            if self.kill.kind == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kill.kind == GONE and os.path.exists(self.folder):
                os.rename(self.folder, str(Path(self.folder).with_suffix(".away")))
        if self.has_struck and event in REFUSED_EVENTS[self.kill.kind] and _is_write(event, arguments):
            number = ERRORS[self.kill.kind]
            raise OSError(number, os.strerror(number), path)

    def _is_the_point(self, event: str, arguments: tuple[Any, ...], path: str) -> bool:
        if self.kill.place is not None:
            return self.kill.place in path and (_is_write(event, arguments) or self.kill.kind == GONE)
        return self.seen == self.kill.event


def _is_write(event: str, arguments: tuple[Any, ...]) -> bool:
    return event != "open" or bool(arguments[2] & WRITING)


class Quota:
    """A disk with room for so many bytes more, for all files that `open` opens for writing."""

    def __init__(self, num_bytes: int) -> None:
        self.free = num_bytes

    def open(self, path: str, mode: str) -> BinaryIO:
        return io.BufferedWriter(QuotaFile(path, mode, self)) if "x" in mode else open(path, mode)  # type: ignore


class QuotaFile(io.FileIO):
    def __init__(self, path: str, mode: str, quota: Quota) -> None:
        super().__init__(path, mode)
        self.quota = quota

    def write(self, block: Any) -> int:
        """As much as there is room for, as the system does it."""
        block = memoryview(block)[: self.quota.free]
        if not block:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.quota.free -= len(block)
        return super().write(block)


@contextlib.contextmanager
def torture_bench(folder: Path, num_images: int = 12) -> Iterator[Bench]:
    """Pictures (two of them broken), a recipe and a running stand-in server in `folder`."""
    images, out, recipe = draw_torture_world(folder, num_images), folder / "out", folder / "recipe.toml"
    with stand_in_process() as endpoint:
        recipe.write_text(RECIPE.format(out=out, images=images, endpoint=endpoint))
        yield Bench(recipe=recipe, out=out)


def draw_torture_world(folder: Path, num_images: int = 12) -> Path:
    """Pictures, two of them broken, in a folder below this one."""
    images = folder / "images"
    draw_world(str(images), count=num_images, seed=7)
    (images / "scenes.parquet").unlink()
    (images / "broken.jpg").write_bytes((images / "scene-000000.jpg").read_bytes()[:900])
    (images / "notes.txt").write_text("no image")
    return images


def undisturbed(bench: Bench) -> tuple[dict[str, str], int, float]:
    """What an undisturbed run leaves, how many file operations it makes and how many seconds it takes."""
    bench.clear()
    counter = bench.recipe.with_suffix(".count")
    started = time.monotonic()
    code = bench.run(count_events=counter)
    seconds = time.monotonic() - started
    assert code == 0, f"the undisturbed run ended with {code}: {bench.log.read_text()[-2000:]}"
    return bench.bytes_of_result(), int(counter.read_text()), seconds


def kill_points(number: int, events: int, seconds: float, seed: int) -> list[KillPoint]:
    """Half of them spread over the file operations, half over time."""
    rng = random.Random(seed)
    by_event = [KillPoint(event=1 + events * place // (number - number // 2)) for place in range(number - number // 2)]
    by_time = [KillPoint(seconds=rng.uniform(0.01, seconds)) for _ in range(number // 2)]
    return by_event + by_time


def disk_points(number: int, events: int, seed: int) -> list[KillPoint]:
    """Disks that fail in three ways, at random file operations."""
    rng = random.Random(seed)
    return [KillPoint(event=rng.randint(1, events), kind=(FULL, READ_ONLY, GONE)[n % 3]) for n in range(number)]


def disk_chains(num_bytes: int) -> list[list[KillPoint]]:
    """Each kind of file; shares of the bytes that an undisturbed run writes; OUT gone at some file operations."""
    full = [KillPoint(kind=FULL, place=place) for place in PLACES]
    read_only = [KillPoint(kind=READ_ONLY, place=place) for place in PLACES[::2]]
    quotas = [KillPoint(kind=FULL, num_bytes=num_bytes * tenth // 10) for tenth in (1, 4, 8)]
    gone = [KillPoint(kind=GONE, event=60)] + [KillPoint(kind=GONE, place=f"/{name}") for name in GONE_PLACES]
    return [full, read_only, quotas, gone]


def problem_at(bench: Bench, kill: KillPoint, wanted: dict[str, str]) -> str | None:
    """What is wrong after a fault at this point and a second run; None if nothing is."""
    bench.clear()
    return problem_of_stop(bench, kill) or problem_of_end(bench, wanted)


def problem_of_stop(bench: Bench, kill: KillPoint) -> str | None:
    """What is wrong with how a run ends to which this happens; the cause is removed."""
    code = bench.run(kill)
    if bench.away.exists():
        if bench.out.exists():
            return "the run made another OUT in the place of the one that was gone"
        bench.away.rename(bench.out)
    if broken := [path for path in bench.out.rglob("*.tar") if path.stat().st_size % 10240]:
        return f"an unfinished tar under a final name: {broken[0].name}"
    if kill.kind == KILL:
        return None if code in (0, -signal.SIGKILL, -signal.SIGALRM) else f"the run ended with {code}"
    if code == 0 and kill.event is not None:
        return None  # nothing was written after the point
    return _problem_of_words(bench, kill, code)


def _problem_of_words(bench: Bench, kill: KillPoint, code: int) -> str | None:
    """What is wrong with how a run that its disk has stopped takes its leave."""
    said = bench.log.read_text()
    lines = said.splitlines()
    if code not in (1, 2) or len(lines) != 3 - code or not all(line.startswith("florenz: ") for line in lines):
        return f"the run ended with {code} and said: {said[-2000:]}"
    if str(bench.out) not in lines[0] or not any(advice in lines[0] for advice in ADVICE[kill.kind]):
        return f"the run does not say which file or what to do: {lines[0]}"
    if kill.kind == FULL and (partials := list(bench.out.rglob("*.partial"))):
        return f"the run left {partials[0].name} on a full disk"
    return None


def problem_of_end(bench: Bench, wanted: dict[str, str]) -> str | None:
    """What is wrong with a run to which nothing happens."""
    if (code := bench.run()) != 0:
        return f"the run after it ended with {code}: {bench.log.read_text()[-300:]}"
    if left := list(bench.out.rglob("*.partial")):
        return f"the run after it left {left[0].name}"
    found = bench.bytes_of_result()
    differing = sorted(path for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path))
    return f"{len(differing)} files differ, first {differing[0]}" if differing else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disks", action="store_true", help="instead: chains of runs stopped by a failing disk")
    options = parser.parse_args()
    preload()
    with tempfile.TemporaryDirectory(prefix="florenz-torture-") as folder, torture_bench(Path(folder)) as bench:
        wanted, events, seconds = undisturbed(bench)
        print(f"undisturbed: {len(wanted)} files, {events} file operations, {seconds:.1f} s", flush=True)
        if options.disks:
            num_bytes = sum(path.stat().st_size for path in bench.out.rglob("*") if path.is_file())
            goal, outcomes = chained(bench, disk_chains(num_bytes), wanted)
        else:
            goal, outcomes = apart(bench, options.points, events, seconds, options.seed, wanted)
        survived = 0
        for number, (name, problem) in enumerate(outcomes, 1):
            survived += problem is None
            print(f"{number}/{goal} {name}: {problem or 'survived'}", flush=True)
    print(f"torture: {survived} of {goal} (goal {goal})")
    return 0 if survived == goal else 1


Outcomes = Iterator[tuple[str, str | None]]  # what happened, and what was wrong with what followed


def apart(
    bench: Bench, number: int, events: int, seconds: float, seed: int, wanted: dict[str, str]
) -> tuple[int, Outcomes]:
    """A fresh run for each point; a fifth of them disks."""
    points = kill_points(number - number // 5, events, seconds, seed) + disk_points(number // 5, events, seed)
    return len(points), ((str(kill), problem_at(bench, kill, wanted)) for kill in points)


def chained(bench: Bench, chains: list[list[KillPoint]], wanted: dict[str, str]) -> tuple[int, Outcomes]:
    def outcomes() -> Outcomes:
        for chain in chains:
            bench.clear()
            yield from ((str(kill), problem_of_stop(bench, kill)) for kill in chain)
            yield f"after {chain[0].kind}", problem_of_end(bench, wanted)

    return sum(len(chain) + 1 for chain in chains), outcomes()


def preload() -> None:
    """Import and read what every run does, once: the forked runs then start in milliseconds. Nothing here starts a
    thread, or depends on a recipe."""
    quiet_libraries()  # which is for before the import
    import florenz.captioners.florence2.model
    import florenz.pipeline.__main__
    import florenz.pipeline.answers.captioning
    import florenz.pipeline.answers.graphs
    import florenz.pipeline.run  # noqa: F401
    from florenz.languages import byte_model
    from florenz.pipeline.assemble.code import code_checksum

    byte_model.labels()
    code_checksum()
    gc.freeze()  # what there is now no fork looks through for garbage: looking would copy it


if __name__ == "__main__":
    sys.exit(main())
