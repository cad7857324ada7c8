"""What the workers of an assembly do, as plain functions: answers of an image -> examples, images of a shard -> a tar.

`graph.py` only wires these. All that they need to know stands in an `Assembly`, and all that it holds decides bytes; so
a build's name is made of it, and of the sources of this file and of what it imports (`code.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.chain import FilterChain
from florenz.filters.settings import FilterSettings
from florenz.images.decoding import BadImage, ShardImage, shard_jpeg
from florenz.images.exif import without_exif
from florenz.images.references import relative_uri
from florenz.images.sidecars import NOTHING, About
from florenz.images.sources import ImageRef, key_of, read_image_bytes
from florenz.languages.identification import LanguageIdentifier
from florenz.limits.table import Limits
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.books import KEPT, Tally, rejected
from florenz.pipeline.assemble.filtering import CoveredImage, ImageTexts, cover, filter_images, gather
from florenz.pipeline.assemble.rejects import Reject
from florenz.recipes.fingerprints import effort
from florenz.shards.manifest import shard_path
from florenz.shards.plan import HELDOUT, Plan, Rules, shard_name
from florenz.shards.schema import HELDOUT_SUFFIX, Sample
from florenz.shards.settings import ShardSettings
from florenz.shards.writer import ShardInfo, write_shard

Shard = tuple[str, int]  # split, shard number in the split
BUCKETS = 4096  # in which images of a split are counted: of ten million, 2,400 each


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Everything but images and answers that decides a build.

    languages, held_out: in the recipe's order. max_bytes, max_pixels, max_side_ratio: of one image. captioners,
    translators: who made the texts, as it stands beside each of them; style -> its captioner, language -> its
    translators. damaged: key -> what is wrong, of images that are written anew. licence: of all images. images: what
    sources are relative to. build: the name, made of all the rest.
    """

    languages: tuple[str, ...]
    held_out: tuple[str, ...]
    styles: tuple[str, ...]
    seed: int
    max_bytes: int
    max_pixels: int
    max_side_ratio: float
    filters: FilterSettings
    shards: ShardSettings
    captioners: Mapping[str, str]
    translators: Mapping[str, tuple[str, ...]]
    damaged: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    limits: Limits = effort(Limits())  # of files that are read again; what they refuse was refused when it was listed
    images: str = effort("")
    out: str = effort("")
    build: str = effort("")


@dataclass(frozen=True, kw_only=True)
class WrittenShard:
    """`info` is None where every image of the shard turned out unreadable."""

    info: ShardInfo | None
    rejects: tuple[Reject, ...]
    tally: Tally


def texts_of_image(key: str, found: Mapping[str, Iterable[object]], assembly: Assembly) -> Iterator[ImageTexts]:
    """found: "source", "about", "captions", "translations" of one key. Nothing for answers whose image is gone."""
    for source in found["source"]:
        texts = gather(
            key,
            str(source),
            [row for row in found["captions"] if isinstance(row, CaptionRow)],
            [row for row in found["translations"] if isinstance(row, TranslationRow)],
            styles=assembly.styles,
            languages=assembly.languages,
            num_translators={language: len(several) for language, several in assembly.translators.items()},
        )
        yield replace(texts, about=next((one for one in found["about"] if isinstance(one, About)), NOTHING))


def covered(
    images: Sequence[ImageTexts], chain: FilterChain, tables: Mapping[str, AlignmentTable], assembly: Assembly
) -> list[CoveredImage]:
    """Filter, and cover. Several images at once are faster; what comes out does not depend on which come together."""
    return [
        cover(
            texts,
            languages=assembly.languages,
            held_out=assembly.held_out,
            captioners=assembly.captioners,
            translators=assembly.translators,
            identifier=LanguageIdentifier(),
        )
        for texts in filter_images(images, chain, tables)
    ]


def rules_of(assembly: Assembly) -> Rules:
    return Rules(
        seed=assembly.seed,
        val_fraction=assembly.shards.val_fraction,
        choose_fraction=assembly.shards.choose_fraction,
        images_per_shard=assembly.shards.images_per_shard,
        buckets=BUCKETS,
    )


