"""report.html and REPORT.md of a build of a million images: `make bench-report`; another number as an argument.

Index and reject files are written as a run would leave them: 1,000 images a shard, 14 texts each, one reject an image.
The tars behind them are one tar under many names, since a page opens a few pictures alone. The last line is the page's
time and size.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.exports import BUILD, COUNT, LANGUAGES, noise, sample
from florenz.exports.index import SCHEMA, index_files, num_positions, rows_of_shard
from florenz.pipeline.assemble.books import Tally
from florenz.pipeline.report import write_report_again
from florenz.reports.page import write_page
from florenz.shards.manifest import Manifest, count_examples, read_manifest, shard_path, write_manifest
from florenz.shards.plan import shard_name
from florenz.shards.writer import ShardInfo, write_shard

GOAL_S, GOAL_MB = 5.0, 5.0
REASONS = ("wrong_language", "copied", "truncated", "repetition", "length")


def write_build(out: str, num_shards: int) -> None:
    first = shard_path(out, BUILD, shard_name("train", 0))
    pictures = [noise(seed) for seed in range(16)]
    info = write_shard((sample(number, pictures[number % 16]) for number in range(COUNT)), first, "train")
    assert info is not None
    names = [shard_name("train", number) for number in range(num_shards)]
    shards = tuple(replace(info, path=name) for name in names)
    for shard in shards[1:]:
        os.link(first, shard_path(out, BUILD, shard.path))
    table = pa.Table.from_pylist(list(rows_of_shard(out, BUILD, info)), schema=SCHEMA)
    for number, file in enumerate(index_files(out, BUILD, shards)):
        _write_index(file.path, table, number, shard_path("", BUILD, file.shard.path))
    _write_rejects(os.path.join(out, "rejects", f"{BUILD}.parquet"), num_shards)
    _write_manifest(out, shards)


def _key(number: int, shard: int) -> str:
    return hashlib.sha256(f"{shard} {number}".encode()).hexdigest()[:32]


def _write_index(path: str, table: pa.Table, shard: int, name: str) -> None:
    per_image = table.num_rows // COUNT
    keys = pa.array([_key(number, shard) for number in range(COUNT) for _ in range(per_image)])
    for column, values in (("key", keys), ("image", keys), ("shard", pa.array([name] * table.num_rows))):
        table = table.set_column(table.column_names.index(column), column, values)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def _write_rejects(path: str, num_shards: int) -> None:
    names = ("key", "step", "language", "style", "reason", "detail", "text", "source")
    schema = pa.schema([(name, pa.string()) for name in names])
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for shard in range(num_shards):
            rows = [
                {
                    "key": _key(number, shard), "step": "filter", "language": LANGUAGES[number % 5], "style": "short",
                    "reason": REASONS[number % 5], "detail": f"p = 0.{number}", "text": f"Ein rotes Auto {number}.",
                    "source": f"{number}.jpg",
                }
                for number in range(COUNT)
            ]  # fmt: skip
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _write_manifest(out: str, shards: tuple[ShardInfo, ...]) -> None:
    manifest = Manifest(
        build=BUILD, languages=LANGUAGES, held_out=LANGUAGES[1:], shards=shards, counts=count_examples(shards),
        rejected={}, inputs={}, recipe={}, models={},
    )  # fmt: skip
    write_manifest(out, manifest)
    record = {"build": BUILD, "books": [], "asked": {}, "seconds": {}, "timeline": []}
    Path(out, "report.json").write_text(json.dumps(record))


def main() -> None:
    num_images = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        write_build(out, num_images // COUNT)
        print(f"a build of {num_images:,} images, {time.perf_counter() - started:.0f} s", flush=True)
        started = time.perf_counter()
        positions = num_positions(out, BUILD, read_manifest(out).shards)
        print(f"positions of all pictures  {time.perf_counter() - started:6.2f} s ({positions})", flush=True)
        started = time.perf_counter()
        write_report_again(out, read_manifest(out), Tally())
        print(f"report.json, REPORT.md     {time.perf_counter() - started:6.2f} s", flush=True)
        started, cpu = time.perf_counter(), time.process_time()
        page = write_page(out)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(f"report.html                {seconds:6.2f} s, {cpu:.2f} s of them computing")
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
        size = Path(page).stat().st_size / 1e6
    print(
        f"bench-report: {seconds:.1f} s, {size:.1f} MB at {num_images:,} images (goal {GOAL_S:.0f} s, {GOAL_MB:.0f} MB)"
    )


if __name__ == "__main__":
    main()
