"""One pass of questions to one server: a translator's over captions, a rephraser's over translations, or a translator's
once more over captions whose translations are not good enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from florenz.pipeline.answers.captioned import Feed
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.makers import candidate_settings
from florenz.pipeline.answers.surveyed import Asked, Route, Survey
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.routing import Rephraser, Translator, languages_of
from florenz.pipeline.serving import Serving
from florenz.scorers.contract import ScorerSettings
from florenz.translators.settings import TranslatorSettings

if TYPE_CHECKING:
    import apache_beam as beam


@dataclass(frozen=True, kw_only=True)
class Pass:
    """step: the graph's name. what: it asks for. missing: how much of that; tasks: gives the questions.

    routes: (language, number of its translator), those that a translator serves; none for a rephraser, which can't
    begin before the translator has ended. tasks_beside: gives the questions while captions are still being made.
    """

    serving: Serving
    step: str
    what: str
    missing: Callable[[Survey], Asked]
    tasks: Callable[[Survey], beam.PTransform]
    routes: Sequence[Route] = ()
    tasks_beside: Callable[[Feed, ProgressAddress], beam.PTransform] | None = None
    asked_as: TranslatorSettings | None = None
    """Where it is asked otherwise than the recipe's translator."""

    @property
    def settings(self) -> TranslatorSettings:
        return self.asked_as or self.serving.translator.settings


def pass_of(recipe: Recipe, answers: CurrentAnswers, serving: Serving) -> Pass:
    translator = serving.translator
    if isinstance(translator, Rephraser):
        return _rephrasing(recipe, answers, serving, languages_of(translator, recipe.languages))
    routes = _routes(recipe, translator)

    def tasks(found: Survey) -> beam.PTransform:
        from florenz.pipeline.answers.graphs import translations_missing_in

        return translations_missing_in(found.lacking_translations(routes), recipe, answers, routes)

    def tasks_beside(feed: Feed, progress: ProgressAddress) -> beam.PTransform:
        from florenz.pipeline.answers.graphs import translations_as_captioned

        return translations_as_captioned(feed, recipe, answers, routes, progress)

    return Pass(
        serving=serving,
        step="translate",
        what="translations",
        missing=lambda found: found.translations(routes),
        tasks=tasks,
        routes=routes,
        tasks_beside=tasks_beside,
    )


def _routes(recipe: Recipe, translator: Translator) -> list[Route]:
    return [
        (language, number)
        for language in recipe.languages
        for number, one in enumerate(recipe.translators_of(language))
        if one == translator
    ]


def passes_again(recipe: Recipe, answers: CurrentAnswers, serving: Serving, scorer: ScorerSettings) -> list[Pass]:
    """One for each candidate after the first; none for a rephraser."""
    translator = serving.translator
    if isinstance(translator, Rephraser):
        return []
    settings = candidate_settings(translator.settings, scorer)
    return [_again(recipe, answers, serving, one, candidate) for candidate, one in enumerate(settings)]


def _again(
    recipe: Recipe, answers: CurrentAnswers, serving: Serving, settings: TranslatorSettings, candidate: int
) -> Pass:
    routes = [(*route, candidate) for route in _routes(recipe, serving.translator)]

    def tasks(found: Survey) -> beam.PTransform:
        from florenz.pipeline.answers.graphs import candidates_missing_in

        return candidates_missing_in(found.lacking_again(routes), recipe, answers, routes)

    return Pass(
        serving=serving,
        step="again",
        what="candidates",
        missing=lambda found: found.again(routes),
        tasks=tasks,
        asked_as=settings,
    )


def _rephrasing(recipe: Recipe, answers: CurrentAnswers, serving: Serving, languages: tuple[str, ...]) -> Pass:
    def tasks(found: Survey) -> beam.PTransform:
        from florenz.pipeline.answers.graphs import rephrasings_missing_in

        return rephrasings_missing_in(found.lacking_rephrasings(languages), recipe, answers, languages)

    return Pass(
        serving=serving,
        step="rephrase",
        what="rephrasings",
        missing=lambda found: found.rephrasings(languages),
        tasks=tasks,
    )
