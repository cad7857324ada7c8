"""Everything that is known to have got through, as a file or a server, in the run that a user would start.

`python -m benchmarks.hostile [NAME ...]`. Each case is a process of its own, whose exit code, words and peak memory are
looked at: no traceback, at most 1 GiB above an ordinary run, and what the case asks besides.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.hostile import pictures, replies, sources, texts, typed  # noqa: F401 - each enters its cases
from benchmarks.hostile.place import CASES, MEMORY_GOAL, MODEL, Place
from benchmarks.stand_in_server import StandInServer


def main(names: list[str]) -> int:
    chosen = names or list(CASES)
    good = 0
    with tempfile.TemporaryDirectory() as folder, StandInServer(MODEL, remembers=False) as server:
        ordinary = Place(Path(folder) / "ordinary", server).run()
        assert ordinary.code == 0, ordinary.said
        print(f"an ordinary run: peak {ordinary.peak_bytes / 2**30:.2f} GiB", flush=True)
        for name in chosen:
            problems, peak = [], 0
            for done, problem in CASES[name](Place(Path(folder) / name, server)):
                peak = max(peak, done.peak_bytes)
                problems += [problem] if problem else []
                problems += ["a traceback"] if "Traceback" in done.said else []
            if peak > ordinary.peak_bytes + MEMORY_GOAL:
                problems.append("too much memory")
            good += not problems
            print(f"{name:<26} peak {peak / 2**30:.2f} GiB  {'; '.join(problems) or 'good'}", flush=True)
    print(f"bench-hostile: {good} of {len(chosen)} (goal all)")
    return 0 if good == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
