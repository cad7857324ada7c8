"""`make plan`: what a run would ask, how long it would take and what it would cost, before anything is paid.

Images are read and the ledger is looked at; no model is asked, unless `SAMPLE=20` says that so many images are to be
captioned and translated first, and these answers are kept like all others. Rates are those that were measured in OUT,
or the recipe's ([plan]).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from florenz.languages.codes import NAMES
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.makers import Maker, Makers
from florenz.pipeline.answers.ranges import missing_captions, missing_translations, work_of
from florenz.pipeline.answers.surveyed import Survey
from florenz.pipeline.rates import (
    BESIDE,
    CHARS_PER_TOKEN,
    Measurement,
    PlanSettings,
    Rate,
    known_rate,
    read_rates,
    share_beside,
)
from florenz.pipeline.recipe import Recipe

MACHINES = (1, 2, 8, 100)
CHARS_OF_STYLE = 80.0  # of an answer of which nothing is known
CAPTIONS, TRANSLATIONS, REPHRASINGS, SCORES, ASSEMBLE = (
    "captions",
    "translations",
    "rephrasings",
    "scores",
    "assemble",
)
CANDIDATES = "candidates"
NO_RATE = Rate(per_s=1.0, fixed_s=0.0, chars=0.0)
ASSEMBLED_PER_S = 100.0  # images, where nothing is known: filters and shards of six texts, one busy core
LEAST_RANGES = 16  # of keys: the first is translated when so many parts of all are captioned, the last when all are
BYTES_OF_A_TEXT = 400  # in a shard, in the index and in the ledger, together


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Questions for one model. what: "captions" or "translations". where: its styles or a language."""

    what: str
    where: str
    model: str
    items: int
    rate: Rate | None
    beside: float = 1.0
    """Share of its speed that it keeps while another model works on the same machine."""

    @property
    def tokens(self) -> int:
        """Of the answers, about; a score has none."""
        return (
            0
            if self.what == SCORES
            else round(
                self.items * (self.rate.chars if self.rate and self.rate.chars else CHARS_OF_STYLE) / CHARS_PER_TOKEN
            )
        )

    def seconds(self, machines: int) -> float:
        """`ValueError` where nobody knows how fast it is."""
        if self.rate is None:
            raise ValueError(self.model)
        return self.rate.start_s + self.rate.fixed_s + self.items / self.rate.per_s / machines if self.items else 0.0


RateOf = Callable[[Maker, float | None], Rate | None]


def missing_by_model(
    found: Survey,
    makers: Makers,
    measured: Mapping[str, Sequence[Measurement]],
    given: PlanSettings,
    assembling_rate: Rate | None = None,
    *,
    is_assembled: bool = True,
) -> list[Missing]:
    """For each captioner and each language's translators, and what comes after. A caption that is missing will have to
    be translated too. assembling_rate: as a sample showed it, where no assembly was measured. is_assembled: whether
    there is a build of the answers that are there; it may be all that is left.
    """

    def rate(maker: Maker, per_s: float | None) -> Rate | None:
        known = known_rate(measured, maker.fingerprint)
        return Rate(per_s=per_s, fixed_s=0.0, chars=known.chars if known else 0.0) if per_s else known

    captions = found.captions()
    captioning = [
        Missing(
            what=CAPTIONS,
            where=", ".join(styles),
            model=maker.model,
            items=sum(captions[style] for style in styles),
            rate=rate(maker, given.captions_per_s),
            beside=share_beside(measured, maker.fingerprint),
        )
        for maker, styles in _styles_of(makers).items()
    ]
    translations = [
        Missing(
            what=TRANSLATIONS,
            where=language,
            model=maker.model,
            items=found.translations([(language, number)]).questions + captions.total(),
            rate=rate(maker, given.translations_per_s),
            beside=share_beside(measured, maker.fingerprint),
        )
        for language, several in makers.translators.items()
        for number, maker in enumerate(several)
    ]
    rephrasings = [
        Missing(
            what=REPHRASINGS,
            where=language,
            model=maker.model,
            items=found.rephrasings([language]).questions
            + sum(one.items for one in translations if one.where == language),
            rate=rate(maker, given.translations_per_s),
        )
        for language, maker in makers.rephrasers.items()
    ]
    assembling = Missing(
        what="images",
        where="filtered and written",
        model=ASSEMBLE,
        items=found.images if captions or _is_more_missing(found) or not is_assembled else 0,
        rate=known_rate(measured, ASSEMBLE) or assembling_rate or Rate(per_s=ASSEMBLED_PER_S, fixed_s=0.0, chars=0.0),
    )
    texts_to_come = sum(one.items for one in (*translations, *rephrasings))
    scores = _missing_scores(found, makers, texts_to_come, rate)
    again = _missing_candidates(found, makers, given, rate)
    return [*captioning, *translations, *rephrasings, *scores, *again, assembling]


