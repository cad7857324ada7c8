"""Who gives the answers of a run: for each style a captioner, and for each language a translator, or several; and
who scores them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from florenz.captioners.contract import CaptionerSettings, kind_of
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.scored import asking_again
from florenz.recipes.fingerprints import fingerprint
from florenz.scorers.contract import Facts, ScorerSettings
from florenz.scorers.contract import kind_of as kind_of_scorer
from florenz.stores.models import fingerprint_of_served
from florenz.translators.settings import TranslatorSettings


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A model as the recipe names it, and what stands for everything that decides its answers."""

    model: str
    fingerprint: str
    prefix: str = ""
    """Of a captioner: what its styles begin with, but not in the ledger."""

    context: str = ""
    """Of a translator: the style whose caption it is shown beside the one that it translates."""

    def __str__(self) -> str:
        """As it stands in the provenance of a sample."""
        return f"{self.model} ({self.fingerprint})"


@dataclass(frozen=True, kw_only=True)
class Again:
    """what: the score that decides. candidates: language and number of its translator -> it as it is asked again, with
    other sampling each time.
    """

    what: str
    threshold: float
    facts: Facts
    candidates: Mapping[tuple[str, int], tuple[Maker, ...]]

    def is_too_bad(self, score: float | None) -> bool:
        return score is not None and self.facts.is_worse(score, self.threshold)


@dataclass(frozen=True, kw_only=True)
class Makers:
    """In the recipe's order: captioners, style -> its captioner; translators, target language -> its translators."""

    captioners: Mapping[str, Maker]
    translators: Mapping[str, tuple[Maker, ...]]
    rephrasers: Mapping[str, Maker] = field(default_factory=dict)
    """Target language -> who puts the translations into it better, where somebody does."""

    scorers: Mapping[str, Maker] = field(default_factory=dict)
    """What is scored -> by whom."""

    again: Again | None = None
    """Who is asked again for what is worse than a threshold, where somebody is."""


def makers_of(recipe: Recipe) -> Makers:
    return Makers(
        captioners={style: maker for one in recipe.captioners for style, maker in _captioners(one).items()},
        translators={
            language: tuple(_translator(recipe, one.settings) for one in recipe.translators_of(language))
            for language in recipe.languages
        },
        rephrasers={
            language: _translator(recipe, one.settings)
            for language in recipe.languages
            if (one := recipe.rephraser_of(language)) is not None
        },
        scorers={
            what: Maker(model=one.model, fingerprint=score_fingerprint(one)) for what, one in recipe.scorers.items()
        },
        again=_again(recipe),
    )


def _again(recipe: Recipe) -> Again | None:
    found = asking_again(recipe.scorers)
    if found is None:
        return None
    what, settings = found
    assert settings.threshold is not None, "its settings are refused without one"
    return Again(
        what=what,
        threshold=settings.threshold,
        facts=kind_of_scorer(settings).facts(settings),
        candidates={
            (language, number): tuple(
                _translator(recipe, one) for one in candidate_settings(translator.settings, settings)
            )
            for language in recipe.languages
            for number, translator in enumerate(recipe.translators_of(language))
        },
    )


def candidate_settings(settings: TranslatorSettings, scorer: ScorerSettings) -> list[TranslatorSettings]:
    """The translator as it is asked for each candidate after the first."""
    return [
        replace(settings, temperature=scorer.temperature, seed=settings.seed + number)
        for number in range(1, scorer.candidates)
    ]


def _captioners(settings: CaptionerSettings) -> dict[str, Maker]:
    """Style -> the captioner as it is in that style."""
    prints = style_fingerprints(settings)
    return {
        settings.prefix + style: Maker(model=settings.model, fingerprint=print_, prefix=settings.prefix)
        for style, print_ in prints.items()
    }


def style_fingerprints(settings: CaptionerSettings) -> dict[str, str]:
    """Style, without prefix, -> what stands for all that decides its captions."""
    return {style: caption_fingerprint(settings.of_style(style)) for style in settings.styles}


def _translator(recipe: Recipe, settings: TranslatorSettings) -> Maker:
    return Maker(model=settings.model, fingerprint=translator_fingerprint(recipe, settings), context=settings.context)


def translator_fingerprint(recipe: Recipe, settings: TranslatorSettings) -> str:
    """As it stands in the ledger: with the captioner of the context, where it takes one."""
    own = translation_fingerprint(settings)
    if not settings.context:
        return own
    captioner = next(one for one in recipe.captioners if settings.context in one.told_styles)
    style = settings.context.removeprefix(captioner.prefix)
    return fingerprint({"translator": own, "context": caption_fingerprint(captioner.of_style(style))})


@cache  # a folder's weights are hashed for it, which takes a minute for a large model
def caption_fingerprint(settings: CaptionerSettings) -> str:
    """Stands for everything that decides a caption; the captioner's kind says what that is."""
    return fingerprint(kind_of(settings).fingerprint_parts(settings))


@cache
def score_fingerprint(settings: ScorerSettings) -> str:
    """Stands for everything that decides a score; the scorer's kind says what that is."""
    return fingerprint(kind_of_scorer(settings).fingerprint_parts(settings))


@cache
def translation_fingerprint(settings: TranslatorSettings) -> str:
    """Stands for everything that decides a translation but the English text: weights, prompt, sampling."""
    return fingerprint(
        {
            "model": fingerprint_of_served(settings.model, settings.revision),
            "prompt": settings.family_itself().identity(),
            "sampling": settings.sampling(),
        }
    )
