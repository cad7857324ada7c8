"""`make torture`: kills real runs at many points, runs them again, and compares every byte with an undisturbed run.

A run is the real command line in a forked process, with the real captioner and a translation server that answers at
once. It dies by SIGKILL before its n-th file operation below OUT (between a temporary file and its rename, between the
last shard and the manifest, ...), or by a signal at a random moment. Then the same command must finish, and shards,
manifest and rejects must be those of the undisturbed run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playground.world import draw_world

RECIPE = """
languages = ["de", "fr"]
out = "{out}"
[images]
source = "{images}"
[captioner]
model = "playground/models/captioner"
batch_size = 4
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
COMPARED = ("manifest.json", "shards/**/*", "rejects/*")
FILE_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


@dataclass(frozen=True)
class KillPoint:
    """Before the `event`-th file operation below OUT, or `seconds` after the start."""

    event: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"file operation {self.event}" if self.event is not None else f"{self.seconds:.3f} s"


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
            log = os.open(self.out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 2)
            watch = FileEvents(str(self.out), kill.event if kill else None)
            sys.addaudithook(watch)
            if kill and kill.seconds is not None:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process as SIGKILL does: nothing of ours runs
                signal.setitimer(signal.ITIMER_REAL, kill.seconds)
            from pipeline.__main__ import main

            code = main([str(self.recipe)])
            if count_events:
                count_events.write_text(str(watch.seen))
        finally:
            os._exit(code)

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)

    def bytes_of_result(self) -> dict[str, str]:
        """Path below OUT -> SHA-256, of everything that must be the same."""
        paths = sorted({path for pattern in COMPARED for path in self.out.glob(pattern) if path.is_file()})
        return {str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


class FileEvents:
    """An audit hook that counts file operations below a folder and kills the process before the n-th."""

    def __init__(self, folder: str, kill_at: int | None) -> None:
        self.folder, self.kill_at, self.seen = folder, kill_at, 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in FILE_EVENTS and arguments and str(arguments[0]).startswith(self.folder):
            self.seen += 1
            if self.seen == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def torture_bench(folder: Path, num_images: int = 12) -> Iterator[Bench]:
    """Pictures (two of them broken), a recipe and a running stand-in server in `folder`."""
    images, out, recipe = folder / "images", folder / "out", folder / "recipe.toml"
    draw_world(str(images), count=num_images, seed=7)
    (images / "scenes.parquet").unlink()
    (images / "broken.jpg").write_bytes((images / "scene-000000.jpg").read_bytes()[:900])
    (images / "notes.txt").write_text("no image")
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.instant_server", "playground/models/translator"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        recipe.write_text(RECIPE.format(out=out, images=images, endpoint=endpoint))
        yield Bench(recipe=recipe, out=out)
    finally:
        server.kill()
        server.wait()


def undisturbed(bench: Bench) -> tuple[dict[str, str], int, float]:
    """What an undisturbed run leaves, how many file operations it makes and how many seconds it takes."""
    bench.clear()
    counter = bench.recipe.with_suffix(".count")
    started = time.monotonic()
    code = bench.run(count_events=counter)
    seconds = time.monotonic() - started
    assert code == 0, f"the undisturbed run ended with {code}: {bench.out.with_suffix('.log').read_text()[-2000:]}"
    return bench.bytes_of_result(), int(counter.read_text()), seconds


def kill_points(number: int, events: int, seconds: float, seed: int) -> list[KillPoint]:
    """Half of them spread over the file operations, half over time."""
    rng = random.Random(seed)
    by_event = [KillPoint(event=1 + events * place // (number - number // 2)) for place in range(number - number // 2)]
    by_time = [KillPoint(seconds=rng.uniform(0.01, seconds)) for _ in range(number // 2)]
    return by_event + by_time


def problem_at(bench: Bench, kill: KillPoint, wanted: dict[str, str]) -> str | None:
    """What is wrong after a kill at this point and a second run; None if nothing is."""
    bench.clear()
    first = bench.run(kill)
    if first not in (0, -signal.SIGKILL, -signal.SIGALRM):
        return f"{kill}: the first run ended with {first}"
    if broken := [path for path in bench.out.glob("shards/**/*.tar") if path.stat().st_size % 10240]:
        return f"{kill}: an unfinished tar under a final name: {broken[0].name}"
    if (code := bench.run()) != 0:
        return f"{kill}: the second run ended with {code}: {bench.out.with_suffix('.log').read_text()[-300:]}"
    if left := list(bench.out.rglob("*.partial")):
        return f"{kill}: the second run left {left[0].name}"
    found = bench.bytes_of_result()
    differing = sorted(path for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path))
    return f"{kill}: {len(differing)} files differ, first {differing[0]}" if differing else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    preload()
    with tempfile.TemporaryDirectory(prefix="florenz-torture-") as folder, torture_bench(Path(folder)) as bench:
        wanted, events, seconds = undisturbed(bench)
        print(f"undisturbed: {len(wanted)} files, {events} file operations, {seconds:.1f} s", flush=True)
        survived = 0
        for number, kill in enumerate(kill_points(options.points, events, seconds, options.seed), 1):
            problem = problem_at(bench, kill, wanted)
            survived += problem is None
            print(f"{number}/{options.points} {problem or f'{kill}: survived'}", flush=True)
    print(f"torture: {survived} of {options.points} (goal {options.points})")
    return 0 if survived == options.points else 1


def preload() -> None:
    """Import what a run imports, once: the forked runs then start in milliseconds. Importing starts no threads."""
    import pipeline.__main__
    import pipeline.generate
    import pipeline.run  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
