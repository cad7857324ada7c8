"""`make bench-playground`: makes the playground's dataset and counts, from the bytes of its shards, how much of it is
exactly right.

Reads the shards with nothing but tarfile and json, as a stranger would, and the truth from `scenes.parquet`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from florenz.playground.captions import STYLES
from florenz.playground.score import Score, score_image
from florenz.playground.world import read_truth

CAPTION_GOAL, TRANSLATION_GOAL = 0.95, 0.98


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="data/bench-playground")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--langs", default="de,fr,es,ru,zh")
    options = parser.parse_args()
    run = [sys.executable, "-m", "pipeline", "configs/playground.toml", f"OUT={options.out}", f"COUNT={options.count}"]
    subprocess.run([*run, f"SEED={options.seed}", f"LANGS={options.langs}"], check=True)
    subprocess.run([sys.executable, "-m", "florenz.shards.verify", options.out], check=True)

    out = Path(options.out)
    manifest = json.loads((out / "manifest.json").read_text())
    score, held_out_captions = score_dataset(out, manifest)
    print("\n".join(score.lines()))
    captions, translations = score.share("caption"), score.share("translation of a right caption")
    print(f"held-out captions in train and val: {held_out_captions} (goal 0); books: balanced, or nothing is published")
    print(
        f"bench-playground: {captions:.1%} of captions, {translations:.1%} of translations of right captions "
        f"(goal {CAPTION_GOAL:.0%}, {TRANSLATION_GOAL:.0%})"
    )
    return 0


def score_dataset(out: Path, manifest: dict[str, Any]) -> tuple[Score, int]:
    """The score over all pictures, written or not, and the number of caption examples in held-out languages."""
    samples: dict[str, dict[str, Any]] = {}
    held_out_captions = 0
    for shard in manifest["shards"]:
        if shard["split"] == "heldout":
            continue
        for sample in read_samples(out / shard["path"]):
            samples[Path(sample["source"]).name] = sample
            held_out_captions += sum(
                example["task"] == "caption" and example["language"] in manifest["held_out"]
                for example in sample["examples"]
            )
    score = Score()
    for name, scene in sorted(read_truth(str(out / "images")).items()):
        sample = samples.get(name, {"captions": [], "examples": []})
        translations = {
            (example["style"], example["language"]): (example["source_text"], example["text"])
            for example in sample["examples"]
            if example["task"] == "translation"
        }
        languages = tuple(manifest["languages"])
        captions = {caption["style"]: caption["text"] for caption in sample["captions"]}
        score_image(score, scene, captions, translations, styles=STYLES, languages=languages)
    return score, held_out_captions


def read_samples(path: Path) -> list[dict[str, Any]]:
    with tarfile.open(path) as tar:
        members = [member for member in tar if member.name.endswith(".json")]
        return [json.load(file) for member in members if (file := tar.extractfile(member)) is not None]


if __name__ == "__main__":
    sys.exit(main())
