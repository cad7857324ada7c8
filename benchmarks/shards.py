"""How fast shards are written: `write_shard` against webdataset's `ShardWriter`, on the same samples.

Both get samples of a 63 KB image, a JSON and a caption, and write one tar of them. `write_shard` also counts, hashes
every byte and waits until the file is on the disk; `ShardWriter` does none of that. The two take turns, so that
whatever else the machine does hits both, and the median of the ratios is reported.

    python -m benchmarks.shards
"""

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import webdataset

from florenz.shards.schema import SCHEMA_VERSION, Caption, Example, Sample
from florenz.shards.writer import write_shard

GOAL = 1.5
IMAGE_BYTES = 63_000
ENGLISH = "A red car stands beside a blue house near the river."
TEXTS = {
    "de": "Ein rotes Auto steht neben einem blauen Haus am Fluss.",
    "fr": "Une voiture rouge est garée à côté d'une maison bleue près de la rivière.",
    "es": "Un coche rojo está junto a una casa azul cerca del río.",
    "ru": "Красная машина стоит рядом с синим домом у реки.",
    "zh": "一辆红色的汽车停在河边的蓝色房子旁边。",
}


def make_sample(number: int) -> Sample:
    key = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    captions = tuple(
        Example(task="caption", language=language, style="short", text=text)
        for language, text in {"en": ENGLISH, "de": TEXTS["de"]}.items()
    )
    translations = tuple(
        Example(
            task="translation", language=language, style="short", text=text, source_language="en", source_text=ENGLISH
        )
        for language, text in TEXTS.items()
    )
    return Sample(
        key=key,
        jpeg=os.urandom(IMAGE_BYTES),
        width=640,
        height=480,
        source=f"file:///images/{key}.jpg",
        captions=(Caption(style="short", text=ENGLISH),),
        examples=captions + translations,
    )


def as_webdataset(sample: Sample) -> dict[str, Any]:
    """The same sample as webdataset likes it: an object that its writer turns into JSON itself."""
    record = {
        "schema_version": SCHEMA_VERSION,
        "key": sample.key,
        "width": sample.width,
        "height": sample.height,
        "source": sample.source,
        "licence": sample.licence,
        "url": sample.url,
        "notes": sample.notes,
        "captions": [asdict(caption) for caption in sample.captions],
        "examples": [asdict(example) for example in sample.examples],
    }
    return {"__key__": sample.key, "jpg": sample.jpeg, "json": record, "txt": sample.text}


def write_with_webdataset(rows: list[dict[str, Any]], folder: str) -> None:
    with webdataset.ShardWriter(os.path.join(folder, "theirs-%06d.tar"), maxcount=len(rows), verbose=0) as writer:
        for row in rows:
            writer.write(row)


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="write_shard against webdataset.ShardWriter")
    parser.add_argument("--samples", type=int, default=1000, help="samples in one shard (63 KB each)")
    parser.add_argument("--rounds", type=int, default=9, help="shards that each of the two writes")
    options = parser.parse_args()
    samples = [make_sample(number) for number in range(options.samples)]
    rows = [as_webdataset(sample) for sample in samples]
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            theirs.append(seconds(lambda: write_with_webdataset(rows, folder)))
            ours.append(seconds(lambda: write_shard(samples, os.path.join(folder, "ours.tar"), "train")))
    ratio = statistics.median(slow / fast for slow, fast in zip(theirs, ours, strict=True))
    print(f"webdataset.ShardWriter: {options.samples / statistics.median(theirs):,.0f} samples/s")
    print(f"write_shard:            {options.samples / statistics.median(ours):,.0f} samples/s")
    print(f"bench-shards: {ratio:.2f} (goal {GOAL})")


if __name__ == "__main__":
    main()
