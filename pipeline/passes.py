"""One pass of questions to one server: a translator's over captions, or a rephraser's over translations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.survey import Asked, Survey
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.routing import Rephraser, languages_of
from florenz.pipeline.serving import Serving

if TYPE_CHECKING:
    import apache_beam as beam


@dataclass(frozen=True, kw_only=True)
class Pass:
    """step: the graph's name. what: it asks for. missing: how much of that; tasks: gives the questions."""

    serving: Serving
    step: str
    what: str
    missing: Callable[[Survey], Asked]
    tasks: Callable[[Survey], beam.PTransform]


def pass_of(recipe: Recipe, answers: CurrentAnswers, serving: Serving) -> Pass:
    translator = serving.translator
    if isinstance(translator, Rephraser):
        return _rephrasing(recipe, answers, serving, languages_of(translator, recipe.languages))
    routes = [
        (language, number)
        for language in recipe.languages
        for number, one in enumerate(recipe.translators_of(language))
        if one == translator
    ]

    def tasks(found: Survey) -> beam.PTransform:
        from florenz.pipeline.answers.graphs import translations_missing_in

        return translations_missing_in(found.lacking_translations(routes), recipe, answers, routes)

    return Pass(
        serving=serving,
        step="translate",
        what="translations",
        missing=lambda found: found.translations(routes),
        tasks=tasks,
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
