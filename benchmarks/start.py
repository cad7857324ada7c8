"""`make bench-start`: from the command to the first caption in the ledger, bytecode compiled against not compiled.

Not compiled is what a start was before the set-up compiled it, on machines where PYTHONDONTWRITEBYTECODE is set: each
process of a run compiles every module that it imports. Both sides run in turns on the same checkout; a run before the
first warms the disk's cache, and the median counts. The rest of each run is cut off.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

GOAL = 0.5
LOOK_EVERY_S = 0.02
COMMAND = [sys.executable, "-m", "pipeline", "configs/playground.toml", "LANGS=de", "COUNT=64"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as folder:
        nowhere = Path(folder) / "no-bytecode"
        nowhere.mkdir()
        sides = {
            "compiled": {},
            # Python looks for bytecode there alone, finds none, and writes none.
            "not compiled": {"PYTHONPYCACHEPREFIX": str(nowhere), "PYTHONDONTWRITEBYTECODE": "1"},
        }
        seconds_until_first_caption(Path(folder) / "warm", {})
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(options.repeats):
            for side, environment in sides.items():
                out = Path(folder) / f"{side}-{number}"
                seconds[side].append(seconds_until_first_caption(out, environment))
    for side, figures in seconds.items():
        print(f"{side}: first caption after {', '.join(f'{figure:.1f}' for figure in sorted(figures))} s")
    ratio = statistics.median(seconds["compiled"]) / statistics.median(seconds["not compiled"])
    print(f"bench-start: {ratio:.2f} (goal {GOAL})")
    return 0


def seconds_until_first_caption(out: Path, environment: Mapping[str, str]) -> float:
    started = time.monotonic()
    process = subprocess.Popen(
        [*COMMAND, f"OUT={out}"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not any((out / "ledger" / "captions").rglob("*.parquet")):
        if process.poll() is not None:
            raise SystemExit(f"{' '.join(COMMAND)} ended with {process.returncode} before its first caption")
        time.sleep(LOOK_EVERY_S)
    seconds = time.monotonic() - started
    process.send_signal(signal.SIGINT)
    process.wait()
    return seconds


if __name__ == "__main__":
    sys.exit(main())
