"""Steps 2 and 3 as graphs: what the ledger lacks -> the models -> the ledger.

Each graph starts from a list of what is missing and ends in the ledger, so a run that was cut off, at any point, goes
on by being started again. Captioning and translating are two graphs and not one, because the second needs a server that
takes longer to start than a thousand captions take: it starts while the first graph runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import apache_beam as beam

from florenz.captioners.contract import CaptionerSettings
from florenz.pipeline.answers.captioning import Caption
from florenz.pipeline.answers.makers import style_fingerprints, translator_fingerprint
from florenz.pipeline.answers.questions import CaptionTask, TranslationTask
from florenz.pipeline.answers.translation import Translate
from florenz.pipeline.budget import UNLIMITED, Budget
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import facts_of, graph, workers_progress
from florenz.pipeline.workers.given import given
from florenz.translators.settings import TranslatorSettings


def run_captioning(
    recipe: Recipe,
    tasks: Sequence[CaptionTask],
    progress: ProgressAddress,
    settings: CaptionerSettings | None = None,
    budget: Budget = UNLIMITED,
) -> None:
    """All tasks are one captioner's, the recipe's first unless `settings` are another's."""
    settings = settings or recipe.captioner
    caption = Caption(
        settings,
        out=recipe.out,
        fingerprints=style_fingerprints(settings),
        budget=budget,
        max_bytes=recipe.images.max_bytes,
        max_pixels=recipe.images.max_pixels,
        max_side_ratio=recipe.images.max_side_ratio,
        limits=recipe.limits,
        progress=workers_progress(recipe.running, progress),
    )
    tasks = [
        replace(task, styles=tuple(style.removeprefix(settings.prefix) for style in task.styles)) for task in tasks
    ]
    asking = beam.ParDo(caption).with_resource_hints(**facts_of(recipe.running).gpu_hints)
    with graph(recipe.running, "caption", progress) as pipeline:
        _ = pipeline | "missing captions" >> given(tasks, recipe.running) | "caption" >> asking


def run_translation(
    recipe: Recipe,
    tasks: Sequence[TranslationTask],
    endpoints: Sequence[str],
    progress: ProgressAddress,
    settings: TranslatorSettings | None = None,
    budget: Budget = UNLIMITED,
) -> None:
    """All tasks are one translator's, the recipe's first unless `settings` are another's."""
    settings = settings or recipe.translator.settings
    translate = Translate(
        settings,
        endpoints=endpoints,
        out=recipe.out,
        fingerprint=translator_fingerprint(recipe, settings),
        budget=budget,
        progress=workers_progress(recipe.running, progress),
        limits=recipe.limits,
    )
    asking = beam.ParDo(translate)
    if not endpoints:  # the model is at the worker; named endpoints need no GPU there
        asking = asking.with_resource_hints(**facts_of(recipe.running).gpu_hints)
    with graph(recipe.running, "translate", progress) as pipeline:
        _ = pipeline | "missing translations" >> given(tasks, recipe.running) | "translate" >> asking
