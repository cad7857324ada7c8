"""The dataset's translator as a baseline: what Florenz would have to beat, asked about the same texts.

[translator] in a training's recipe has the keys of [translator] in the dataset's recipe, and `endpoint`: a server with
an OpenAI-compatible API that runs already (`vllm serve MODEL`). It is asked where a published benchmark is scored.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from florenz.languages.codes import NAMES
from florenz.translators.settings import TranslatorSettings

Translate = Callable[[Sequence[str], str], list[str]]
"""English texts, language -> their translations, in order; none at all for a language that it does not know."""


@dataclass(frozen=True, kw_only=True)
class BaselineTranslator(TranslatorSettings):
    """[translator]: the model and how it is asked."""

    endpoint: str
    """Its server, like http://127.0.0.1:8000/v1."""


def problems(settings: BaselineTranslator) -> list[str]:
    """Why it can't be asked, before a model is loaded: a line for each reason."""
    # Imported late, here and below: recipes are read without HTTP clients.
    from florenz.translators.endpoint import ServerError, check_endpoint
    from florenz.translators.prompts import render_problems

    try:
        family = settings.family_itself()
        known = [one for one in family.languages or NAMES if not family.language_problem(one, settings.model)]
        check_endpoint(settings.endpoint, settings.model, key_variable=settings.key_variable)
        found = render_problems(settings, known[:1])
    except (ServerError, ValueError) as problem:
        found = [str(problem)]
    return [f"[translator] {problem}" for problem in found]


def translate_with(settings: BaselineTranslator) -> Translate:
    """Asks the server; a text that it has no translation for becomes an empty one. `StreamError` for a server that is
    lost on the way."""
    from florenz.train.data.tar_index import StreamError
    from florenz.translators.client import Client
    from florenz.translators.endpoint import ServerError

    client, family = Client(settings.endpoint, settings.model, settings), settings.family_itself()

    def translate(texts: Sequence[str], language: str) -> list[str]:
        if family.language_problem(language, settings.model):
            return []
        try:
            with _quiet("florenz.translators.stream"):  # a server that is lost is told once, as the error
                return [answer.text for answer in client.translate(texts, language)]
        except ServerError as problem:
            lost = str(problem).partition("; ")[0]  # what comes then is advice for datasets
            raise StreamError(f"[translator] {lost}; see whether the server lives, then score anew") from problem

    return translate


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """No warnings of this logger while the block runs."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
