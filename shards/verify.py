"""Prove that a dataset is what its manifest says, by opening every shard: `florenz verify OUT`.

All problems are listed, one line each, and none hides those behind it. Each shard is read twice, once for its hash
and once for its samples, and of each image only the head is decoded: enough for the size, and the hash covers the
rest. The exit status is 0 if everything holds, 1 if there are problems, 2 if it could not be looked at.
"""

import argparse
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from florenz.languages.identification import LanguageIdentifier, LanguageModelError
from florenz.limits.printable import printable
from florenz.shards.manifest import (
    Manifest,
    ManifestError,
    count_examples,
    read_manifest,
    shard_folders,
    shard_path,
)
from florenz.shards.owners import Owners
from florenz.shards.plan import HELDOUT, SPLITS, split_of_name
from florenz.shards.reader import iter_members
from florenz.shards.records import sample_from
from florenz.shards.schema import HELDOUT_SUFFIX, Sample, SchemaError
from florenz.shards.tar import ShardError
from florenz.shards.verify_sample import sample_problems
from florenz.shards.writer import ShardInfo
from florenz.stores import files
from florenz.stores.seals import sha256_of

TEXTS_PER_BATCH = 1024  # language ID answers with a probability for each of 176 languages
READ_BYTES = 1 << 20
LEDGER_PART = re.compile(r"/part-([0-9a-f]+-)?(?P<hash>[0-9a-f]{32})\.parquet$")


@dataclass(frozen=True, kw_only=True)
class Findings:
    """problems: one line each, none if the dataset holds. proofs: what was shown, one line each, if it does."""

    problems: tuple[str, ...]
    proofs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionText:
    """A text under a caption example that is not withheld, for language ID."""

    where: str
    language: str
    text: str


@dataclass(kw_only=True)
class Tally:
    """What has been seen so far, over all shards."""

    owners: Owners  # of images in train, choose and val
    heldout_owners: Owners
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (split, task, language)
    damaged_splits: set[str] = field(default_factory=set)  # some of it could not be read: no word on its totals
    waiting: list[CaptionText] = field(default_factory=list)
    num_identified: int = 0
    num_without_captions: int = 0  # images that show a withheld concept


def verify(out: str) -> Findings:
    """Check OUT. `ManifestError`, `StoreError`, `LanguageModelError` or `OSError` if it cannot be looked at."""
    manifest = read_manifest(out)
    with closing(Owners()) as owners, closing(Owners()) as heldout_owners:
        tally = Tally(owners=owners, heldout_owners=heldout_owners)
        problems = [printable(problem) for problem in _problems(out, manifest, tally)]
        return Findings(problems=tuple(problems), proofs=() if problems else tuple(_proofs(manifest, tally)))


def _problems(out: str, manifest: Manifest, tally: Tally) -> Iterator[str]:
    yield from _listing_problems(out, manifest)
    # val before heldout, whose images have to be among val's
    known = sorted(
        (shard for shard in manifest.shards if shard.split in SPLITS),
        key=lambda shard: (SPLITS.index(shard.split), shard.path),
    )
    for shard in known:
        yield from _shard_problems(shard_path(out, manifest.build, shard.path), shard, manifest, tally)
        if len(tally.waiting) >= TEXTS_PER_BATCH:
            yield from _language_problems(manifest, tally)
    yield from _language_problems(manifest, tally)
    yield from _total_problems(manifest, tally)
    yield from _companion_problems(out, manifest)


def _companion_problems(out: str, manifest: Manifest) -> Iterator[str]:
    """What lies beside the shards and is vouched for: rejects, and the ledger's parts under the hash of their bytes."""
    rejects = files.join(out, "rejects", f"{manifest.build}.parquet")
    stated = manifest.inputs.get("rejects_sha256")
    if stated and (found := sha256_of(rejects)) is not None and found != stated:
        yield f"rejects/{manifest.build}.parquet: SHA-256 is {found}, the manifest says {stated}"
    for kind in ("captions", "translations", "scores"):
        for path in files.list_files(files.join(out, "ledger", kind)):
            part = LEDGER_PART.search(path)
            if part and not (sha256_of(path) or "").startswith(part["hash"]):
                yield f"{path.removeprefix(files.join(out, ''))}: its bytes do not fit the hash in its name"


