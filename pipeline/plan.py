"""`make plan`: what a run would ask, how long it would take and what it would cost, before anything is paid.

Images are read and the ledger is looked at; no model is asked, unless `SAMPLE=20` says that so many images are to be
captioned and translated first, and these answers are kept like all others. Rates are those that were measured in OUT,
or the recipe's ([plan]).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from florenz.images.folders import SourceFile
from florenz.languages.codes import NAMES
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.makers import Maker, Makers
from florenz.pipeline.rates import CHARS_PER_TOKEN, Measurement, PlanSettings, Rate, known_rate, read_rates
from florenz.pipeline.recipe import Recipe
from florenz.stores import files

MACHINES = (1, 2, 8, 100)
CHARS_OF_STYLE = 80.0  # of an answer of which nothing is known
CAPTIONS, TRANSLATIONS, ASSEMBLE = "captions", "translations", "assemble"
NO_RATE = Rate(per_s=1.0, fixed_s=0.0, chars=0.0)
ASSEMBLED_PER_S = 100.0  # images, where nothing is known: filters and shards of six texts, one busy core
BYTES_OF_A_TEXT = 400  # in a shard, in the index and in the ledger, together


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Questions for one model. what: "captions" or "translations". where: its styles or a language."""

    what: str
    where: str
    model: str
    items: int
    rate: Rate | None

    @property
    def tokens(self) -> int:
        """Of the answers, about."""
        return round(
            self.items * (self.rate.chars if self.rate and self.rate.chars else CHARS_OF_STYLE) / CHARS_PER_TOKEN
        )

    def seconds(self, machines: int) -> float:
        """`ValueError` where nobody knows how fast it is."""
        if self.rate is None:
            raise ValueError(self.model)
        return self.rate.start_s + self.rate.fixed_s + self.items / self.rate.per_s / machines if self.items else 0.0


def missing_by_model(
    answers: CurrentAnswers,
    makers: Makers,
    images: Mapping[str, str],
    measured: Mapping[str, Sequence[Measurement]],
    given: PlanSettings,
) -> list[Missing]:
    """For each captioner and each language's translators, and what comes after. A caption that is missing will have to
    be translated too.
    """

    def rate(maker: Maker, per_s: float | None) -> Rate | None:
        found = known_rate(measured, maker.fingerprint)
        return Rate(per_s=per_s, fixed_s=0.0, chars=found.chars if found else 0.0) if per_s else found

    captions = Counter(style for task in answers.missing_captions(images) for style in task.styles)
    texts = Counter((task.language, task.number) for task in answers.missing_translations(images))
    styles_of: dict[Maker, list[str]] = {}
    for style, maker in makers.captioners.items():
        styles_of.setdefault(maker, []).append(style)
    found = [
        Missing(
            what=CAPTIONS,
            where=", ".join(styles),
            model=maker.model,
            items=sum(captions[style] for style in styles),
            rate=rate(maker, given.captions_per_s),
        )
        for maker, styles in styles_of.items()
    ]
    translations = [
        Missing(
            what=TRANSLATIONS,
            where=language,
            model=maker.model,
            items=texts[language, number] + captions.total(),
            rate=rate(maker, given.translations_per_s),
        )
        for language, several in makers.translators.items()
        for number, maker in enumerate(several)
    ]
    assembling = Missing(
        what="images",
        where="filtered and written",
        model=ASSEMBLE,
        items=len(images) if captions or texts else 0,
        rate=known_rate(measured, ASSEMBLE) or Rate(per_s=ASSEMBLED_PER_S, fixed_s=0.0, chars=0.0),
    )
    return [*found, *translations, assembling]


def tell(
    say: Callable[[str], None], *, images: int, missing: Sequence[Missing], image_bytes: int, given: PlanSettings
) -> None:
    """The plan on the screen."""
    say(f"images     {images:,}")
    for one in (one for one in missing if one.model != ASSEMBLE):
        where = f"{one.where} ({NAMES[one.where]})" if one.where in NAMES else one.where
        speed = f"{one.rate.per_s:,.1f}/s" if one.rate else "speed unknown"
        say(f"missing    {one.items:,} {one.what} of {one.model}, {where}: about {one.tokens:,} tokens, {speed}")
    texts = sum(one.items for one in missing if one.model != ASSEMBLE)
    say(f"disk       about {(image_bytes + texts * BYTES_OF_A_TEXT) / 1e9:,.2f} GB in OUT")
    unknown = sorted({one.model for one in missing if one.rate is None and one.items})
    if unknown:
        say(f"time       unknown for {', '.join(unknown)}: SAMPLE=20 measures it, or [plan] in the recipe says it")
        return
    for machines in MACHINES:
        hours = hours_of(missing, machines)
        cost = f", cost {hours * machines * given.cost_per_hour:,.2f}" if given.cost_per_hour else ""
        say(f"time       {machines} machine{'s' * (machines > 1)}: {in_words(hours)}{cost}")


def hours_of(missing: Sequence[Missing], machines: int) -> float:
    """Of asking, one model after the other. What languages of one translator share is counted once, and of the first
    translator's start only what captioning does not cover: its server comes up meanwhile.
    """
    total, captions_s = 0.0, 0.0
    known: set[tuple[str, str]] = set()
    for one in missing:
        if not one.items:
            continue
        seconds = one.seconds(machines)
        rate = one.rate or NO_RATE
        if (one.what, one.model) in known:
            seconds -= rate.start_s + rate.fixed_s
        elif one.what == TRANSLATIONS and not any(what == TRANSLATIONS for what, _ in known):
            seconds -= min(rate.start_s, captions_s)
        captions_s += seconds if one.what == CAPTIONS else 0.0
        known.add((one.what, one.model))
        total += seconds
    return total / 3600


def in_words(hours: float) -> str:
    seconds = hours * 3600
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{hours:,.1f} h"


def plan(recipe: Recipe, say: Callable[[str], None], *, sample: int = 0) -> None:
    """Tell what a run of this recipe would take. `sample`: images that are captioned and translated first, to measure.

    Raises RecipeError, OutInUse, ServerError, OSError.
    """
    from florenz.pipeline.run import ask, opened, read_images

    with opened(recipe, say) as this:
        images = read_images(this).images
        lacking = [task.key for task in this.answers.missing_captions(images)]
        keys = sorted(lacking or {task.key for task in this.answers.missing_translations(images)})[:sample]
        for some in (keys[: len(keys) // 4], keys):  # two sizes tell a step's own time from that of its items
            ask(this, {key: images[key] for key in some})
        missing = missing_by_model(this.answers, this.makers, images, read_rates(recipe.out), recipe.plan)
        tell(say, images=len(images), missing=missing, image_bytes=_image_bytes(this.source_files()), given=recipe.plan)


def _image_bytes(sources: Sequence[SourceFile]) -> int:
    """Of the files that images are read from; those in a store in the network are not asked for their size here."""
    paths = [local for file in sources if (local := files.local_path(file.path)) is not None]
    return sum(os.path.getsize(path) for path in paths)
