"""What of a dataset is streamed: which samples, in which order, with which pictures."""

import itertools
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from florenz.shards.manifest import Manifest
from florenz.shards.schema import Example
from florenz.train.data.counting import count_images, sampled
from florenz.train.data.examples import manifest_with, read_examples
from florenz.train.data.micro_batches import Reading, Source
from florenz.train.data.mix import Mix
from florenz.train.data.order import SampleOrder
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError
from florenz.train.data.windows import Windows


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The same for each dataset of a stream, whose arguments these are (`stream.py`)."""

    split: str
    build: str
    seed: int
    mix: Mix
    max_images: int | None
    batch_size: int
    bucket_batches: int
    is_even: bool
    max_lanes: int
    image_px: int | None
    shuffle_pictures: bool
    name_pictures: bool

    def source(self, folder: str, cache: ShardCache, *, is_only: bool) -> Source:
        """Of the dataset in this folder. is_only: if not, the others may have the pairs of the mix that it lacks.

        `ValueError` (`ManifestError` is one): no dataset, no such split, a pair of the mix that the split lacks.
        """
        manifest = manifest_with(folder, self.split, self.build)
        order = SampleOrder(
            build=manifest.build,
            split=self.split,
            seed=self.seed,
            shard_samples=_first([shard.samples for shard in manifest.shards_of(self.split)], self.max_images),
            batch_size=self.batch_size,
            bucket_batches=self.bucket_batches,
            is_even=self.is_even,
            max_lanes=self.max_lanes,
        )
        files = ShardFiles(folder, manifest, self.split, cache)
        mix = self.mix if is_only else self.mix.of_those_in(manifest, self.split)
        num_images = _count(manifest, files, mix, order)
        reading = Reading(
            files=files,
            image_px=self.image_px,
            num_in_shards=order.shard_samples if self.shuffle_pictures else (),
            name_pictures=self.name_pictures and self.image_px is not None,
        )
        windows = Windows(files, order, mix, mix.pair_weights(manifest, self.split, num_images))
        return Source(order=order, windows=windows, reading=reading)


def _first(shard_samples: list[int], max_images: int | None) -> tuple[int, ...]:
    """How many samples of each shard are used; shards of which none is are left out."""
    if max_images is None:
        return tuple(shard_samples)
    ends = [min(end, max_images) for end in itertools.accumulate(shard_samples)]
    used = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return tuple(used[: sum(start < max_images for start in [0, *ends[:-1]])])


def _count(manifest: Manifest, files: ShardFiles, mix: Mix, order: SampleOrder) -> dict[str, float]:
    """How many images have each pair. A sample that can't be read is told when its turn comes, not here."""

    def examples_of_images() -> Iterator[tuple[Example, ...]]:
        for shard, index in sampled(order.shard_samples):
            with suppress(StreamError):
                yield read_examples(files, shard, index)

    with closing(files):  # workers open them anew
        return count_images(manifest, order.split, mix, examples_of_images())
