"""What the ledger lacks: the questions that the captioner and the translator still have to be asked.

Bookkeeping over recipe, index and ledger, apart from the graphs that ask: a run that finds nothing missing, as every
rerun does, then imports neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from florenz.captioners.styles import TASK_OF_STYLE
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.recipe import Captioner, Recipe
from florenz.recipes.fingerprints import fingerprint
from florenz.stores.models import fingerprint_of_model
from florenz.translators.prompts import prompt_text
from florenz.translators.settings import TranslatorSettings


@dataclass(frozen=True, kw_only=True)
class CaptionTask:
    """One image and the styles that the ledger has no caption for."""

    key: str
    source: str
    styles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TranslationTask:
    """One English caption that the ledger has no translation for, in one language."""

    key: str
    style: str
    language: str
    source_text: str


@cache  # a folder's weights are hashed for it, which takes a minute for a large model
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


@cache
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
    """What to ask the captioner: images with at least one style that has no answer, in the order of keys."""
    answered = ledger.read_captions(caption_fingerprint(recipe.captioner))
    tasks = []
    for key, source in sorted(images.items()):
        styles = tuple(style for style in recipe.captioner.styles if (key, style) not in answered)
        if styles:
            tasks.append(CaptionTask(key=key, source=source, styles=styles))
    return tasks


def missing_translations(recipe: Recipe, images: Mapping[str, str], ledger: Ledger) -> list[TranslationTask]:
    """What to ask the translator, language by language: captions with a text that has no answer there."""
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