def _styles_of(makers: Makers) -> dict[Maker, list[str]]:
    found: dict[Maker, list[str]] = {}
    for style, maker in makers.captioners.items():
        found.setdefault(maker, []).append(style)
    return found


def _missing_scores(found: Survey, makers: Makers, texts_to_come: int, rate: RateOf) -> list[Missing]:
    """Each text that is still to come will have to be scored too."""
    return [
        Missing(
            what=SCORES,
            where=what,
            model=maker.model,
            items=found.scores(what).questions + texts_to_come,
            rate=rate(maker, None),
        )
        for what, maker in makers.scorers.items()
    ]


def _missing_candidates(found: Survey, makers: Makers, given: PlanSettings, rate: RateOf) -> list[Missing]:
    """Texts to ask again for, as far as scores say so today."""
    return [
        Missing(
            what=CANDIDATES,
            where=language,
            model=candidates[0].model,
            items=found.again([(language, number, one) for one in range(len(candidates))]).questions,
            rate=rate(candidates[0], given.translations_per_s)
            or rate(makers.translators[language][number], given.translations_per_s),
        )
        for (language, number), candidates in (makers.again.candidates.items() if makers.again else ())
    ]


def _is_more_missing(found: Survey) -> bool:
    """Besides captions."""
    return any(asked.questions for asked in (found.translations(), found.rephrasings(), found.scores(), found.again()))


def tell(
    say: Callable[[str], None],
    *,
    images: int,
    missing: Sequence[Missing],
    image_bytes: int,
    given: PlanSettings,
    is_beside: bool = False,
) -> None:
    """The plan on the screen. is_beside: as in `hours_of`."""
    say(f"images     {images:,}")
    for one in (one for one in missing if one.model != ASSEMBLE):
        where = f"{one.where} ({NAMES[one.where]})" if one.where in NAMES else one.where
        speed = f"{one.rate.per_s:,.1f}/s" if one.rate else "speed unknown"
        amount = speed if one.what == SCORES else f"about {one.tokens:,} tokens of answers, {speed}"
        say(f"missing    {one.items:,} {one.what} of {one.model}, {where}: {amount}")
    texts = sum(one.items for one in missing if one.model != ASSEMBLE and one.what != SCORES)
    say(f"disk       about {(image_bytes + texts * BYTES_OF_A_TEXT) / 1e9:,.2f} GB in OUT")
    unknown = sorted({one.model for one in missing if one.rate is None and one.items})
    if unknown:
        say(f"time       unknown for {', '.join(unknown)}: SAMPLE=20 measures it, or [plan] in the recipe says it")
        return
    for machines in MACHINES:
        hours = hours_of(missing, machines, is_beside=is_beside)
        cost = f", cost {hours * machines * given.cost_per_hour:,.2f}" if given.cost_per_hour else ""
        say(f"time       {machines} machine{'s' * (machines > 1)}: {in_words(hours)}{cost}")


