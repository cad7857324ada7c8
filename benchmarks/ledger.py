"""`make bench-ledger`: what the two promises cost, the ledger and everything that is worked out again from it.

- the ledger's share of the time of a real run (the default dataset, both models at work);
- an unchanged rerun of 10,000 images: questions asked, seconds;
- the cost per image of 1,000, 10,000 and 100,000 images, and the peak memory of each. Captioner and translator are
  stand-ins that answer at once, so that the pipeline itself is measured: reading, decoding, both graphs, ledger,
  filters, shards. The images are small JPEGs in tars.

Each run has a process of its own; its start (imports) is not counted in the cost per image, and is in the rerun's time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.stand_in_server import stand_in_process

SHARE_GOAL, RERUN_GOAL_S, GROWTH_GOAL = 0.03, 15, 1.2
SMALL, MIDDLE, LARGE = 1_000, 10_000, 100_000
IMAGES_PER_TAR = 1_000

RECIPE = """
languages = {languages}
out = "{out}"
workers = {workers}
[images]
source = "{images}"
[captioner]
model = "playground/models/captioner"
styles = ["short"]
cpu_threads = 1
[translator]
model = "playground/models/translator"
prompt = "playground"
endpoint = "{endpoint}"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=LARGE, help="images of the largest run")
    parser.add_argument("--one", nargs=2, metavar=("RECIPE", "KIND"), help="one run, in this process; prints JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(*options.one)))
        return 0
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as name, stand_in_process() as endpoint:
        folder = Path(name)
        share = ledger_share(folder)
        rerun = {"seconds": 0.0, "asked": 0}
        runs: dict[int, dict[str, Any]] = {}
        for number in (SMALL, MIDDLE, options.large):
            recipe = prepare(folder / str(number), number, endpoint)
            runs[number] = in_own_process(recipe, "instant")
            print(f"{number:,} images: {describe(number, runs[number])}", flush=True)
            if number == MIDDLE:
                rerun = rerun_of(recipe)
                print(f"{number:,} images, unchanged rerun: {rerun['seconds']:.1f} s, {rerun['asked']} questions asked")
    growth = cost(options.large, runs) / cost(SMALL, runs)
    print(f"cost per image, {options.large:,} against {MIDDLE:,}: {cost(options.large, runs) / cost(MIDDLE, runs):.2f}")
    print(
        f"bench-ledger: {share:.1%} of a run, rerun {rerun['asked']} questions in {rerun['seconds']:.1f} s, "
        f"cost per image x {growth:.2f} (goal {SHARE_GOAL:.0%}, 0 in {RERUN_GOAL_S} s, x {GROWTH_GOAL})"
    )
    return 0


def ledger_share(folder: Path) -> float:
    """Of the default dataset's time, in the run that asks everything."""
    recipe = folder / "default.toml"
    recipe.write_text(Path("configs/playground.toml").read_text().replace("data/playground", str(folder / "default")))
    facts = in_own_process(recipe, "real")
    share: float = facts["ledger_seconds"] / facts["seconds"]
    print(f"ledger, of the default dataset: {facts['ledger_seconds']:.2f} s of {facts['seconds']:.1f} s", flush=True)
    return share


def prepare(folder: Path, num_images: int, endpoint: str) -> Path:
    """Tars of images, and the recipe that reads them."""
    images = folder / "images"
    images.mkdir(parents=True)
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert("RGB").save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    for start in range(0, num_images, IMAGES_PER_TAR):
        with tarfile.open(images / f"{start:06d}.tar", "w") as tar:
            for number in range(start, min(start + IMAGES_PER_TAR, num_images)):
                content = with_comment(jpeg, str(number).encode())
                member = tarfile.TarInfo(f"{number:09d}.jpg")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    recipe = folder / "recipe.toml"
    languages = '["de", "fr", "es"]'
    recipe.write_text(
        RECIPE.format(languages=languages, workers=1, out=folder / "out", images=images, endpoint=endpoint)
    )
    return recipe


def with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """The same picture under another key: a comment segment after the start of the image."""
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def in_own_process(recipe: Path, kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ledger", "--one", str(recipe), kind]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    facts: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return facts


def rerun_of(recipe: Path) -> dict[str, Any]:
    """Seconds of the whole command, imports included, as a user waits for it."""
    started = time.monotonic()
    facts = in_own_process(recipe, "real")
    return {"seconds": time.monotonic() - started, "asked": facts["asked"]}


def one_run(recipe_path: str, kind: str) -> dict[str, Any]:
    from florenz.pipeline.__main__ import quiet_libraries
    from florenz.pipeline.recipe import load_recipe
    from florenz.pipeline.run import run

    quiet_libraries()
    recipe = load_recipe(recipe_path)
    if kind == "instant":
        stand_in_for_the_captioner()
    with time_in_ledger() as ledger_seconds:
        started = time.monotonic()
        facts = run(recipe, say=lambda text: None)
        seconds = time.monotonic() - started
    return {
        "seconds": seconds,
        "steps": dict(facts.seconds),
        "ledger_seconds": sum(ledger_seconds),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "asked": sum(facts.asked.values()),
        "samples": sum(shard.samples for shard in facts.manifest.shards if shard.split != "heldout"),
    }


@contextlib.contextmanager
def time_in_ledger() -> Iterator[list[float]]:
    """Collects the seconds of every call of the ledger; the graphs run in threads of this process."""
    from florenz.pipeline.answers.ledger import Ledger

    spent: list[float] = []

    def timed(method: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.monotonic()
            try:
                return method(*arguments, **options)
            finally:
                spent.append(time.monotonic() - started)

        return call

    names = ("append_captions", "append_translations", "read_captions", "read_translations", "compact")
    originals = {name: getattr(Ledger, name) for name in names}
    for name, method in originals.items():
        setattr(Ledger, name, timed(method))
    try:
        yield spent
    finally:
        for name, method in originals.items():
            setattr(Ledger, name, method)


def stand_in_for_the_captioner() -> None:
    """A captioner that answers at once; pictures are decoded as ever."""
    from florenz.captioners import florence2
    from florenz.captioners.contract import Answer

    sentences = (
        "A cat is sitting on the grass and sleeps.",
        "Two red cars stand before the old house.",
        "A small dog runs along the river at night.",
    )

    class InstantCaptioner:
        def prepare(self, picture: Image.Image) -> str:
            return sentences[hashlib.sha256(picture.tobytes()).digest()[0] % len(sentences)]

        def caption(self, prepared: Sequence[str], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
            return [
                {style: Answer(text=text, finish_reason="stop") for style in wanted}
                for text, wanted in zip(prepared, styles, strict=True)
            ]

    florence2.load = lambda settings: InstantCaptioner()


def cost(num_images: int, runs: dict[int, dict[str, Any]]) -> float:
    seconds: float = runs[num_images]["seconds"]
    return seconds / num_images


def describe(num_images: int, facts: dict[str, Any]) -> str:
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in facts["steps"].items())
    return (
        f"{facts['seconds']:.1f} s ({steps}), {1e3 * facts['seconds'] / num_images:.2f} ms per image, "
        f"peak {facts['peak_gib']:.2f} GiB, {facts['samples']:,} samples"
    )


if __name__ == "__main__":
    sys.exit(main())
