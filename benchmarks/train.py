"""`make bench-train`: steps/s of a training that reads from the shards, against the same steps on batches in memory.

The steps are those of the vision stage of configs/train.toml, on scenes of the playground with their exact captions.
The two take turns on the very same batches, so that whatever else the machine does hits both, and the median of the
ratios is reported. Workers are started anew in each turn, and one step is taken before the clock starts.

    python -m benchmarks.train
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from florenz.playground.captions import STYLES, state
from florenz.playground.draw import SIDE_PX
from florenz.playground.world import picture
from florenz.shards.manifest import Manifest, count_examples, shard_path, write_manifest
from florenz.shards.plan import shard_name
from florenz.shards.schema import Caption, Example, Sample
from florenz.shards.writer import write_shard
from florenz.train import building, preflight
from florenz.train.caches import fill_caches
from florenz.train.checkpoint import Position
from florenz.train.model.parts import set_modes, train_only
from florenz.train.recipe import load_recipe
from florenz.train.settings.records import ValidationSettings
from florenz.train.step import Batch, take_step
from florenz.train.training import Training

GOAL = 0.95
RECIPE = Path(__file__).parents[1] / "configs" / "train.toml"
BUILD = "benchmark"
CAPTIONED, TRANSLATED = ("en", "de"), ("de", "fr", "es")
SAMPLES_PER_SHARD = 250


def make_sample(number: int) -> Sample:
    _, jpeg, scene = picture(0, number)
    captions = {style: state(scene, "en", style) for style in STYLES}
    examples = [
        Example(task="caption", language=language, style=style, text=state(scene, language, style))
        for language, style in itertools.product(CAPTIONED, STYLES)
    ]
    examples += [
        Example(
            task="translation", language=language, style=style, text=state(scene, language, style),
            source_language="en", source_text=captions[style],
        )
        for language, style in itertools.product(TRANSLATED, STYLES)
    ]  # fmt: skip
    return Sample(
        key=hashlib.sha256(jpeg).hexdigest()[:32],
        jpeg=jpeg,
        width=SIDE_PX,
        height=SIDE_PX,
        source=f"file:///scenes/{number}.jpg",
        captions=tuple(Caption(style=style, text=text) for style, text in captions.items()),
        examples=tuple(examples),
    )


def write_dataset(out: str, num_samples: int) -> None:
    samples = map(make_sample, range(num_samples))
    infos = [
        write_shard(
            itertools.islice(samples, SAMPLES_PER_SHARD), shard_path(out, BUILD, shard_name("train", n)), "train"
        )
        for n in range(-(-num_samples // SAMPLES_PER_SHARD))
    ]
    shards = tuple(info for info in infos if info)
    write_manifest(
        out,
        Manifest(
            build=BUILD, languages=TRANSLATED, held_out=("fr", "es"), shards=shards, counts=count_examples(shards),
            rejected={}, inputs={}, recipe={}, models={},
        ),
    )  # fmt: skip


class Bench:
    """A model in the middle of its vision stage, and the stream that it learns from."""

    def __init__(self, this: Training, num_workers: int) -> None:
        self.this = this
        self.stage = this.recipe.stages[-1]
        self.model, processor = building.load_model(this.recipe, this.manifest, None)
        train_only(self.model, self.stage.parts)
        set_modes(self.model)
        self.in_worker, self.here = (
            building.make_stream(replace(this, recipe=replace(this.recipe, workers=workers)), self.stage, processor)
            for workers in (num_workers, 0)
        )
        self.caches = fill_caches(this, self.stage, self.model, self.here, None)
        self.runner = building.prepare(self.model, this)
        self.optimizer = building.make_optimizer(self.model, this.recipe.optimizer)

    def steps_per_s(self, batches: Iterator[Batch], num_steps: int) -> float:
        self._step(next(batches))
        start = time.perf_counter()
        for _ in range(num_steps):
            self._step(next(batches))
        return num_steps / (time.perf_counter() - start)

    def _step(self, batch: Batch) -> None:
        cache = self.caches.training
        outcome = take_step(self.this, self.runner, self.optimizer, Position(), 1e-4, [batch], cache)
        outcome.loss.item()  # waits for the device


def main() -> None:
    parser = argparse.ArgumentParser(description="training from the stream against training from memory")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each of the two")
    parser.add_argument("--steps", type=int, default=20, help="steps in a turn")
    parser.add_argument("--samples", type=int, default=1000, help="scenes in the dataset")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as folder:
        write_dataset(folder, options.samples)
        recipe = load_recipe(str(RECIPE), {"DATA": folder, "OUT": f"{folder}/out"})
        recipe = replace(recipe, validation=ValidationSettings())  # there is nothing but a training split
        manifest, place = preflight.check(recipe)
        torch.set_num_threads(recipe.compute.cpu_threads or torch.get_num_threads())
        bench = Bench(Training(recipe=recipe, manifest=manifest, place=place, log=None, say=print), options.workers)
        streamed, remembered = [], []
        for turn in range(options.rounds):
            first = turn * (options.steps + 1)
            in_memory = list(itertools.islice(bench.here.batches(first), options.steps + 1))
            remembered.append(bench.steps_per_s(iter(in_memory), options.steps))
            streamed.append(bench.steps_per_s(bench.in_worker.batches(first), options.steps))
    ratio = statistics.median(stream / memory for stream, memory in zip(streamed, remembered, strict=True))
    print(f"in memory:   {statistics.median(remembered):.2f} steps/s of {bench.stage.batch_size} examples")
    print(f"from shards: {statistics.median(streamed):.2f} steps/s, {options.workers} workers")
    print(f"bench-train: {ratio:.2f} (goal {GOAL})")


if __name__ == "__main__":
    main()
