"""The dataset card of a build: `README.md` as the Hugging Face Hub reads it, from manifest and index alone.

Its YAML names two configurations: `default` (train, choose, validation) and `heldout`, so that whoever loads the
dataset gets nothing that is withheld unless they ask for it. No text of a sample stands on it.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from florenz.exports.index import index_files, num_positions, read_file
from florenz.exports.licences import count_licences, hub_word
from florenz.exports.markdown import cell, table
from florenz.languages.codes import SOURCE, name_of
from florenz.shards.manifest import Manifest
from florenz.shards.plan import HELDOUT, SPLITS
from florenz.shards.schema import TASKS

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))  # fmt: skip
SPLIT_NAMES = {"val": "validation"}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the index says of a build. makers: (language, who made its texts) -> number of texts."""

    licences: Mapping[str, int]
    makers: Mapping[tuple[str, str], int]
    positions: int


def facts_of(out: str, manifest: Manifest) -> Facts:
    makers: Counter[tuple[str, str]] = Counter()
    for file in index_files(out, manifest.build, manifest.shards):
        table_ = read_file(file, ["language", "made_by"])
        for row in table_.group_by(["language", "made_by"]).aggregate([([], "count_all")]).to_pylist():
            makers[row["language"], row["made_by"]] += row["count_all"]
    return Facts(
        licences=count_licences(out, manifest.build, manifest.shards),
        makers=makers,
        positions=num_positions(out, manifest.build, manifest.shards),
    )


