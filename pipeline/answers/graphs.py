"""Steps 2 and 3 as graphs: what the ledger lacks -> the models -> the ledger.

Each graph starts from a list of what is missing and ends in the ledger, so a run that was cut off, at any point, goes
on by being started again. Captioning and translating are two graphs and not one, because the second needs a server that
takes longer to start than a thousand captions take: it starts while the first graph runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from apache_beam.ml.inference.base import RunInference

from florenz.pipeline.answers.captioning import CaptionHandler
from florenz.pipeline.answers.makers import caption_fingerprint, translation_fingerprint
from florenz.pipeline.answers.questions import CaptionTask, TranslationTask
from florenz.pipeline.answers.translation import TranslationHandler
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import facts_of, graph, workers_progress
from florenz.pipeline.workers.given import given


def run_captioning(recipe: Recipe, tasks: Sequence[CaptionTask], progress: ProgressAddress) -> None:
    handler = CaptionHandler(
        recipe.captioner,
        out=recipe.out,
        fingerprint=caption_fingerprint(recipe.captioner),
        max_bytes=recipe.images.max_bytes,
        max_pixels=recipe.images.max_pixels,
        max_side_ratio=recipe.images.max_side_ratio,
        limits=recipe.limits,
        progress=workers_progress(recipe.running, progress),
    )
    asking = RunInference(handler).with_resource_hints(**facts_of(recipe.running).gpu_hints)
    with graph(recipe.running, "caption", progress) as pipeline:
        _ = pipeline | "missing captions" >> given(tasks, recipe.running) | "caption" >> asking


def run_translation(recipe: Recipe, tasks: Sequence[TranslationTask], endpoint: str, progress: ProgressAddress) -> None:
    handler = TranslationHandler(
        recipe.translator.settings,
        endpoint=endpoint,
        out=recipe.out,
        fingerprint=translation_fingerprint(recipe.translator.settings),
        progress=workers_progress(recipe.running, progress),
        limits=recipe.limits,
    )
    asking = RunInference(handler)
    if not endpoint:  # the model is at the worker; named endpoints need no GPU there
        asking = asking.with_resource_hints(**facts_of(recipe.running).gpu_hints)
    with graph(recipe.running, "translate", progress) as pipeline:
        _ = pipeline | "missing translations" >> given(tasks, recipe.running) | "translate" >> asking
