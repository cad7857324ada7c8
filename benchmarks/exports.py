"""Index, exports and report.html of a thousand images: `make bench-exports`.

1,000 pictures of about 60 KB, each with an English caption, five translations and one more caption in two styles, in
one shard. Prints seconds for each; the last line is the slowest of index and exports.
"""

from __future__ import annotations

import io
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from florenz.exports.formats.contract import ONE_TASK, format_names, load_format
from florenz.exports.index import write_index
from florenz.exports.run import export
from florenz.exports.selection import read_selection
from florenz.reports.page import write_page
from florenz.shards.manifest import Manifest, count_examples, shard_path, write_manifest
from florenz.shards.plan import shard_name
from florenz.shards.schema import Caption, Example, Sample
from florenz.shards.writer import write_shard

COUNT, SIDE_PX, BUILD = 1000, 320, "0" * 16
LANGUAGES = ("de", "fr", "es", "ru", "zh")
GOAL_S = 3.0


def sample(number: int, jpeg: bytes) -> Sample:
    styles = ("short", "detailed")
    english = {style: f"A red car with the number {number} stands near the river, {style}." for style in styles}
    examples = [
        Example(
            task="translation", language=language, style=style, text=f"{language} {english[style]}",
            source_language="en", source_text=english[style],
        )
        for language in LANGUAGES
        for style in styles
    ]  # fmt: skip
    examples += [
        Example(task="caption", language=language, style=style, text=f"{language} {english[style]}")
        for language in ("en", "de")
        for style in styles
    ]
    return Sample(
        key=f"{number:032x}", jpeg=jpeg, width=SIDE_PX, height=SIDE_PX, source=f"{number}.jpg",
        captions=tuple(Caption(style=style, text=text) for style, text in english.items()), examples=tuple(examples),
    )  # fmt: skip


def noise(seed: int) -> bytes:
    pixels = random.Random(seed).randbytes(3 * SIDE_PX * SIDE_PX)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (SIDE_PX, SIDE_PX), pixels).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


def write_dataset(out: str) -> Manifest:
    pictures = [noise(seed) for seed in range(16)]
    path = shard_path(out, BUILD, shard_name("train", 0))
    info = write_shard((sample(number, pictures[number % 16]) for number in range(COUNT)), path, "train")
    assert info is not None
    manifest = Manifest(
        build=BUILD, languages=LANGUAGES, held_out=LANGUAGES[1:], shards=(info,), counts=count_examples((info,)),
        rejected={}, inputs={}, recipe={}, models={},
    )  # fmt: skip
    write_manifest(out, manifest)
    return manifest


def timed(what: str, work: Callable[[], object]) -> float:
    started, started_cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(f"{what:<24} {seconds:6.2f} s, {cpu:6.2f} s of them computing")
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        manifest = write_dataset(out)
        slowest = timed("index", lambda: write_index(out, BUILD, manifest.shards))
        for name in format_names():
            kind = load_format(name)
            one_task = kind.TASKS == ONE_TASK
            selection = read_selection({"LANGS": "de"} if one_task else {}, manifest, one_task=one_task)
            to = os.path.join(folder, name)
            work = lambda: export(out, manifest, to, name, kind, selection)  # noqa: B023, E731
            slowest = max(slowest, timed(f"export {name}", work))
        timed("report.html", lambda: write_page(out))
        print(f"{'report.html':<24} {Path(out, 'report.html').stat().st_size / 1e6:6.2f} MB")
    print(f"bench-exports: {slowest:.2f} s per 1,000 images for the slowest of index and exports (goal {GOAL_S:.0f} s)")


if __name__ == "__main__":
    main()