def hours_of(missing: Sequence[Missing], machines: int, *, is_beside: bool = False) -> float:
    """Of asking, one model after the other. What languages of one translator share is counted once, and of the first
    translator's start only what captioning does not cover: its server comes up meanwhile.

    is_beside: whether one machine has room for the first translator beside the last captioner. It then begins with the
    first range of keys that is captioned, and ends after the last; while both work, each has the share of its speed
    that was measured (`Missing.beside`). On several machines they stay apart.
    """
    captioning = [one for one in missing if one.what == CAPTIONS and one.items]
    last = sum(one.seconds(machines) for one in captioning if one.model == captioning[-1].model)
    before = sum(one.seconds(machines) for one in captioning) - last
    own_start_s = max((one.rate.start_s for one in captioning[-1:] if one.rate), default=0.0)
    first = next((one.model for one in missing if one.what == TRANSLATIONS and one.items), "")
    start_s, translating, others = 0.0, 0.0, 0.0
    known: set[tuple[str, str]] = set()
    for one in (one for one in missing if one.what != CAPTIONS and one.items):
        rate, is_known = one.rate or NO_RATE, (one.what, one.model) in known
        seconds = one.seconds(machines) - (rate.start_s + rate.fixed_s) * is_known
        if (one.what, one.model) == (TRANSLATIONS, first):
            start_s = max(start_s, rate.start_s)
            translating += seconds - rate.start_s * (not is_known)
        else:
            others += seconds
        known.add((one.what, one.model))
    to_wait_for = max(0.0, start_s - before)
    if is_beside and machines == 1:
        alone_s = max(to_wait_for, own_start_s + (last - own_start_s) / LEAST_RANGES)
        keeps = next((one.beside for one in missing if (one.what, one.model) == (TRANSLATIONS, first)), 1.0)
        rest = max(0.0, last - alone_s), translating
        both = alone_s + beside_s(*rest, shares=(captioning[-1].beside if captioning else 1.0, keeps))
    else:
        both = max(last, to_wait_for) + translating
    return (before + both + others) / 3600


def beside_s(captioning_s: float, translating_s: float, *, shares: tuple[float, float]) -> float:
    """Of both at once, from seconds that each would take alone and the share of its speed that it keeps meanwhile. The
    last range of keys is translated when all is captioned.
    """
    of_captioner, of_translator = shares
    at_once = min(captioning_s / of_captioner, translating_s * (1 - 1 / LEAST_RANGES) / of_translator)
    return at_once + (captioning_s - at_once * of_captioner) + (translating_s - at_once * of_translator)


def in_words(hours: float) -> str:
    seconds = hours * 3600
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{hours:,.1f} h"


def plan(recipe: Recipe, say: Callable[[str], None], *, sample: int = 0) -> None:
    """Tell what a run of this recipe would take. `sample`: images that are captioned and translated first, to measure.

    Raises RecipeError, OutInUse, ServerError, OSError.
    """
    from florenz.pipeline.asking import ask
    from florenz.pipeline.assemble.build import assembly_of, build_name, is_assembled
    from florenz.pipeline.run import opened, read_images
    from florenz.pipeline.scoring import prove_scorers, score

    with opened(recipe, say) as this:
        index = read_images(this)
        if sample:
            prove_scorers(this, index)
        keys = _first_lacking(this.survey(index), recipe, this.answers, sample)
        for some in (keys[: len(keys) // 4], keys):  # two sizes tell a step's own time from that of its items
            ask(this, index, some)
            score(this, index, some)
        if keys and this.has_room_beside:
            from florenz.pipeline.plan_beside import measure_beside

            measure_beside(this, work_of(index, this.answers, keys))
        measured, assembling = read_rates(recipe.out), None
        assembly, found = assembly_of(recipe, this.makers), this.survey(index)
        if keys and ASSEMBLE not in measured:
            from florenz.pipeline.plan_assembly import assembly_rate

            assembling = assembly_rate(assembly, index, this.answers, set(keys), recipe.running)
        missing = missing_by_model(
            found,
            this.makers,
            measured,
            recipe.plan,
            assembling,
            is_assembled=is_assembled(recipe.out, build_name(assembly, found)),
        )
        image_bytes = this.image_bytes
        tell(
            say,
            images=index.num_images,
            missing=missing,
            image_bytes=image_bytes,
            given=recipe.plan,
            is_beside=this.has_room_beside or BESIDE in measured,
        )


def _first_lacking(found: Survey, recipe: Recipe, answers: CurrentAnswers, number: int) -> list[str]:
    """Keys of so many images that lack a caption, or, where none does, a translation."""
    ranges = found.lacking_captions(recipe.styles)
    missing = missing_captions if ranges else missing_translations
    keys: list[str] = []
    for work in ranges or found.lacking_translations():
        if len(keys) >= number:
            break
        keys += sorted({task.key for task in missing(work, recipe.out, answers)})
    return keys[:number]
