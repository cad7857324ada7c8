"""What the workers of an assembly do, as plain functions: answers of a range -> examples, images of a shard -> a tar.

`graph.py` only wires these. All that they need to know stands in an `Assembly`, and all that it holds decides bytes; so
a build's name is made of it, and of the sources of this file and of what it imports (`code.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.chain import FilterChain
from florenz.filters.settings import FilterSettings
from florenz.images.decoding import BadImage, ShardImage
from florenz.images.exif import without_exif
from florenz.images.passing import proved_jpeg
from florenz.images.references import relative_uri
from florenz.images.sidecars import NOTHING
from florenz.images.sources import ImageRef, key_of, read_image_bytes
from florenz.languages.identification import LanguageIdentifier
from florenz.limits.table import Limits
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.books import IN, KEPT, Tally, rejected
from florenz.pipeline.assemble.concepts import kept_withholding
from florenz.pipeline.assemble.covering import CoveredImage, cover
from florenz.pipeline.assemble.filtering import ImageTexts, filter_images, gather
from florenz.pipeline.assemble.rejects import Reject, leave_rejects
from florenz.pipeline.assemble.score_rules import ScoreRule
from florenz.pipeline.assemble.texts import Place, read_places, read_texts, unpack_image, working_folder, write_texts
from florenz.pipeline.image_index import RangeOfImages, read_range
from florenz.recipes.fingerprints import effort
from florenz.shards.manifest import shard_path
from florenz.shards.plan import HELDOUT, Counted, Plan, Rules, shard_name
from florenz.shards.schema import HELDOUT_SUFFIX, WITHHELD_NOTE, Sample
from florenz.shards.settings import ShardSettings
from florenz.shards.writer import ShardInfo, write_shard

Shard = tuple[str, int]  # split, shard number in the split
TOGETHER = 256  # images whose texts are filtered in one call: a thousand texts are asked faster than one at a time
BUCKETS_OF_A_SHARD = 8  # an eighth of a shard's images is looked at for the next one too


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Everything but images and answers that decides a build.

    languages, held_out: in the recipe's order. max_bytes, max_pixels, max_side_ratio: of one image. captioners,
    translators: who made the texts, as it stands beside each of them; style -> its captioner, language -> its
    translators. licence: of all images. withheld: concepts that nobody may learn to caption.
    images: what sources are relative to. build: the name, made of all the rest.
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
    rephrasers: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    word_lists: Mapping[str, str] = field(default_factory=dict)  # language -> fingerprint (`word_lists.py`)
    withheld: tuple[str, ...] = ()
    concepts: str = ""  # fingerprint of the table that says what images show (`concepts.py`)
    concepts_table: str = effort("")  # where it lies
    score_rules: tuple[ScoreRule, ...] = ()
    limits: Limits = effort(Limits())  # of files that are read again; what they refuse was refused when it was listed
    images: str = effort("")
    out: str = effort("")
    build: str = effort("")


@dataclass(frozen=True, kw_only=True)
class CoveredRange:
    """What became of the images of one range; its texts, places and rejects lie in the working folder."""

    range: str
    counted: Counted
    tally: Tally


@dataclass(frozen=True, kw_only=True)
class WrittenShard:
    """`info` is None where every image of the shard turned out unreadable."""

    info: ShardInfo | None
    tally: Tally


def texts_of(
    found: RangeOfImages, answers: Iterable[CaptionRow | TranslationRow], assembly: Assembly
) -> Iterator[ImageTexts]:
    """The images of a range, by key, each with all answers about it. Answers whose image is no longer there are left
    where they are.
    """
    captions: dict[str, list[CaptionRow]] = defaultdict(list)
    translations: dict[str, list[TranslationRow]] = defaultdict(list)
    for row in answers:
        if isinstance(row, CaptionRow):
            captions[row.key].append(row)
        else:
            translations[row.key].append(row)
    withholding = kept_withholding(assembly.out, assembly.concepts, assembly.withheld)
    num_translators = {language: len(several) for language, several in assembly.translators.items()}
    for key, source in sorted(found.images.items()):
        texts = gather(
            key,
            source,
            captions[key],
            translations[key],
            styles=assembly.styles,
            languages=assembly.languages,
            num_translators=num_translators,
            rephrased=assembly.rephrasers,
        )
        yield replace(
            texts,
            damage=found.damaged.get(key, ""),
            about=found.about.get(key, NOTHING),
            concepts=withholding.of(key, source, assembly.images) if withholding else "",
        )


def cover_range(
    its_range: str,
    answers: Iterable[CaptionRow | TranslationRow],
    chain: FilterChain,
    tables: Mapping[str, AlignmentTable],
    assembly: Assembly,
    num_images: int,
    done: Callable[[int], None],
) -> CoveredRange:
    """Filter and cover a range, image by image, and leave what becomes of it in the working folder.

    answers: of this run's models about its images, and perhaps about others. num_images: of the run. done: called with
    the number of images that have been covered.
    """
    found = read_range(assembly.out, its_range)
    tally: Tally = Counter(
        {("read", "", IN): len(found.images) + len(found.rejects), ("read", "", KEPT): len(found.images)}
    )
    tally.update(("read", "", rejected(reject.reason)) for reject in found.rejects)
    rejects = list(found.rejects)

    def images() -> Iterator[CoveredImage]:
        texts = texts_of(found, answers, assembly)
        while together := list(islice(texts, TOGETHER)):
            for image in covered(together, chain, tables, assembly):
                tally.update(image.tally)
                rejects.extend(image.rejects)
                yield image
            done(len(together))

    folder, rules = working_folder(assembly.out, assembly.build), rules_of(assembly, num_images)
    places = write_texts(folder, its_range, images())
    leave_rejects(folder, its_range, rejects, assembly.images)
    return CoveredRange(
        range=its_range, counted=Counted.of((rules.drawn(place.key) for place in places), rules), tally=tally
    )


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
            rephrasers=assembly.rephrasers,
            identifier=LanguageIdentifier(),
        )
        for texts in filter_images(images, chain, tables, assembly.score_rules, assembly.images)
    ]


def rules_of(assembly: Assembly, num_images: int) -> Rules:
    """num_images: about; it decides how finely images are counted and no byte."""
    num_shards = num_images // assembly.shards.images_per_shard + 1
    return Rules(
        seed=assembly.seed,
        val_fraction=assembly.shards.val_fraction,
        choose_fraction=assembly.shards.choose_fraction,
        images_per_shard=assembly.shards.images_per_shard,
        buckets=BUCKETS_OF_A_SHARD * num_shards,
    )


def placed(its_range: str, plan: Plan, assembly: Assembly) -> Iterator[tuple[Shard, Place]]:
    """Each image of a range under its shard, or the two that it may be in; one of val also under the shard of what is
    withheld from training, where its rank counts even if nothing of it is withheld.
    """
    for place in read_places(working_folder(assembly.out, assembly.build), its_range):
        image = plan.rules.drawn(place.key)
        split = plan.split_of(image)
        for index in plan.shards_of(image):
            yield (split, index), place
            if split == "val" and assembly.held_out:
                yield (HELDOUT, index), place


def written(shard: Shard, places: Iterable[Place], plan: Plan, assembly: Assembly) -> WrittenShard:
    """places: of all images that may be in the shard, in any order."""
    split, index = shard
    of_key = {place.key: place for place in places}
    images = map(plan.rules.drawn, of_key)
    keys = plan.places("val" if split == HELDOUT else split, index, images)
    folder = working_folder(assembly.out, assembly.build)
    samples = _Samples(
        keys=keys,
        records=read_texts(folder, [of_key[key] for key in keys]),
        is_withheld=split == HELDOUT,
        assembly=assembly,
    )
    info = write_shard(samples, shard_path(assembly.out, assembly.build, shard_name(split, index)), split)
    leave_rejects(folder, f"{split}-{index:06d}", samples.rejects, assembly.images)
    return WrittenShard(info=info, tally=samples.tally)


@dataclass(kw_only=True)
class _Samples:
    """The samples of one shard, one in memory at a time; `rejects` and `tally` are complete when all have been taken.

    keys: in order. records: of each key, packed (`texts.py`). Images of withheld captions are those of val, which are
    in the books already: here they count nowhere.
    """

    keys: Sequence[str]
    records: Mapping[str, bytes]
    is_withheld: bool
    assembly: Assembly
    rejects: list[Reject] = field(default_factory=list)
    tally: Tally = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Sample]:
        for image in (unpack_image(self.records[key]) for key in self.keys):
            if self.is_withheld and not image.withheld:
                continue
            try:
                picture = picture_of(image, self.assembly)
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
            notes="; ".join(_notes(image)),
            captions=image.captions,
            examples=image.withheld if self.is_withheld else image.examples,
        )

    def _count(self, outcome: str) -> None:
        if not self.is_withheld:
            self.tally["write", "", outcome] += 1


def _notes(image: CoveredImage) -> Iterator[str]:
    if image.concepts:  # first, since an alternative text may say anything
        yield f"{WITHHELD_NOTE}{image.concepts}"
    if image.damage:
        yield f"written anew: {image.damage}"
    if image.about.alt:
        yield f"alt text: {image.about.alt}"


def picture_of(image: CoveredImage, assembly: Assembly) -> ShardImage:
    """As it goes into the shard. Raises BadImage."""
    data = read_image_bytes(ImageRef(uri=image.source), max_bytes=assembly.max_bytes, limits=assembly.limits)
    if key_of(data) != image.key:
        raise BadImage("unreadable_file", "its bytes have changed since it was captioned")
    picture = proved_jpeg(
        data,
        max_side_px=assembly.shards.max_side_px,
        quality=assembly.shards.jpeg_quality,
        max_pixels=assembly.max_pixels,
        max_side_ratio=assembly.max_side_ratio,
        is_damaged=bool(image.damage),
    )
    if assembly.shards.strip_exif and picture.is_original:  # a re-encoded one has none
        picture = replace(picture, jpeg=without_exif(picture.jpeg))
    return picture