def placed(image: CoveredImage, plan: Plan, assembly: Assembly) -> Iterator[tuple[Shard, CoveredImage]]:
    """The image under its shard, or the two that it may be in; a validation image also under the shard of what is
    withheld from training, where its rank counts even if nothing of it is withheld.
    """
    if not image.examples:
        return
    drawn = plan.rules.drawn(image.key)
    split = plan.split_of(drawn)
    for index in plan.shards_of(drawn):
        yield (split, index), image
        if split == "val" and assembly.held_out:
            yield (HELDOUT, index), image


def written(shard: Shard, images: Iterable[CoveredImage], plan: Plan, assembly: Assembly) -> WrittenShard:
    """images: all that may be in the shard, in any order."""
    split, index = shard
    is_withheld = split == HELDOUT
    of_key = {image.key: image for image in images}
    keys = plan.places("val" if is_withheld else split, index, map(plan.rules.drawn, of_key))
    samples = _Samples(
        images=[image for image in map(of_key.__getitem__, keys) if image.withheld or not is_withheld],
        is_withheld=is_withheld,
        assembly=assembly,
    )
    info = write_shard(samples, shard_path(assembly.out, assembly.build, shard_name(split, index)), split)
    return WrittenShard(info=info, rejects=tuple(samples.rejects), tally=samples.tally)


@dataclass(kw_only=True)
class _Samples:
    """The samples of one shard, one in memory at a time; `rejects` and `tally` are complete when all have been taken.

    Images of withheld captions are those of val, which are in the books already: here they count nowhere.
    """

    images: Sequence[CoveredImage]
    is_withheld: bool
    assembly: Assembly
    rejects: list[Reject] = field(default_factory=list)
    tally: Tally = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Sample]:
        for image in self.images:
            try:
                picture = _picture(image, self.assembly)
            except BadImage as bad:
                self._count(rejected(bad.reason))
                if not self.is_withheld:
                    reject = Reject(
                        key=image.key, step="write", reason=bad.reason, detail=bad.detail, source=image.source
                    )
                    self.rejects.append(reject)
                continue
            self._count(KEPT)
            yield self._sample(image, picture)

    def _sample(self, image: CoveredImage, picture: ShardImage) -> Sample:
        return Sample(
            key=image.key + HELDOUT_SUFFIX if self.is_withheld else image.key,
            jpeg=picture.jpeg,
            width=picture.width,
            height=picture.height,
            source=relative_uri(image.source, self.assembly.images),
            licence=image.about.licence or self.assembly.licence,
            url=image.about.url,
            notes="; ".join(self._notes(image)),
            captions=image.captions,
            examples=image.withheld if self.is_withheld else image.examples,
        )

    def _notes(self, image: CoveredImage) -> Iterator[str]:
        if damage := self.assembly.damaged.get(image.key):
            yield f"written anew: {damage}"
        if image.about.alt:
            yield f"alt text: {image.about.alt}"

    def _count(self, outcome: str) -> None:
        if not self.is_withheld:
            self.tally["write", "", outcome] += 1


def _picture(image: CoveredImage, assembly: Assembly) -> ShardImage:
    data = read_image_bytes(ImageRef(uri=image.source), max_bytes=assembly.max_bytes, limits=assembly.limits)
    if key_of(data) != image.key:
        raise BadImage("unreadable_file", "its bytes have changed since it was captioned")
    picture = shard_jpeg(
        data,
        max_side_px=assembly.shards.max_side_px,
        quality=assembly.shards.jpeg_quality,
        max_pixels=assembly.max_pixels,
        max_side_ratio=assembly.max_side_ratio,
        is_damaged=image.key in assembly.damaged,
    )
    if assembly.shards.strip_exif and picture.is_original:  # a re-encoded one has none
        picture = replace(picture, jpeg=without_exif(picture.jpeg))
    return picture
