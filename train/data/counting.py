"""How many images of a split have a (task, language) pair: what the mix divides by.

The manifest counts texts. An image with a short and a detailed caption has two of them, and is one image to the mix,
which draws a pair once for each image. So some samples are read, and say how many images stand behind so many texts:
all of them in a small dataset, MAX_SAMPLES evenly spread over a few shards of a large one. There the number is an
estimate, of a ratio that hardly varies from image to image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from florenz.shards.manifest import Manifest
from florenz.shards.schema import Example
from florenz.train.data.mix import Mix

MAX_SAMPLES = 4096
MAX_SHARDS = 4  # of a large dataset: a shard in an object store is copied before it is read


def sampled(shard_samples: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(shard, index) of the samples that are read, as a function of the shards' sizes alone."""
    if sum(shard_samples) <= MAX_SAMPLES:
        yield from ((shard, index) for shard, number in enumerate(shard_samples) for index in range(number))
        return
    num_shards = min(MAX_SHARDS, len(shard_samples))
    shards = [place * len(shard_samples) // num_shards for place in range(num_shards)]
    for shard in shards:
        number = min(shard_samples[shard], MAX_SAMPLES // num_shards)
        yield from ((shard, place * shard_samples[shard] // number) for place in range(number))


def count_images(
    manifest: Manifest, split: str, mix: Mix, examples_of_images: Iterator[Sequence[Example]]
) -> dict[str, float]:
    """Pair -> images of the split that have it in the styles of the mix; examples_of_images: of the sampled ones."""
    texts: Counter[str] = Counter()
    images: Counter[str] = Counter()
    every_style = Mix(copy_english=mix.copy_english)
    for examples in examples_of_images:
        texts.update(_pair(one) for one in every_style.usable(examples))
        images.update({_pair(one) for one in mix.usable(examples)})
    # A pair so rare that no sampled image has it counts as one text an image.
    return {
        pair: number * images[pair] / texts[pair] if pair in texts else float(number)
        for pair, number in mix.counts(manifest, split).items()
    }


def _pair(example: Example) -> str:
    return f"{example.task}/{example.language}"
