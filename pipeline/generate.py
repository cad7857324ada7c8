"""Steps 2 and 3 as graphs: what the ledger lacks -> the models -> the ledger.

Each graph starts from a list of what is missing and ends in the ledger, so a run that was cut off, at any point, goes
on by being started again. Captioning and translating are two graphs and not one, because the second needs a server that
takes longer to start than a thousand captions take: it starts while the first graph runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.captioner import CaptionHandler, CaptionTask
from pipeline.ledger import CaptionRow, Ledger, fingerprint, fingerprint_of_model
from pipeline.progress import ProgressAddress
from pipeline.recipe import Captioner, Recipe
from pipeline.styles import TASK_OF_STYLE
from pipeline.translation import TranslationHandler, TranslationTask
from translators.prompts import prompt_text
from translators.settings import TranslatorSettings


def caption_fingerprint(settings: Captioner) -> str:
    """Stands for everything that decides a caption: weights, the styles' prompts, search, precision."""
    return fingerprint(
        {
            "model": fingerprint_of_model(settings.model, settings.revision),
            "tasks": TASK_OF_STYLE,
            "max_new_tokens": settings.max_new_tokens,
            "num_beams": settings.num_beams,
            "dtype": settings.dtype,
        }
    )


def translation_fingerprint(settings: TranslatorSettings) -> str:
    """Stands for everything that decides a translation but the English text: weights, prompt, sampling."""
    return fingerprint(
        {
            "model": fingerprint_of_model(settings.model, settings.revision),
            "prompt": prompt_text(settings.prompt),
            "sampling": settings.sampling(),
        }
    )


def missing_captions(recipe: Recipe, images: Mapping[str, str], ledger: Ledger) -> list[CaptionTask]:
    """What the captioner has to be asked for: images with a style that has no answer yet, in the order of keys."""
    answered = ledger.read_captions(caption_fingerprint(recipe.captioner))
    tasks = []
    for key, source in sorted(images.items()):
        styles = tuple(style for style in recipe.captioner.styles if (key, style) not in answered)
        if styles:
            tasks.append(CaptionTask(key=key, source=source, styles=styles))
    return tasks


def missing_translations(recipe: Recipe, images: Mapping[str, str], ledger: Ledger) -> list[TranslationTask]:
    """What the translator has to be asked for, language by language: captions with a text that has no answer there."""
    captions = _wanted_captions(recipe, images, ledger)
    print_of_translator = translation_fingerprint(recipe.translator.settings)
    tasks = []
    for language in recipe.languages:
        answered = ledger.read_translations(language, print_of_translator)
        tasks += [
            TranslationTask(key=row.key, style=row.style, language=language, source_text=row.text)
            for row in captions
            if row.text and (row.key, row.style, row.text) not in answered
        ]
    return tasks


def _wanted_captions(recipe: Recipe, images: Mapping[str, str], ledger: Ledger) -> list[CaptionRow]:
    captions = ledger.read_captions(caption_fingerprint(recipe.captioner))
    return [row for (key, style), row in sorted(captions.items()) if key in images and style in recipe.captioner.styles]


def run_captioning(
    recipe: Recipe, tasks: Sequence[CaptionTask], options: PipelineOptions, progress: ProgressAddress
) -> None:
    handler = CaptionHandler(
        recipe.captioner,
        out=recipe.out,
        fingerprint=caption_fingerprint(recipe.captioner),
        max_bytes=recipe.images.max_bytes,
        max_pixels=recipe.images.max_pixels,
        progress=progress,
    )
    with beam.Pipeline(options=options) as pipeline:
        _ = pipeline | "missing captions" >> beam.Create(tasks) | "caption" >> RunInference(handler)


def run_translation(
    recipe: Recipe, tasks: Sequence[TranslationTask], endpoint: str, options: PipelineOptions, progress: ProgressAddress
) -> None:
    handler = TranslationHandler(
        recipe.translator.settings,
        endpoint=endpoint,
        out=recipe.out,
        fingerprint=translation_fingerprint(recipe.translator.settings),
        progress=progress,
    )
    with beam.Pipeline(options=options) as pipeline:
        _ = pipeline | "missing translations" >> beam.Create(tasks) | "translate" >> RunInference(handler)
