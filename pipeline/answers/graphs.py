"""Steps 2 and 3, and scores, as graphs: what the ledger lacks -> the models -> the ledger.

Each graph starts from ranges in which something is missing, finds out there what it is, and ends in the ledger, so a
run that was cut off, at any point, goes on by being started again. No process holds all questions. Captioning and
translating are two graphs and not one, because the second needs a server that takes longer to start than a thousand
captions take: it starts while the first graph runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

import apache_beam as beam

from florenz.captioners.contract import CaptionerSettings
from florenz.pipeline.answers.captioned import Captioned, Feed
from florenz.pipeline.answers.captioning import Caption
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.makers import score_fingerprint, style_fingerprints, translator_fingerprint
from florenz.pipeline.answers.pictures import PictureReader
from florenz.pipeline.answers.questions import CaptionTask, TranslationTask
from florenz.pipeline.answers.ranges import (
    RangeWork,
    missing_candidates,
    missing_captions,
    missing_rephrasings,
    missing_scores,
    missing_translations,
)
from florenz.pipeline.answers.scoring import Score
from florenz.pipeline.answers.translation import Translate
from florenz.pipeline.budget import UNLIMITED, Budget
from florenz.pipeline.progress import ProgressAddress, tell_total
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import facts_of, graph, workers_progress
from florenz.pipeline.workers.given import given
from florenz.translators.settings import TranslatorSettings


def captions_missing_in(
    ranges: Sequence[RangeWork], recipe: Recipe, answers: CurrentAnswers, styles: Collection[str]
) -> beam.PTransform:
    """The questions for `run_captioning` in these styles, found by the workers."""
    find = partial(missing_captions, out=recipe.out, answers=answers, styles=styles)
    return given(ranges, recipe.running) | "missing captions" >> beam.FlatMap(find)


def translations_missing_in(
    ranges: Sequence[RangeWork], recipe: Recipe, answers: CurrentAnswers, routes: Collection[tuple[str, int]]
) -> beam.PTransform:
    """The questions for `run_translation` by these routes."""
    find = partial(missing_translations, out=recipe.out, answers=answers, routes=routes)
    return given(ranges, recipe.running) | "missing translations" >> beam.FlatMap(find)


def translations_as_captioned(
    feed: Feed,
    recipe: Recipe,
    answers: CurrentAnswers,
    routes: Collection[tuple[str, int]],
    progress: ProgressAddress,
) -> beam.PTransform:
    """The same beside a captioner, by workers that are threads of this process: each range when it is complete."""
    find = partial(_next_translations, feed=feed, out=recipe.out, answers=answers, routes=routes, progress=progress)
    return given(feed.tickets, recipe.running) | "missing translations" >> beam.FlatMap(find)


def _next_translations(
    ticket: int,
    feed: Feed,
    out: str,
    answers: CurrentAnswers,
    routes: Collection[tuple[str, int]],
    progress: ProgressAddress,
) -> Iterator[TranslationTask]:
    """Of one range into one language, whichever the feed hands out next."""
    if (handed := feed.next()) is None:
        return
    language, work = handed
    found = missing_translations(work, out, answers, [route for route in routes if route[0] == language])
    in_all = feed.note_found(language, work.range, [task.source_text for task in found])
    if in_all is not None:
        tell_total(progress, "translate", in_all)
    yield from found


def rephrasings_missing_in(
    ranges: Sequence[RangeWork], recipe: Recipe, answers: CurrentAnswers, languages: Collection[str]
) -> beam.PTransform:
    """The questions for `run_translation` with a rephraser, in these languages."""
    find = partial(missing_rephrasings, out=recipe.out, answers=answers, languages=languages)
    return given(ranges, recipe.running) | "missing rephrasings" >> beam.FlatMap(find)


def candidates_missing_in(
    ranges: Sequence[RangeWork], recipe: Recipe, answers: CurrentAnswers, routes: Collection[tuple[str, int, int]]
) -> beam.PTransform:
    """The questions for `run_translation` with a translator that is asked again, by these routes."""
    find = partial(missing_candidates, out=recipe.out, answers=answers, routes=routes)
    return given(ranges, recipe.running) | "missing candidates" >> beam.FlatMap(find)


def scores_missing_in(
    ranges: Sequence[RangeWork], recipe: Recipe, answers: CurrentAnswers, what: str
) -> beam.PTransform:
    """The questions for `run_scoring` of this."""
    find = partial(missing_scores, out=recipe.out, answers=answers, what=what)
    return given(ranges, recipe.running) | "missing scores" >> beam.FlatMap(find)


def run_captioning(
    recipe: Recipe,
    tasks: beam.PTransform,
    progress: ProgressAddress,
    settings: CaptionerSettings | None = None,
    budget: Budget = UNLIMITED,
    digits: int = 0,
    captioned: Captioned | None = None,
) -> None:
    """tasks: gives CaptionTasks, all of one captioner, the recipe's first unless `settings` are another's.

    digits: of the ranges that the ledger is written for. captioned: as in `Caption`.
    """
    settings = settings or recipe.captioner
    caption = Caption(
        settings,
        out=recipe.out,
        fingerprints=style_fingerprints(settings),
        budget=budget,
        digits=digits,
        captioned=captioned,
        max_bytes=recipe.images.max_bytes,
        max_pixels=recipe.images.max_pixels,
        max_side_ratio=recipe.images.max_side_ratio,
        limits=recipe.limits,
        progress=workers_progress(recipe.running, progress),
    )
    own = partial(_in_own_styles, prefix=settings.prefix)
    asking = _asking(caption, recipe, settings.running_servers)
    with graph(recipe.running, "caption", progress) as pipeline:
        _ = pipeline | "captions" >> tasks | "own styles" >> beam.Map(own) | "caption" >> asking


def _in_own_styles(task: CaptionTask, prefix: str) -> CaptionTask:
    return replace(task, styles=tuple(style.removeprefix(prefix) for style in task.styles))


def run_translation(
    recipe: Recipe,
    tasks: beam.PTransform,
    endpoints: Sequence[str],
    progress: ProgressAddress,
    settings: TranslatorSettings | None = None,
    budget: Budget = UNLIMITED,
    digits: int = 0,
    step: str = "translate",
    feed: Feed | None = None,
) -> None:
    """tasks: gives TranslationTasks, all of one translator, the recipe's first unless `settings` are another's.
    endpoints, digits, feed: as in `Translate` and `run_captioning`. step: "rephrase" for a rephraser.
    """
    settings = settings or recipe.translator.settings
    translate = Translate(
        settings,
        endpoints=endpoints,
        out=recipe.out,
        fingerprint=translator_fingerprint(recipe, settings),
        budget=budget,
        digits=digits,
        progress=workers_progress(recipe.running, progress),
        limits=recipe.limits,
        step=step,
        feed=feed,
    )
    asking = _asking(translate, recipe, endpoints)
    with graph(recipe.running, step, progress) as pipeline:
        _ = pipeline | "translations" >> tasks | "translate" >> asking


def run_scoring(
    recipe: Recipe,
    what: str,
    tasks: beam.PTransform,
    progress: ProgressAddress,
    budget: Budget = UNLIMITED,
    digits: int = 0,
) -> None:
    """tasks: gives ScoreTasks, all of what is scored here. budget, digits: as in `run_captioning`."""
    settings = recipe.scorers[what]
    score = Score(
        settings,
        what=what,
        reader=PictureReader(
            max_bytes=recipe.images.max_bytes,
            max_pixels=recipe.images.max_pixels,
            max_side_ratio=recipe.images.max_side_ratio,
            limits=recipe.limits,
        ),
        out=recipe.out,
        fingerprint=score_fingerprint(settings),
        progress=workers_progress(recipe.running, progress),
        budget=budget,
        digits=digits,
    )
    asking = _asking(score, recipe)
    with graph(recipe.running, "score", progress) as pipeline:
        _ = pipeline | "texts" >> tasks | "score" >> asking


def _asking(step: beam.DoFn, recipe: Recipe, endpoints: Sequence[str] = ()) -> beam.PTransform:
    """A step that asks a model: on a GPU of the worker, unless it is asked at named endpoints."""
    asking = beam.ParDo(step)
    return asking if endpoints else asking.with_resource_hints(**facts_of(recipe.running).gpu_hints)
