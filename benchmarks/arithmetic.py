"""`python -m benchmarks.arithmetic`: what N images cost in an object store and in GPU hours, step by step.

Nothing is run. Counts follow from the code (how many images a range, a shard, a batch holds), bytes were measured or
are given; prices are list prices of one region. docs/scale.md holds the table and says where each number comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from florenz.pipeline.listing import IMAGES_OF_A_TAR
from florenz.pipeline.ranges import digits_for
from florenz.stores.range_reader import LARGE_BYTES

SIZES = (10**7, 10**9, 10**11)
LANGUAGES, STYLES = 5, 1
IMAGE_BYTES = 63_000  # as in docs/architecture.md and the benchmarks of shards
IMAGES_PER_TAR = 10_000
LEDGER_ROW_BYTES = 60  # a row of a merged part, zstd: 34 to 60 bytes were seen, of short sentences
INDEX_ROW_BYTES, TEXTS_BYTES, SHUFFLED_BYTES = 60, 700, 195
BATCH, PROMPTS, MERGED_FROM = 64, 64, 65  # images of a captioner's batch; prompts of a request; parts before a merge
CPU_MS = 5.0  # of one core for an image through all steps but the models: make bench-ledger, 2026-11-21
CAPTIONS_PER_S, TRANSLATIONS_PER_S = 30.0, 60.0  # of one GPU, assumed: no GPU was measured in this project
BYTES_OF_A_RANGE, BYTES_OF_A_SHARD = 2_000, 700  # in the launcher: a line and names of parts; a line of the manifest
PUT, GET, GB_MONTH = 5e-6, 0.4e-6, 0.020  # dollars: Cloud Storage, standard, us-east1
GPU_HOUR, CORE_HOUR = 0.70, 0.05  # dollars, assumed: one L4 with its machine's share; one core with memory


@dataclass(frozen=True)
class Step:
    name: str
    puts: float = 0.0
    gets: float = 0.0
    written: float = 0.0
    objects: float = 0.0
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0

    @property
    def dollars(self) -> float:
        return self.puts * PUT + self.gets * GET + self.cpu_hours * CORE_HOUR + self.gpu_hours * GPU_HOUR


def images_per_shard(number: int) -> int:
    """As it should be set: 1,000 by default, more where names of shards would become a burden."""
    return 1_000 if number <= 10**7 else 10_000


def steps(number: int) -> Iterator[Step]:
    ranges, tars = 16 ** digits_for(number), number / IMAGES_PER_TAR
    groups = min(tars, 16 ** digits_for(int(tars * IMAGES_OF_A_TAR)))
    shards = number / images_per_shard(number)
    answers = number * STYLES
    cpu = number * CPU_MS / 1e3 / 3600
    windows = number * IMAGE_BYTES / LARGE_BYTES  # of a walk over a tar's headers
    yield Step(
        "read", puts=ranges + groups, gets=number + windows + groups, written=number * 2 * INDEX_ROW_BYTES,
        objects=ranges + groups, cpu_hours=cpu * 0.05,
    )  # fmt: skip
    batches = number / BATCH + ranges
    yield Step(
        "caption", puts=batches + batches / MERGED_FROM, gets=number + batches, written=answers * LEDGER_ROW_BYTES,
        objects=ranges, cpu_hours=cpu * 0.1, gpu_hours=answers / CAPTIONS_PER_S / 3600,
    )  # fmt: skip
    requests = answers * LANGUAGES / PROMPTS + ranges * LANGUAGES
    yield Step(
        "translate", puts=requests + requests / MERGED_FROM, gets=requests + ranges * 2,
        written=answers * LANGUAGES * LEDGER_ROW_BYTES, objects=ranges * LANGUAGES, cpu_hours=cpu * 0.15,
        gpu_hours=answers * LANGUAGES / TRANSLATIONS_PER_S / 3600,
    )  # fmt: skip
    texts = min(number, shards * min(ranges, images_per_shard(number)))
    yield Step(
        "assemble", puts=3 * ranges + shards * (1 + math.ceil(images_per_shard(number) * IMAGE_BYTES / 5e6 / 10)),
        gets=number + texts + ranges * (LANGUAGES + 3), written=number * (IMAGE_BYTES + TEXTS_BYTES), objects=shards,
        cpu_hours=cpu * 0.7,
    )  # fmt: skip


def main() -> None:
    for number in SIZES:
        ranges, shards = 16 ** digits_for(number), number // images_per_shard(number)
        print(f"{number:,} images: {ranges:,} ranges, {shards:,} shards of {images_per_shard(number):,}")
        print("             PUTs      GETs      written   objects  core h     GPU h     money")
        for step in steps(number):
            requests = f"{step.puts:7.1e}   {step.gets:7.1e} {step.written / 1e9:9,.0f} GB   {step.objects:7.1e}"
            print(f"{step.name:9} {requests} {step.cpu_hours:7,.0f} {step.gpu_hours:9,.0f} {step.dollars:9,.0f} $")
        kept = number * (IMAGE_BYTES + LEDGER_ROW_BYTES * STYLES * (1 + LANGUAGES) + 2 * INDEX_ROW_BYTES)
        print(
            f"kept      {kept / 1e12:,.1f} TB, {kept / 1e9 * GB_MONTH:,.0f} $ a month; shuffled "
            f"{number * SHUFFLED_BYTES / 1e9:,.0f} GB; the launcher's lines: ranges "
            f"{ranges * BYTES_OF_A_RANGE / 2**20:,.0f} MiB, shards {shards * BYTES_OF_A_SHARD / 2**20:,.0f} MiB\n"
        )


if __name__ == "__main__":
    main()