def _listing_problems(out: str, manifest: Manifest) -> Iterator[str]:
    """What the manifest and the folder alone show."""
    for language in sorted(set(manifest.held_out) - set(manifest.languages)):
        yield f"manifest: {language} is held out but is not one of the languages"
    names = Counter(shard.path for shard in manifest.shards)
    for shard in manifest.shards:
        if shard.split != split_of_name(shard.path):
            yield f"{shard.path}: the manifest says split {shard.split}, its name says {split_of_name(shard.path)}"
    yield from (f"{name}: listed {times} times in the manifest" for name, times in names.items() if times > 1)
    listed = {shard_path(out, manifest.build, name) for name in names}
    for folder in shard_folders(out, manifest.build):
        for path in sorted(set(files.list_files(folder)) - listed):
            place = folder.removeprefix(files.join(out, "")).rstrip("/")
            yield f"{path.removeprefix(folder)}: lies in {place} but is not in the manifest"


def _shard_problems(path: str, shard: ShardInfo, manifest: Manifest, tally: Tally) -> Iterator[str]:
    num_samples, counts = 0, Counter[str]()
    try:
        yield from (f"{shard.path}: {problem}" for problem in _bytes_problems(path, shard))
        for key, members in iter_members(path):
            num_samples += 1
            yield from (f"{shard.path}: {problem}" for problem in _key_problems(key, shard, manifest, tally))
            try:
                sample = sample_from(key, members)
            except SchemaError as problem:
                yield f"{shard.path}: {problem}"
                continue
            counts.update(f"{example.task}/{example.language}" for example in sample.examples)
            tally.num_without_captions += sample.shows_withheld and shard.split != HELDOUT
            _collect_captions(sample, shard, tally)
            yield from (
                f"{shard.path}: sample {key}: {problem}"
                for problem in sample_problems(sample, members, shard.split, manifest)
            )
    except FileNotFoundError:
        tally.damaged_splits.add(shard.split)
        yield f"{shard.path}: listed in the manifest but not there"
    except ShardError as damage:
        tally.damaged_splits.add(shard.split)
        yield f"{shard.path}: damaged at byte {damage.offset}: {damage.detail}"
    except OSError as problem:
        tally.damaged_splits.add(shard.split)
        yield f"{shard.path}: cannot be read: {problem}"
    else:
        yield from (f"{shard.path}: {problem}" for problem in _count_problems(shard, num_samples, counts))
    for pair, number in counts.items():
        task, _, language = pair.partition("/")
        tally.counts[shard.split, task, language] += number


def _bytes_problems(path: str, shard: ShardInfo) -> Iterator[str]:
    num_bytes, digest = 0, hashlib.sha256()
    with files.open_read(path) as file:
        while block := file.read(READ_BYTES):
            num_bytes += len(block)
            digest.update(block)
    if num_bytes != shard.bytes:
        yield f"has {num_bytes} bytes, the manifest says {shard.bytes}"
    if digest.hexdigest() != shard.sha256:
        yield f"SHA-256 is {digest.hexdigest()}, the manifest says {shard.sha256}"


def _key_problems(key: str, shard: ShardInfo, manifest: Manifest, tally: Tally) -> Iterator[str]:
    is_withheld = shard.split == HELDOUT
    if manifest.schema_version > 1 and key.endswith(HELDOUT_SUFFIX) is not is_withheld:
        yield f"sample {key}: keys end in {HELDOUT_SUFFIX} in {HELDOUT} and nowhere else"
    owners, image = tally.heldout_owners if is_withheld else tally.owners, key.removesuffix(HELDOUT_SUFFIX)
    if (other := owners.get(image)) is not None:
        yield f"sample {key} is there twice" if other.path == shard.path else f"sample {key} is also in {other.path}"
    owners.add(image, shard)
    if is_withheld and "val" not in tally.damaged_splits:
        home = tally.owners.get(image)
        if home is None or home.split != "val":
            yield f"sample {key}: its image is not in val"


def _collect_captions(sample: Sample, shard: ShardInfo, tally: Tally) -> None:
    if shard.split != HELDOUT:
        tally.waiting += [
            CaptionText(where=f"{shard.path}: sample {sample.key}", language=example.language, text=example.text)
            for example in sample.examples
            if example.task == "caption"
        ]


