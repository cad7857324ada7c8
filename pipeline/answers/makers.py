"""Who gives the answers of a run: one captioner, and for each language a translator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from florenz.captioners.contract import CaptionerSettings, kind_of
from florenz.pipeline.recipe import Recipe
from florenz.recipes.fingerprints import fingerprint
from florenz.stores.models import fingerprint_of_model
from florenz.translators.prompts import prompt_text
from florenz.translators.settings import TranslatorSettings


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A model as the recipe names it, and what stands for everything that decides its answers."""

    model: str
    fingerprint: str

    def __str__(self) -> str:
        """As it stands in the provenance of a sample."""
        return f"{self.model} ({self.fingerprint})"


@dataclass(frozen=True, kw_only=True)
class Makers:
    """translators: target language -> its translator."""

    captioner: Maker
    translators: Mapping[str, Maker]


def makers_of(recipe: Recipe) -> Makers:
    captioner, settings = recipe.captioner, recipe.translator.settings
    translator = Maker(model=settings.model, fingerprint=translation_fingerprint(settings))
    return Makers(
        captioner=Maker(model=captioner.model, fingerprint=caption_fingerprint(captioner)),
        translators=dict.fromkeys(recipe.languages, translator),
    )


@cache  # a folder's weights are hashed for it, which takes a minute for a large model
def caption_fingerprint(settings: CaptionerSettings) -> str:
    """Stands for everything that decides a caption; the captioner's kind says what that is."""
    return fingerprint(kind_of(settings).fingerprint_parts(settings))


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
