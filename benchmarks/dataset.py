"""`make bench-dataset`: how long the default dataset takes from nothing, how much memory all its processes take
together, and for which share of the time no model was busy (as the run's report says).

With `--with-install` the run happens in a fresh clone of HEAD, set-up included. Peak memory is the largest sum of
resident sizes over the process tree, looked at five times a second; shared pages count more than once, so it is an
upper bound.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

SECONDS_GOAL, SECONDS_GOAL_WITH_INSTALL, MEMORY_GOAL_GIB, IDLE_GOAL = 180, 600, 6, 0.25
LOOK_EVERY_S = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs without install; the median counts")
    parser.add_argument("--with-install", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as folder:
        if options.with_install:
            clone = Path(folder) / "clone"
            subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
            command = ["make", "--no-print-directory", "dataset", "LANGS=de,fr,es"]
            runs = [(*measure(command, cwd=clone), idle_of(clone / "data" / "playground"))]
            goal = SECONDS_GOAL_WITH_INSTALL
        else:
            runs = []
            for number in range(options.repeats):
                out = Path(folder) / str(number)
                command = ["make", "--no-print-directory", "dataset", "LANGS=de,fr,es", f"OUT={out}"]
                runs.append((*measure(command, cwd=Path.cwd()), idle_of(out)))
                shutil.rmtree(out)
            goal = SECONDS_GOAL
    for seconds, gib, idle in runs:
        print(f"{seconds:.1f} s, {gib:.2f} GiB, no model busy for {idle:.0%}")
    seconds, _, idle = sorted(runs)[len(runs) // 2]
    gib = max(gib for _, gib, _ in runs)
    print(
        f"bench-dataset: {seconds:.0f} s, {gib:.1f} GiB, no model busy for {idle:.0%} "
        f"(goal {goal} s, {MEMORY_GOAL_GIB} GiB, {IDLE_GOAL:.0%})"
    )
    return 0


def idle_of(out: Path) -> float:
    """Share of the run's time in which no model was busy."""
    return float(json.loads((out / "report.json").read_text())["idle"])


def measure(command: list[str], cwd: Path) -> tuple[float, float]:
    """(wall seconds, peak GiB) of a command and everything it starts."""
    started = time.monotonic()
    process = psutil.Popen(command, cwd=cwd)
    peak_bytes = 0
    while True:
        try:
            code = process.wait(timeout=LOOK_EVERY_S)
            break
        except psutil.TimeoutExpired:
            peak_bytes = max(peak_bytes, resident_bytes(process))
    if code != 0:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return time.monotonic() - started, peak_bytes / 2**30


def resident_bytes(process: psutil.Process) -> int:
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
