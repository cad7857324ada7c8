"""`make bench-train-gpu`: how busy a training of the paper's sizes keeps one GPU, and what a key-value cache is worth.

Models have random weights, so nothing is downloaded; steps are those of configs/paper_SIZE.toml in bfloat16, of
`--micro-batches` micro-batches each, from shards that are read, decoded and tokenised by workers as in a training.
Pictures are noise of 640 x 480, texts some forty words in the playground's vocabulary, which stands in for Gemma's:
token ids are other ones, the 256,000 words of the head are there. Said are tokens/s, images/s, model-FLOPs utilisation
(operations that the model asks for, as a share of the GPU's dense bfloat16 peak: train/operations.py), the peak of its
memory, the share of time that is spent waiting for data, and new tokens/s of generation with cache and without, as the
paper's code generates. Needs a GPU of train/gpus.py and, for 3.5b, 80 GB.

    python -m benchmarks.train_gpu [SIZE=1.0b,3.5b]
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer

from florenz.console import fail, quiet_libraries
from florenz.recipes.sections import nearest
from florenz.shards.manifest import Manifest, count_examples, shard_path, write_manifest
from florenz.shards.plan import shard_name
from florenz.shards.schema import Caption, Example, Sample
from florenz.shards.writer import write_shard
from florenz.train import building
from florenz.train.checkpoint import Position
from florenz.train.data.processor import Processor, Settings
from florenz.train.distributed import Place, find_place
from florenz.train.gpus import peak_of_device
from florenz.train.model.family import SIZES
from florenz.train.model.florenz import Florenz
from florenz.train.model.sizes import config_of
from florenz.train.operations import operations_of
from florenz.train.recipe import Recipe, load_recipe
from florenz.train.speed import Rates, Speed, peak_memory
from florenz.train.step import arithmetic, take_step
from florenz.train.training import Training

GOAL, WAIT_GOAL, CACHE_GOAL = 0.40, 0.02, 3
BUILD = "benchmark"
CONFIGS = Path(__file__).parents[1] / "configs"
PAPER = ("0.4b", "1.0b", "3.5b", "11.2b")
NUM_PICTURES = 64  # different ones
NEW_TOKENS = 64
USAGE = "usage: python -m benchmarks.train_gpu [SIZE=1.0b,3.5b]"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is measured, and how long."""

    place: Place
    peak: float
    num_samples: int = 4096
    picture_px: tuple[int, int] = (640, 480)
    num_workers: int = 12
    num_micro_batches: int = 8
    num_warm: int = 3
    num_steps: int = 10
    batch_of_generation: int = 32
    new_tokens: int = NEW_TOKENS


@dataclass(frozen=True, kw_only=True)
class Found:
    """memory_gib: the peak of training. with_cache, without: new tokens/s."""

    rates: Rates
    memory_gib: float
    with_cache: float
    without: float


