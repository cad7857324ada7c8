"""How fast samples come out of the shards: `train.stream` against the plain webdataset pipeline.

Both read the same shards of 640 x 480 JPEGs in worker processes and give batches of 224 px pictures as bytes. The plain
pipeline is what a webdataset tutorial would have: decode("pil"), resize, to tensor, stacked by the DataLoader; it keeps
the order of the shards. Ours also shuffles, chooses examples and sorts by length. The time is that of a whole pass with
the start of the workers; the two take turns, so that whatever else the machine does hits both, and the median of the
ratios is reported.

The pictures are photographs from ../shared/data/photos where that folder exists, else noise and shapes, which JPEG
takes about the same time to decode.

    python -m benchmarks.stream
"""

import argparse
import hashlib
import io
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from torch.utils.data import DataLoader

from benchmarks.shards import ENGLISH, TEXTS
from florenz.shards.manifest import Manifest, count_examples, shard_path, write_manifest
from florenz.shards.plan import shard_name
from florenz.shards.schema import Caption, Example, Sample
from florenz.shards.writer import write_shard
from florenz.train.data.stream import Batch, Stream, TrainingExample

GOAL = 2
BUILD = "benchmark"
SIZE_PX = (640, 480)
IMAGE_PX = 224
BATCH_SIZE = 32
NUM_SHARDS = 4
PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


def photographs() -> Iterator[Image.Image]:
    """Without end: each photograph, then each mirrored, and so on."""
    for is_mirrored in itertools.cycle((False, True)):
        for path in sorted(PHOTOS.glob("*.jpg")):
            with Image.open(path) as photo:
                picture = ImageOps.fit(photo.convert("RGB"), SIZE_PX)
            yield ImageOps.mirror(picture) if is_mirrored else picture


def drawings() -> Iterator[Image.Image]:
    """Without end: shapes on noise that is blurred, so that it has the frequencies of a photograph."""
    width, height = SIZE_PX
    for number in itertools.count():
        numbers = np.random.default_rng(number)
        noise = Image.fromarray(numbers.integers(0, 256, (height, width, 3), dtype=np.uint8))
        picture = noise.filter(ImageFilter.GaussianBlur(0.9))
        pen = ImageDraw.Draw(picture)
        for _ in range(12):
            x, y, side = (int(value) for value in numbers.integers(0, height, 3))
            pen.ellipse((x, y, x + side, y + side), fill=tuple(int(value) for value in numbers.integers(0, 256, 3)))
        yield picture


def make_samples(num_samples: int) -> Iterator[Sample]:
    pictures = photographs() if PHOTOS.is_dir() else drawings()
    captions = [
        Example(task="caption", language=language, style="short", text=text)
        for language, text in {"en": ENGLISH, "de": TEXTS["de"]}.items()
    ]
    translations = [
        Example(
            task="translation", language=language, style="short", text=text, source_language="en", source_text=ENGLISH
        )
        for language, text in TEXTS.items()
    ]
    for number, picture in zip(range(num_samples), pictures, strict=False):
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG", quality=85)
        yield Sample(
            key=hashlib.sha256(str(number).encode()).hexdigest()[:32],
            jpeg=jpeg.getvalue(),
            width=picture.width,
            height=picture.height,
            source=f"file:///images/{number}.jpg",
            captions=(Caption(style="short", text=ENGLISH),),
            examples=(*captions, *translations),
        )


def write_dataset(out: str, num_samples: int) -> list[str]:
    """The paths of the shards."""
    samples = make_samples(num_samples)
    paths = [shard_path(out, BUILD, shard_name("train", number)) for number in range(NUM_SHARDS)]
    infos = [write_shard(itertools.islice(samples, num_samples // NUM_SHARDS), path, "train") for path in paths]
    shards = tuple(info for info in infos if info)
    manifest = Manifest(
        build=BUILD,
        languages=tuple(TEXTS),
        held_out=(),
        shards=shards,
        counts=count_examples(shards),
        rejected={},
        inputs={},
        recipe={},
        models={},
    )
    write_manifest(out, manifest)
    return paths


def to_tensor(row: dict[str, Any]) -> torch.Tensor:
    resized = row["jpg"].resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()


def read_with_webdataset(paths: list[str], num_workers: int) -> int:
    dataset = webdataset.WebDataset(paths, shardshuffle=False).decode("pil").map(to_tensor)
    return sum(len(pictures) for pictures in DataLoader(dataset, batch_size=BATCH_SIZE, num_workers=num_workers))


def collate(examples: list[TrainingExample]) -> Batch:
    return {"pixel_values": torch.stack([one.picture_CHW for one in examples if one.picture_CHW is not None])}


def read_with_stream(out: str, num_workers: int) -> int:
    stream = Stream(out, batch_size=BATCH_SIZE, seed=0, collate=collate, image_px=IMAGE_PX, num_workers=num_workers)
    batches = itertools.islice(stream.batches(), stream.batches_per_epoch)
    return sum(len(batch["pixel_values"]) for batch in batches)


def samples_per_s(read: Callable[[], int], num_samples: int) -> float:
    start = time.perf_counter()
    num_read = read()
    elapsed = time.perf_counter() - start
    assert num_read == num_samples, (num_read, num_samples)
    return num_read / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description="train.stream against the plain webdataset pipeline")
    parser.add_argument("--samples", type=int, default=1000, help=f"640 x 480 JPEGs, a multiple of {NUM_SHARDS}")
    parser.add_argument("--rounds", type=int, default=5, help="passes that each of the two makes, after one to warm up")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="worker processes, of both")
    options = parser.parse_args()
    num_samples = options.samples // NUM_SHARDS * NUM_SHARDS
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as out:
        paths = write_dataset(out, num_samples)
        for _ in range(options.rounds + 1):
            theirs.append(samples_per_s(lambda: read_with_webdataset(paths, options.workers), num_samples))
            ours.append(samples_per_s(lambda: read_with_stream(out, options.workers), num_samples))
    ratio = statistics.median(fast / slow for fast, slow in zip(ours[1:], theirs[1:], strict=True))
    print(f"plain webdataset: {statistics.median(theirs[1:]):,.0f} samples/s with {options.workers} workers")
    print(f"train.stream:     {statistics.median(ours[1:]):,.0f} samples/s with {options.workers} workers")
    print(f"bench-stream: {ratio:.2f} (goal {GOAL})")


if __name__ == "__main__":
    main()
