"""`python -m benchmarks.rerun`: what the read step of an unchanged rerun costs, up to so many images.

The files are no pictures, and are taken for sound ones without a look; all else is the pipeline's own code: list the
folder, see that nothing has changed, read what the index holds.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from florenz.images import folders
from florenz.images.proof import Proof
from florenz.pipeline import hashing, index
from florenz.pipeline.listing import listing_of
from florenz.pipeline.recipe import load_recipe

GOAL_S_PER_MILLION = 60.0
ROOT = Path(__file__).resolve().parents[1]


def write_files(folder: Path, count: int) -> None:
    """Files of 4 KB, each its own, 1,000 in a folder. They need not be images: a name that ends so is believed."""
    for number in range(count):
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(8, "big") * 512)


def sound(data: bytes) -> Proof:
    """What was drawn above is no picture, and a reject for each would be another benchmark."""
    return Proof()


def computed_s() -> float:
    """Of this process, all threads."""
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    count = parser.parse_args().images
    vars(folders)["CLOCK_STEP_S"] = -1e9  # files settle at once, as they would in 10 s
    vars(hashing)["prove"] = sound
    with tempfile.TemporaryDirectory(prefix="florenz-rerun-") as name:
        write_files(Path(name) / "images", count)
        recipe = load_recipe(
            str(ROOT / "configs" / "playground.toml"), {"IMAGES": f"{name}/images", "OUT": f"{name}/out"}
        )
        seconds = []
        for what in ("first", "unchanged", "one changed"):
            if what == "one changed":
                (Path(name) / "images" / "0000" / "0000000.jpg").write_bytes(os.urandom(4096))
            started, computed = time.monotonic(), computed_s()
            found = index.build_index(recipe, listing_of(recipe), None)
            seconds.append(time.monotonic() - started)
            assert len(found.images) == count, (what, len(found.images))
            computing, peak = computed_s() - computed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            print(
                f"{what}: {seconds[-1]:.2f} s for {count} images, {computing:.2f} of them computing, "
                f"at most {peak} MiB so far",
                flush=True,
            )
    per_million = seconds[1] * 1e6 / count
    print(f"bench-rerun: {per_million:.1f} s for a million unchanged images (goal {GOAL_S_PER_MILLION:.0f})")


if __name__ == "__main__":
    main()