def _language_problems(manifest: Manifest, tally: Tally) -> Iterator[str]:
    """Texts that wait for language ID and are placed in a held-out language; empties the queue."""
    waiting, tally.waiting = tally.waiting, []
    if not manifest.held_out:
        return
    identifier = LanguageIdentifier()
    for start in range(0, len(waiting), TEXTS_PER_BATCH):
        batch = waiting[start : start + TEXTS_PER_BATCH]
        for caption, found in zip(batch, identifier.identify([caption.text for caption in batch]), strict=True):
            if found.language in manifest.held_out:
                yield (
                    f"{caption.where}: caption example in {caption.language}: language ID places {caption.text!r} "
                    f"in {found.language}, which is held out (p = {found.probability:.2f})"
                )
    tally.num_identified += len(waiting)


def _count_problems(shard: ShardInfo, num_samples: int, counts: Mapping[str, int]) -> Iterator[str]:
    if num_samples != shard.samples:
        yield f"has {num_samples} samples, the manifest says {shard.samples}"
    for pair in sorted(counts.keys() | shard.counts.keys()):
        found, stated = counts.get(pair, 0), shard.counts.get(pair, 0)
        if found != stated:
            yield f"has {found} {pair} examples, the manifest says {stated}"


def _total_problems(manifest: Manifest, tally: Tally) -> Iterator[str]:
    """Totals per split, task and language, over the splits that could be read to the end."""
    stated = {
        (split, task, language): number
        for split, tasks in manifest.counts.items()
        for task, languages in tasks.items()
        for language, number in languages.items()
    }
    for split, task, language in sorted(stated.keys() | tally.counts.keys()):
        found, says = tally.counts[split, task, language], stated.get((split, task, language), 0)
        if found != says and split not in tally.damaged_splits:
            yield f"{split}: has {found} {task}/{language} examples, the manifest's counts say {says}"


def _proofs(manifest: Manifest, tally: Tally) -> Iterator[str]:
    """One line for each thing that was shown; only for a dataset without problems."""
    num_bytes = sum(shard.bytes for shard in manifest.shards)
    num_images = tally.owners.num_images
    yield (
        f"shards: {len(manifest.shards)} listed, all there, none unlisted; {num_bytes} bytes, "
        "every SHA-256 as in the manifest"
    )
    yield (
        f"samples: {len(tally.owners)} of schema version {manifest.schema_version}, "
        + ", ".join(f"{num_images[split]} in {split}" for split in SPLITS if num_images[split])
        + ", no image twice and none in two splits"
    )
    yield "images: every JPEG opens at the stated size, every .txt is the English caption"
    counts = count_examples(manifest.shards)
    for split, tasks in ((split, counts[split]) for split in SPLITS if split in counts):
        totals = ", ".join(
            f"{sum(languages.values())} {task} in {' '.join(languages)}" for task, languages in tasks.items()
        )
        yield f"counts: {split} has {totals}, as in the manifest"
    if tally.num_without_captions:
        yield f"withheld: {tally.num_without_captions} images show a withheld concept and have no caption example"
    if not manifest.held_out:
        yield "held-out: no language is held out"
        return
    held_out = " ".join(manifest.held_out)
    yield (
        f"held-out: no caption example in {held_out} in train, choose or val; {HELDOUT} has "
        f"{len(tally.heldout_owners)} images, all of val, with withheld captions only"
    )
    yield f"language ID: none of {tally.num_identified} caption texts in train, choose and val is placed in {held_out}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="florenz verify",
        description="Open every shard of a dataset and "
        "check it against the manifest. Exit status: 0 holds, 1 problems, 2 no manifest.",
    )
    parser.add_argument("out", metavar="OUT", help="folder with manifest.json (local, gs:// or s3://)")
    out = parser.parse_args(arguments).out
    try:
        findings = verify(out)
    except (ManifestError, files.StoreError, LanguageModelError, OSError) as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    for line in findings.problems or findings.proofs:
        print(line)
    if findings.problems:
        print(f"{len(findings.problems)} problems in {printable(out)}")
        print("to mend: make dataset with the same OUT; what was answered is not asked again")
    return 1 if findings.problems else 0


if __name__ == "__main__":
    sys.exit(main())
