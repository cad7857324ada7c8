"""A small real dataset for the tests of shards/: twelve JPEGs, captions in en and de, French captioning held out."""

import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from florenz.shards.manifest import Manifest, count_examples, read_manifest, shard_path, write_manifest
from florenz.shards.plan import plan_shards, shard_name
from florenz.shards.reader import iter_samples
from florenz.shards.schema import HELDOUT_SUFFIX, Caption, Example, Sample
from florenz.shards.writer import ShardInfo, write_shard

BUILD = "0123456789abcdef"
SEED = 2  # puts three of the twelve images into val
ENGLISH = "A red car stands beside a blue house near the river."
GERMAN = "Ein rotes Auto steht neben einem blauen Haus am Fluss."
FRENCH = "Une voiture rouge est garée à côté d'une maison bleue près de la rivière."


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def jpeg_of(number: int, width: int = 32, height: int = 24) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (number * 20 % 256, 80, 160)).save(buffer, "JPEG")
    return buffer.getvalue()


def caption(language: str, text: str) -> Example:
    return Example(task="caption", language=language, style="short", text=text)


def translation(language: str, text: str, source_text: str = ENGLISH) -> Example:
    return Example(
        task="translation", language=language, style="short", text=text, source_language="en", source_text=source_text
    )


COVERED = (caption("en", ENGLISH), caption("de", GERMAN), translation("de", GERMAN), translation("fr", FRENCH))
WITHHELD = (caption("fr", FRENCH),)
CONTENTS: dict[str, dict[str, tuple[Example, ...]]] = {
    "train": {"train": COVERED},
    "choose": {"choose": COVERED},
    "val": {"val": COVERED, "heldout": WITHHELD},
}


def make_sample(number: int = 0, examples: tuple[Example, ...] = COVERED, suffix: str = "") -> Sample:
    return Sample(
        key=key_of(number) + suffix,
        jpeg=jpeg_of(number),
        width=32,
        height=24,
        source=f"{number}.jpg",
        captions=(Caption(style="short", text=ENGLISH, made_by="org/captioner (c)", way="captioned"),),
        examples=examples,
    )


def write_dataset(out: str, num_images: int = 12) -> Manifest:
    """Shards and manifest of a dataset in which everything holds."""
    numbers = {key_of(number): number for number in range(num_images)}
    infos = []
    for plan in plan_shards(numbers, seed=SEED, val_fraction=0.25, choose_fraction=0.0, images_per_shard=5):
        for split, examples in CONTENTS[plan.split].items():
            suffix = HELDOUT_SUFFIX if split == "heldout" else ""
            samples = [make_sample(numbers[key], examples, suffix) for key in plan.keys]
            path = shard_path(out, BUILD, shard_name(split, plan.index))
            infos.append(write_shard(samples, path, split))
    shards = tuple(info for info in infos if info)
    manifest = Manifest(
        build=BUILD,
        languages=("de", "fr"),
        held_out=("fr",),
        shards=shards,
        counts=count_examples(shards),
        rejected={"filter": {"empty": {"de": 1}}},
        inputs={"images": "images"},
        recipe={"seed": 0},
        models={"captioner": "abc"},
    )
    write_manifest(out, manifest)
    return manifest


def shard_file(out: Path, name: str) -> Path:
    return Path(shard_path(str(out), BUILD, name))


def edit_samples(out: Path, name: str, edit: Callable[[list[Sample]], list[Sample]]) -> None:
    """Write a shard anew with other samples, and a manifest that fits: what is wrong shows in the shard alone."""
    path = shard_file(out, name)
    edit_members(out, name, [member for sample in edit(list(iter_samples(str(path)))) for member in sample.members()])
    recount(out, name)


def edit_members(out: Path, name: str, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a shard anew with any files in it; size and hash in the manifest fit, its counts stay."""
    with tarfile.open(shard_file(out, name), "w") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    content = shard_file(out, name).read_bytes()
    edit_listing(out, name, lambda info: replace(info, bytes=len(content), sha256=hashlib.sha256(content).hexdigest()))


def recount(out: Path, name: str) -> None:
    samples = list(iter_samples(str(shard_file(out, name))))
    counts = Counter(f"{example.task}/{example.language}" for sample in samples for example in sample.examples)
    edit_listing(out, name, lambda info: replace(info, samples=len(samples), counts=dict(counts)))
    manifest = read_manifest(str(out))
    write_manifest(str(out), replace(manifest, counts=count_examples(manifest.shards)))


def edit_listing(out: Path, name: str, edit: Callable[[ShardInfo], ShardInfo]) -> None:
    manifest = read_manifest(str(out))
    shards = tuple(edit(info) if info.path == name else info for info in manifest.shards)
    write_manifest(str(out), replace(manifest, shards=shards))


def break_first_sample(out: Path, name: str) -> None:
    """Its first sample is of a schema that nobody knows; size and hash in the manifest fit, so this alone shows."""
    members = members_of(out, name)
    broken = next(place for place, (member, _) in enumerate(members) if member.endswith(".json"))
    member, content = members[broken]
    members[broken] = member, content.replace(b'"schema_version": 2', b'"schema_version": 9')
    assert members[broken][1] != content
    edit_members(out, name, members)


def members_of(out: Path, name: str) -> list[tuple[str, bytes]]:
    with tarfile.open(shard_file(out, name)) as tar:
        contents = [(info.name, tar.extractfile(info)) for info in tar]
        return [(member, content.read()) for member, content in contents if content]