def card(manifest: Manifest, facts: Facts, *, repo: str) -> str:
    name = repo.rpartition("/")[2]
    parts = [
        f"---\n{_yaml(manifest, facts, name)}---",
        f"# {html.escape(name)}",
        _about(manifest),
        _loading(manifest, repo),
        "## Coverage",
        _coverage(manifest),
        "## Who made the texts",
        _made_by(manifest, facts),
        "## What the filters dropped",
        _dropped(manifest),
        "## Licences of the images",
        _licences(facts),
        "## Known gaps",
        _gaps(manifest, facts),
        "## How to make it again",
        _again(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _yaml(manifest: Manifest, facts: Facts, name: str) -> str:
    """JSON is YAML: each value on a line, so that no name can break it."""
    num_images = sum(shard.samples for shard in manifest.shards if shard.split != HELDOUT)
    fields: dict[str, Any] = {
        "pretty_name": name,
        "language": [SOURCE, *manifest.languages],
        "license": hub_word(facts.licences),
        "task_categories": ["image-to-text", "translation"],
        "size_categories": [next((word for limit, word in SIZES if num_images < limit), "1B<n<10B")],
        "tags": ["florenz", "synthetic", "machine-translated", "webdataset", "croissant"],
        "annotations_creators": ["machine-generated"],
        "configs": _configs(manifest),
    }
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items())


def _configs(manifest: Manifest) -> list[dict[str, Any]]:
    def files(split: str, folder: str, pattern: str) -> dict[str, str]:
        return {"split": split, "path": f"{folder}/{manifest.build}/{pattern}-*.tar"}

    splits = [split for split in SPLITS if split != HELDOUT and manifest.shards_of(split)]
    found: list[dict[str, Any]] = [
        {
            "config_name": "default",
            "default": True,
            "data_files": [files(SPLIT_NAMES.get(split, split), "shards", split) for split in splits],
        }
    ]
    if manifest.shards_of(HELDOUT):
        found.append({"config_name": HELDOUT, "data_files": [files("validation", HELDOUT, HELDOUT)]})
    return found


def _about(manifest: Manifest) -> str:
    held_out = ", ".join(map(name_of, manifest.held_out)) or "no language"
    return (
        "Images with English captions by a model, machine translations of these, and the translations as captions. "
        f"Task coverage is incomplete on purpose: captions in {held_out} are withheld from training. All texts are "
        f"synthetic. Made with Florenz; build `{manifest.build}`, schema {manifest.schema_version}."
    )


def _loading(manifest: Manifest, repo: str) -> str:
    lines = ["from datasets import load_dataset", "", f'dataset = load_dataset("{repo}")']
    if manifest.shards_of(HELDOUT):
        lines.append(f'withheld = load_dataset("{repo}", "{HELDOUT}")  # captions to measure with, never to train on')
    return "\n".join(["```python", *lines, "```"]) + (
        "\n\nEach sample of the WebDataset tars is `<key>.jpg`, `<key>.txt` (an English caption) and `<key>.json` (all "
        "texts, each with task, language, style and who made it). `index/` has one row for each text and the place of "
        "its picture; `manifest.json` has counts and checksums of all shards and the whole recipe; `croissant.json` "
        "describes both."
    )


def _coverage(manifest: Manifest) -> str:
    splits = [split for split in SPLITS if split in manifest.counts]
    rows = [
        [
            f"{name_of(language)} ({language})" + (", held out" if language in manifest.held_out else ""),
            *(
                str(manifest.counts[split].get(task, {}).get(language, 0))
                for split in splits
                for task in TASKS
            ),
        ]
        for language in (SOURCE, *manifest.languages)
    ]  # fmt: skip
    samples = ", ".join(f"{split} {sum(one.samples for one in manifest.shards_of(split)):,}" for split in splits)
    return f"Images: {samples}.\n\n" + table(
        ["language", *(f"{split}: {task}" for split in splits for task in TASKS)], rows
    )


def _made_by(manifest: Manifest, facts: Facts) -> str:
    rows = [
        [language, cell(html.escape(maker)) or "not known", f"{number:,}"]
        for (language, maker), number in sorted(facts.makers.items())
    ]
    words = []
    if styles := [str(style) for one in _named(manifest, "captioner") for style in one.get("styles", ())]:
        words.append(f"Styles of the captions: {', '.join(styles)}.")
    words += [
        f"{cell(html.escape(str(one.get('model', ''))))} was asked in the words of `{cell(str(one['prompt']))}` "
        "(a prompt family of Florenz)."
        for one in (*_named(manifest, "captioner"), *_named(manifest, "translator"))
        if one.get("prompt")
    ]
    about = "In brackets the fingerprint of all that decides an answer: weights, prompt, sampling. " + " ".join(words)
    return about.strip() + "\n\n" + table(["language", "made by", "texts"], rows)


def _named(manifest: Manifest, section: str) -> list[Mapping[str, Any]]:
    """The sections of this name in the recipe: one, or with [[...]] several."""
    recipe = manifest.recipe
    return [recipe[section]] if section in recipe else list(recipe.get(f"{section}s", ()))


def _dropped(manifest: Manifest) -> str:
    rows = [
        [step, cell(reason), ", ".join(f"{language} {n:,}" if language else f"{n:,}" for language, n in of.items())]
        for step, reasons in manifest.rejected.items()
        for reason, of in reasons.items()
    ]
    return table(["step", "reason", "how many"], rows) if rows else "Nothing."


def _licences(facts: Facts) -> str:
    counted = Counter(facts.licences).most_common()
    rows = [[cell(html.escape(licence)) or "not known", f"{number:,}"] for licence, number in counted]
    return "The column `licence` of the index has that of each image.\n\n" + table(["licence", "images"], rows)


def _gaps(manifest: Manifest, facts: Facts) -> str:
    gaps = ["Texts are made by models and checked by filters, not by people."]
    if manifest.held_out:
        held_out = ", ".join(manifest.held_out)
        gaps.append(f"Captions in {held_out} stand in the configuration `{HELDOUT}` alone: withheld, not missing.")
    if unknown := facts.licences.get("", 0):
        gaps.append(f"The licence of {unknown:,} images is not known.")
    if facts.positions:
        gaps.append(f"{facts.positions:,} pictures say where they were taken (GPS in their EXIF).")
    train = manifest.counts.get("train", {}).get("translation", {})
    gaps += [
        f"{name_of(language)} has fewer than half of the texts that the largest language has."
        for language in manifest.languages
        if train.get(language, 0) < max(train.values(), default=0) / 2
    ]
    return "\n".join(f"- {gap}" for gap in gaps)


def _again(manifest: Manifest) -> str:
    languages, held_out = ",".join(manifest.languages), ",".join(manifest.held_out) or "none"
    seed = manifest.recipe.get("seed", 0)
    return (
        "`recipe` in `manifest.json` holds every setting. With its sections as a TOML file:\n\n"
        f"    make dataset RECIPE=recipe.toml LANGS={languages} HELDOUT={held_out} SEED={seed}\n\n"
        "Models do not answer the same in another batch, so texts will differ in places; from the same answers the "
        "shards are the same, byte for byte."
    )