def write_dataset(out: str, run: Run) -> Manifest:
    """Noise, which is as hard to decode as a picture can be, and made-up words."""
    drawn = np.random.default_rng(0)
    jpegs = [_jpeg(drawn.integers(0, 256, (*run.picture_px[::-1], 3), dtype=np.uint8)) for _ in range(NUM_PICTURES)]
    samples = (_sample(number, jpegs[number % NUM_PICTURES], run.picture_px) for number in range(run.num_samples))
    infos = [
        write_shard(itertools.islice(samples, 256), shard_path(out, BUILD, shard_name("train", n)), "train")
        for n in range(-(-run.num_samples // 256))
    ]
    shards = tuple(info for info in infos if info)
    manifest = Manifest(
        build=BUILD, languages=("de", "fr"), held_out=("fr",), shards=shards, counts=count_examples(shards),
        rejected={}, inputs={}, recipe={}, models={},
    )  # fmt: skip
    write_manifest(out, manifest)
    return manifest


def _jpeg(pixels_HWC: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels_HWC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _sample(number: int, jpeg: bytes, size_px: tuple[int, int]) -> Sample:
    words = "a red circle stands left of the small green square and below it there is one blue star"
    english = " ".join([words] * (1 + number % 3))
    return Sample(
        key=hashlib.sha256(str(number).encode()).hexdigest()[:32], jpeg=jpeg, width=size_px[0], height=size_px[1],
        source=f"file:///noise/{number}.jpg", captions=(Caption(style="short", text=english),),
        examples=(
            Example(task="caption", language="en", style="short", text=english),
            Example(task="caption", language="de", style="short", text=english),
            Example(task="translation", language="fr", style="short", text=english, source_language="en",
                    source_text=english),
        ),
    )  # fmt: skip


def make_model(size: str, place: Place) -> Florenz:
    """With random weights, made where they stay."""
    torch.manual_seed(0)
    with torch.device(place.device):
        return Florenz(config_of(size)).train()


def processor_of(size: str) -> Processor:
    playground, wanted = SIZES["playground"], SIZES[size]
    return Processor(
        encoder_tokenizer=AutoTokenizer.from_pretrained(playground.florence),
        decoder_tokenizer=AutoTokenizer.from_pretrained(playground.tokenizer),
        settings=Settings(
            image_px=wanted.image_px,
            prefix="words",
            max_prompt_tokens=wanted.max_prompt_tokens,
            max_text_tokens=wanted.max_text_tokens,
        ),
    )


def recipe_of(size: str, folder: str, run: Run) -> Recipe:
    """The paper's, over the dataset in `folder`, in steps of a few micro-batches."""
    path = CONFIGS / (f"paper_{size}.toml" if size in PAPER else "paper_0.4b.toml")
    recipe = load_recipe(str(path), {"SIZE": size, "DATA": folder, "OUT": f"{folder}/out"})
    (stage,) = recipe.stages
    is_gpu = run.place.device.type == "cuda"
    micro = stage.size_of_micro_batch if is_gpu else 4
    on_cpu = replace(recipe.compute, precision="float32", frozen_weights="float32")
    compute = recipe.compute if is_gpu else on_cpu
    stage = replace(stage, mix={}, batch_size=micro * run.num_micro_batches, micro_batch_size=micro)
    return replace(recipe, stages=(stage,), workers=run.num_workers, compute=compute)


def measure_training(model: Florenz, size: str, run: Run) -> tuple[Rates, float]:
    """(rates, peak memory in GiB) of steps as a training takes them."""
    place = run.place
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as folder:
        manifest = write_dataset(folder, run)
        recipe = recipe_of(size, folder, run)
        (stage,) = recipe.stages
        processor = processor_of(size)
        this = Training(recipe=recipe, manifest=manifest, place=place, log=None, say=print)
        building.as_trained(model, this, stage, processor.image_px)
        operations = operations_of(model, processor.image_px)
        runner = building.prepare(model, this)
        optimizer = building.make_optimizer(model, recipe.optimizer)
        position, speed = Position(), Speed(place, run.peak)
        with contextlib.closing(building.make_stream(this, stage, processor).batches()) as batches:
            for step in range(run.num_warm + run.num_steps):
                if step == run.num_warm:
                    synchronize(place)
                    speed = Speed(place, run.peak)
                with speed.waiting():
                    taken = list(itertools.islice(batches, stage.num_micro_batches))
                speed.add(take_step(this, runner, optimizer, position, 1e-5, taken, operations=operations))
                position = position.next(stage.num_micro_batches)
            synchronize(place)
            return speed.rates(), peak_memory(place)


def measure_generation(model: Florenz, size: str, run: Run, *, use_cache: bool) -> float:
    """New tokens/s, all of the same length."""
    model.eval()
    place, image_px = run.place, SIZES[size].image_px
    question = {
        "input_ids": torch.randint(5, 500, (run.batch_of_generation, 24), device=place.device),
        "attention_mask": torch.ones(run.batch_of_generation, 24, dtype=torch.long, device=place.device),
        "pixel_values": torch.randint(
            0, 256, (run.batch_of_generation, 3, image_px, image_px), dtype=torch.uint8, device=place.device
        ),
    }
    lengths = {"min_new_tokens": run.new_tokens, "max_new_tokens": run.new_tokens}
    seconds = 0.0
    for is_counted in (False, True):
        synchronize(place)
        since = time.perf_counter()
        with torch.inference_mode(), arithmetic(place, is_bfloat16=place.device.type == "cuda"):
            model.generate(**question, **lengths, do_sample=False, use_cache=use_cache)
        synchronize(place)
        seconds += (time.perf_counter() - since) * is_counted
    return run.batch_of_generation * run.new_tokens / seconds


def measure(size: str, run: Run) -> Found:
    model = make_model(size, run.place)
    rates, memory_gib = measure_training(model, size, run)
    with_cache, without = (measure_generation(model, size, run, use_cache=use) for use in (True, False))
    return Found(rates=rates, memory_gib=memory_gib, with_cache=with_cache, without=without)


def synchronize(place: Place) -> None:
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)


def lines_of(size: str, found: Found) -> Iterator[str]:
    rates = found.rates
    yield f"{size}: {rates.tokens_per_s:,.0f} tokens/s, {rates.images_per_s:,.1f} images/s"
    yield f"  {rates.tflops_per_s:,.1f} TFLOP/s, {rates.utilisation:.1%} of the peak (goal {GOAL:.0%} or more)"
    yield f"  peak memory {found.memory_gib:.1f} GiB; data wait {rates.data_wait:.1%} (goal below {WAIT_GOAL:.0%})"
    ratio = found.with_cache / found.without
    yield (
        f"  generation: {found.with_cache:,.0f} new tokens/s with cache, {found.without:,.0f} without: {ratio:.1f} "
        f"times (goal {CACHE_GOAL})"
    )


def main(arguments: Sequence[str]) -> int:
    variables = dict(word.partition("=")[::2] for word in arguments)
    sizes = [size.strip() for size in (variables.pop("SIZE", "") or "1.0b,3.5b").split(",")]
    if variables:
        return fail(
            f"unknown variable {next(iter(variables))}: usage: python -m benchmarks.train_gpu [SIZE=1.0b,3.5b]", 2
        )
    if unknown := [size for size in sizes if size not in PAPER]:
        return fail(f"SIZE is '{unknown[0]}': {nearest(unknown[0], PAPER)}", 2)
    place = find_place("auto")
    if place.device.type != "cuda":
        return fail("no GPU that torch can use: this benchmark needs one", 2)
    if (peak := peak_of_device(place.device)) is None:
        name = torch.cuda.get_device_name(place.device)
        return fail(f"the peak of a {name} is not known: add its data sheet's figure to train/gpus.py", 2)
    quiet_libraries()
    utilisations = []
    for size in sizes:
        found = measure(size, Run(place=place, peak=peak))
        print("\n".join(lines_of(size, found)), flush=True)
        utilisations.append(found.rates.utilisation or 0.0)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(place.device)
    print(f"bench-train-gpu: {min(utilisations):.2f} utilisation, the lowest of {', '.join(sizes)} (goal {GOAL:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
