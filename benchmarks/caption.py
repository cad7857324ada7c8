"""The caption step: whether its model waits for pictures, and what the step costs beside a bare batched loop.

1. A stand-in for a model that takes a fixed time for each image, and photographs of 12 megapixels: the share of the
   step's time in which it is busy. 20 ms an image, as a GPU takes, where the cores decode that fast; where they don't,
   the stand-in takes as long as they need, and a quarter more.
2. The playground's captioner: captions/s of the whole step (read, decode, resize, Beam, ledger) against the best bare
   loop over tensors that lie ready, batch size searched, loading apart. They take turns; the median is the last line.

    python -m benchmarks.caption [--count 1000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from florenz.captioners.contract import Answer, Captioner
from florenz.images.decoding import decode
from florenz.pipeline.answers import captioning
from florenz.pipeline.answers.captioning import Caption, load_captioner
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.playground.world import draw_world

GOAL, BUSY_GOAL = 0.95, 0.9
GPU_S = 0.02  # for an image
SIZE_PX = (4000, 3000)
NUM_LARGE, BATCH_SIZE = 96, 8
SIZES = (8, 16, 32, 64)


class Busy:
    """Takes its time for each image, and adds it up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.busy_s = 0.0

    def prepare(self, picture: Image.Image) -> Any:
        return np.asarray(picture.resize((768, 768)), dtype=np.float32)

    def caption(self, prepared: Sequence[Any], styles: Sequence[Sequence[str]]) -> list[Mapping[str, Answer]]:
        time.sleep(self._seconds * len(prepared))
        self.busy_s += self._seconds * len(prepared)
        return [
            {style: Answer(text=f"picture {id(one)}") for style in wanted}
            for one, wanted in zip(prepared, styles, strict=True)
        ]


def large_photographs(folder: Path) -> list[Path]:
    """Blurred noise, which JPEG takes about as long to decode as a photograph."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE_PX[1] // 4, SIZE_PX[0] // 4, 3), dtype=np.uint8)
    paths = [folder / f"{number}.jpg" for number in range(4)]
    for number, path in enumerate(paths):
        Image.fromarray(np.roll(pixels, 100 * number, axis=0)).resize(SIZE_PX).save(path, quality=90)
    return paths


def busy_share(folder: Path) -> float:
    paths, cores = large_photographs(folder), len(os.sched_getaffinity(0))
    ready = [path.read_bytes() for path in paths]
    started = time.monotonic()
    with ThreadPoolExecutor(min(captioning.MAX_THREADS, cores)) as readers:
        list(readers.map(lambda data: Busy(0).prepare(decode(data, max_pixels=10**8)), ready * 4))
    image_s = (time.monotonic() - started) / (4 * len(ready))
    model = Busy(max(GPU_S, 1.25 * image_s))
    print(f"{cores} cores make a tensor of 12 megapixels every {1000 * image_s:.0f} ms", end="")
    print(f", the model takes {1000 * model._seconds:.0f} ms an image")
    recipe = load_recipe("configs/playground.toml")
    tasks = [
        CaptionTask(key=f"{number:032x}", source=str(path), styles=("short",))
        for number, path in zip(range(NUM_LARGE), itertools.cycle(paths))
    ]
    seconds = step_seconds(recipe, tasks, model, BATCH_SIZE, 2 * BATCH_SIZE)
    return (model.busy_s - BATCH_SIZE * model._seconds) / seconds


def step_seconds(
    recipe: Recipe, tasks: Sequence[CaptionTask], model: Captioner, batch_size: int, num_first: int = 0
) -> float:
    """Of the step over all tasks; with `num_first`, from when the first batch is asked on (reading ahead has begun)."""
    before = captioning.load_captioner
    captioning.load_captioner = lambda settings: model
    try:
        with tempfile.TemporaryDirectory(prefix="florenz-bench-") as out:
            settings = replace(recipe.captioner, batch_size=batch_size)
            step = Caption(
                settings,
                out=out,
                fingerprints=dict.fromkeys(settings.styles, "f" * 16),
                max_bytes=10**8,
                max_pixels=10**8,
                progress=None,
            )
            step.setup()
            step.start_bundle()
            started = time.monotonic()
            for number, task in enumerate(tasks, 1):
                step.process(task)
                if number == num_first:
                    started = time.monotonic()
            step.finish_bundle()
            step.teardown()
            return time.monotonic() - started
    finally:
        captioning.load_captioner = before


def compare(folder: Path, num_images: int, num_rounds: int) -> float:
    draw_world(str(folder), count=num_images, seed=5)
    recipe = load_recipe("configs/playground.toml")
    paths, styles = sorted(folder.glob("*.jpg")), recipe.captioner.styles
    model = load_captioner(recipe.captioner)
    ready = [model.prepare(decode(path.read_bytes(), max_pixels=10**8)) for path in paths]
    tasks = [CaptionTask(key=f"{number:032x}", source=str(path), styles=styles) for number, path in enumerate(paths)]
    tried = {size: bare_seconds(model, ready[: 4 * max(SIZES)], styles, size) for size in SIZES}
    size = min(tried, key=lambda one: tried[one])
    print(f"bare loop at its best: batches of {size}")
    ratios = []
    for _ in range(num_rounds):
        bare = bare_seconds(model, ready, styles, size)
        step = step_seconds(recipe, tasks, model, size)
        number = len(paths) * len(styles)
        print(f"bare {number / bare:.0f} captions/s, step {number / step:.0f} captions/s", flush=True)
        ratios.append(bare / step)
    return statistics.median(ratios)


def bare_seconds(model: Captioner, ready: Sequence[Any], styles: Sequence[str], size: int) -> float:
    started = time.monotonic()
    for start in range(0, len(ready), size):
        batch = ready[start : start + size]
        model.caption(batch, [styles] * len(batch))
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as name:
        (Path(name) / "large").mkdir()
        print(f"busy {busy_share(Path(name) / 'large'):.0%} (goal {BUSY_GOAL:.0%})")
        ratio = compare(Path(name) / "world", arguments.count, arguments.rounds)
    print(f"bench-caption: {ratio:.2f} (goal {GOAL})")


if __name__ == "__main__":
    main()
