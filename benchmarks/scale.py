"""`make bench-scale`: what an image costs as a dataset grows, in time, memory and bytes shuffled.

Captioner and translator are stand-ins that answer at once, so that the pipeline itself is measured: reading, ledger,
filters, shards. Images are JPEGs of 4 KB in tars of a thousand; two languages. Said are, of a large run beside a small
one: time for an image, the launcher's memory, that of all its processes together (the stand-in translator apart, which
is a model), and what Beam shuffles for an image; of an unchanged rerun its time and its questions; and what is shuffled
with five languages. A million images take 5 GB for the tars and 12 GB for OUT: without `--large` it is so many as fit.

Beside seconds stand those in which the run computed: with other work on the machine the former say little. All tars
are drawn before the first run, and are old enough then that a rerun need not read them again (`images/folders.py`).

    python -m benchmarks.scale [--small 10000] [--large 100000] [--two-workers]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.ledger import RECIPE, stand_in_for_the_captioner, with_comment
from benchmarks.stand_in_server import stand_in_process
from florenz.images.folders import CLOCK_STEP_S

TIME_GOAL, LAUNCHER_GOAL, MEMORY_GOAL_GIB, SHUFFLE_GOAL, RERUN_GOAL_S, WORKERS_GOAL = 1.2, 1.3, 3.0, 1024, 60.0, 1.7
SMALL, LARGE, OF_FIVE_LANGUAGES = 10_000, 1_000_000, 2_000
IMAGE_BYTES, IMAGES_PER_TAR, BYTES_ON_DISK = 4096, 1_000, 18_000
SAMPLE_EVERY_S = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, help=f"{LARGE:,}, or as many as the disk holds")
    parser.add_argument(
        "--two-workers", action="store_true", help="also the small run, by one worker process and by two"
    )
    parser.add_argument("--one", metavar="RECIPE", help="one run, in this process; prints JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.one)))
        return 0
    with tempfile.TemporaryDirectory(prefix="florenz-scale-") as name, stand_in_process() as endpoint:
        folder = Path(name)
        number = options.large or most_images(folder)
        few = prepare(folder / "small", options.small, endpoint)
        five_languages = prepare(folder / "five", OF_FIVE_LANGUAGES, endpoint, languages=5)
        recipe = prepare(folder / "large", number, endpoint)
        settle(folder)
        small = measured(few, options.small)
        if options.two_workers:
            two_workers(folder, endpoint, options.small)
        five = measured(five_languages, OF_FIVE_LANGUAGES)
        shutil.rmtree(folder / "five")
        large = measured(recipe, number)
        rerun = measured(recipe, number, "unchanged rerun")
    cost, computed = (large[what] / number / (small[what] / options.small) for what in ("seconds", "cpu_s"))
    print(
        f"bench-scale: {number:,} images: time per image x {cost:.2f} (goal {TIME_GOAL}; computing x {computed:.2f}), "
        f"launcher's memory "
        f"x {large['launcher_gib'] / small['launcher_gib']:.2f} (goal {LAUNCHER_GOAL}), all processes "
        f"{large['all_gib']:.2f} GiB (goal {MEMORY_GOAL_GIB:.0f}), {five['shuffled']:.0f} bytes shuffled an image with "
        f"five languages (goal {SHUFFLE_GOAL}), rerun {rerun['asked']} questions in {rerun['wall']:.1f} s "
        f"(goal 0 in {RERUN_GOAL_S:.0f}; computing {rerun['cpu_s']:.1f} s)"
    )
    return 0


def most_images(folder: Path) -> int:
    """A million, or what the disk holds; told."""
    free = shutil.disk_usage(folder).free
    number = min(LARGE, int(free * 0.8 / BYTES_ON_DISK) // IMAGES_PER_TAR * IMAGES_PER_TAR)
    if number < LARGE:
        print(f"{free / 2**30:.0f} GiB are free, {LARGE:,} images take {LARGE * BYTES_ON_DISK / 2**30:.0f}: {number:,}")
    return number


def settle(folder: Path) -> None:
    """Wait until the youngest tar is one that a listing tells from its next version."""
    youngest = max(path.stat().st_mtime for path in folder.glob("*/images/*.tar"))
    time.sleep(max(0.0, youngest + CLOCK_STEP_S + 1 - time.time()))


def prepare(folder: Path, num_images: int, endpoint: str, languages: int = 2, workers: int = 1) -> Path:
    """Tars of images, and the recipe that reads them."""
    images = folder / "images"
    images.mkdir(parents=True)
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert("RGB").save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    for start in range(0, num_images, IMAGES_PER_TAR):
        with tarfile.open(images / f"{start:08d}.tar", "w") as tar:
            for number in range(start, min(start + IMAGES_PER_TAR, num_images)):
                content = with_comment(jpeg, str(number).encode().ljust(IMAGE_BYTES - len(jpeg) - 4))
                member = tarfile.TarInfo(f"{number:09d}.jpg")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return recipe_in(folder, images, endpoint, languages, workers)


def recipe_in(folder: Path, images: Path, endpoint: str, languages: int, workers: int) -> Path:
    recipe = folder / f"recipe-{workers}.toml"
    chosen = json.dumps(["de", "fr", "es", "ru", "zh"][:languages])
    out = folder / "out"
    recipe.write_text(RECIPE.format(languages=chosen, out=out, images=images, endpoint=endpoint, workers=workers))
    return recipe


def two_workers(folder: Path, endpoint: str, number: int) -> None:
    """The same answers assembled by one process and by two: models are left out, whose stand-ins share the cores."""
    seconds = []
    for workers in (1, 2):
        recipe = recipe_in(folder / "small", folder / "small" / "images", endpoint, 2, workers)
        with recipe.open("a") as file:  # or one would become as many as there are cores
            file.write(f"[limits]\nworkers = {workers}\n")
        shutil.rmtree(folder / "small" / "out" / "builds")
        facts = measured(recipe, number, f"assembled again by {workers} worker processes")
        assert not facts["asked"], "all answers are there"
        seconds.append(facts["steps"]["assemble"])
    print(f"two workers assemble {seconds[0] / seconds[1]:.2f} times as fast as one (goal {WORKERS_GOAL})")


def measured(recipe: Path, number: int, what: str = "") -> dict[str, Any]:
    """The run in a process of its own, and the memory of that and of its children."""
    command = [sys.executable, "-m", "benchmarks.scale", "--one", str(recipe)]
    started = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=watch, args=(run.pid, peak, ended))
    watcher.start()
    told, errors = run.communicate()
    ended.set()
    watcher.join()
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {run.returncode}: {errors[-2000:]}")
    facts: dict[str, Any] = json.loads(told.splitlines()[-1])
    facts |= {"wall": time.monotonic() - started, "all_gib": peak[0]}
    facts["shuffled"] = facts.pop("shuffled_bytes") / number
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in facts["steps"].items())
    print(
        f"{number:,} images{f', {what}' if what else ''}: {facts['seconds']:.1f} s ({steps}), "
        f"{1e3 * facts['seconds'] / number:.2f} ms per image "
        f"({1e3 * facts['cpu_s'] / number:.2f} of them computing), launcher {facts['launcher_gib']:.2f} GiB, all "
        f"{facts['all_gib']:.2f} GiB, {facts['shuffled']:.0f} bytes shuffled an image, {facts['asked']:,} questions",
        flush=True,
    )
    return facts


def watch(pid: int, peak: list[float], ended: threading.Event) -> None:
    """The largest sum of the memory of a process and all below it, in GiB; pages that they share count once."""
    while not ended.wait(SAMPLE_EVERY_S):
        peak[0] = max(peak[0], sum(map(kib_of, family(pid))) / 2**20)


def family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        for children in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            try:
                waiting += map(int, children.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def kib_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def one_run(recipe_path: str) -> dict[str, Any]:
    from florenz.pipeline.__main__ import quiet_libraries
    from florenz.pipeline.recipe import load_recipe
    from florenz.pipeline.run import run

    quiet_libraries()
    recipe = load_recipe(recipe_path)
    if recipe.workers == 1:
        stand_in_for_the_captioner()
    shuffled = count_shuffled_bytes()
    started, computed_before = time.monotonic(), cpu_seconds()
    facts = run(recipe, say=lambda text: None)
    return {
        "seconds": time.monotonic() - started,
        "cpu_s": cpu_seconds() - computed_before,
        "steps": dict(facts.seconds),
        "launcher_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "shuffled_bytes": sum(shuffled),
        "asked": sum(facts.asked.values()),
        "cores": os.cpu_count(),
    }


def cpu_seconds() -> float:
    """Of this process and of those below it that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def count_shuffled_bytes() -> list[int]:
    """Collects the sizes of all that the in-process runner is given to group, as the workers send it."""
    from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer

    sizes: list[int] = []
    append = GroupingBuffer.append

    def counted(buffer: Any, elements: bytes) -> None:
        sizes.append(len(elements))
        append(buffer, elements)

    GroupingBuffer.append = counted
    return sizes


if __name__ == "__main__":
    sys.exit(main())
