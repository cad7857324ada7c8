"""A family of translators joined to one model: source texts become prompts, answers become texts.

Prompts are finished here, on the client, chat template included: lists of raw prompts to /v1/completions came back
three times faster than one chat request per text. In exchange the client needs the model's tokenizer (never its
weights), and the server is told not to add special tokens, since a template writes its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from florenz.languages.codes import NAMES
from florenz.stores.models import bos_of, local_model
from florenz.translators.api import COMPLETIONS, Prompt
from florenz.translators.contract import ChatTemplate, Turns
from florenz.translators.family import Family
from florenz.translators.family_files import family_named, family_names
from florenz.translators.settings import TranslatorSettings

HARMLESS_TEXT = "a red car"  # tried before the work, and before a text is blamed for what a server says
MAX_FAULT_CHARS = 200


@dataclass(frozen=True, kw_only=True)
class PromptFamily:
    """`build(texts, language, language_names)` gives one finished prompt per text; `clean(answer, source)` the text.

    harmless: a text that every model of the family has an answer for. options: what a chat says to the template.
    """

    name: str
    build: Callable[[Sequence[str], str, Mapping[str, str]], Sequence[Prompt]]
    clean: Callable[[str, str], str]
    harmless: str = HARMLESS_TEXT
    api: str = COMPLETIONS
    max_source_chars: int | None = None  # what is longer is asked sentence by sentence
    options: Mapping[str, Any] = field(default_factory=dict)


def prompt_family(name: str, *, model: str = "", revision: str = "", family: Family | None = None) -> PromptFamily:
    """The family of this name, or the recipe's own that is given; one that asks through a chat template loads the
    model's tokenizer at its first prompt.

    Raises FamilyError for an unknown name; building raises ValueError, one line, for a model without a chat template, a
    template that fails and a language that the family can't name.
    """
    family = family or family_named(name)

    def build(texts: Sequence[str], language: str, language_names: Mapping[str, str]) -> list[str]:
        template = chat_template(name, model, revision) if family.needs_chat_template else None
        return family.prompts(texts, language, language_names, template)

    return PromptFamily(name=name, build=build, clean=family.clean)


def family_of(settings: TranslatorSettings) -> PromptFamily:
    """As these settings ask: with finished prompts, or with turns where the server has only chat. Raises FamilyError;
    building raises ValueError, one line, for a family whose prompts are no turns.
    """
    if settings.api == COMPLETIONS:
        named = settings.family_itself()
        family = prompt_family(named.name, model=settings.model, revision=settings.revision, family=named)
        return replace(family, max_source_chars=settings.max_source_chars)
    named = settings.family_itself()
    return PromptFamily(
        name=named.name,
        build=named.conversations,
        clean=named.clean,
        api=settings.api,
        max_source_chars=settings.max_source_chars,
        options=named.template if settings.template_options else {},
    )


def render_problems(settings: TranslatorSettings, languages: Sequence[str]) -> list[str]:
    """One prompt for each language, made before the work: a line for each thing that would stop it there."""
    if stranger := stranger_problem(settings):
        return [stranger]
    family, its_languages = family_of(settings), settings.family_itself()
    languages_of: dict[str, list[str]] = {}
    for language in languages:
        try:
            (prompt,) = family.build([HARMLESS_TEXT], language, NAMES)
            is_in = HARMLESS_TEXT in (prompt if isinstance(prompt, str) else json.dumps(prompt))
            problem = "" if is_in else _left_out(settings)
        except ValueError as fault:
            problem = str(fault)
        if problem := problem or its_languages.language_problem(language, settings.model):
            languages_of.setdefault(problem, []).append(language)
    # Most faults are the model's, and the same in every language.
    return [
        problem if len(found) == len(languages) else f"{problem} (asked for {', '.join(found)})"
        for problem, found in languages_of.items()
    ]


def needs_tokenizer(settings: TranslatorSettings) -> bool:
    """Whether its prompts go through the model's own template here, also where somebody else serves it."""
    return settings.api == COMPLETIONS and settings.family_itself().needs_chat_template


def stranger_problem(settings: TranslatorSettings) -> str:
    """A model that one of our families names, asked in the form of another; through its own chat template it may be.
    And one that the form can't be for: it begins with what this model knows as no beginning.
    """
    asked = settings.family_itself()
    if settings.family or (asked.needs_chat_template and not asked.models):
        return ""
    model = settings.model.casefold()
    own = [name for name in family_names() if model in map(str.casefold, family_named(name).models)]
    if own and asked.name not in own:
        return (
            f"model {settings.model!r} was made for prompt = {own[0]!r}, and prompt = {asked.name!r} is for others: "
            f"write prompt = {own[0]!r}, or name another model"
        )
    bos = bos_of(settings.model) if asked.bos else None
    if bos in (asked.bos, None):
        return ""
    return (
        f"model {settings.model!r} was made for prompts that begin with {repr(bos) if bos else 'nothing'}, and those "
        f"of prompt = {asked.name!r} begin with {asked.bos!r}: name the family that it was made for"
    )


def chat_template(family: str, model: str, revision: str) -> ChatTemplate:
    """The model's own template. Raises ValueError if the model has none; what it returns does if the template fails."""
    tokenizer = load_tokenizer(model, revision)
    if not tokenizer.chat_template:
        raise ValueError(
            f"model {model!r} has no chat template, and prompt = {family!r} asks through one: name an instruct model, "
            f"or the family that your model was made for ({_without_template()})"
        )

    def render(turns: Turns, options: Mapping[str, Any]) -> str:
        try:
            return str(tokenizer.apply_chat_template(turns, **{**options, "tokenize": False}))
        except _template_faults() as fault:
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:MAX_FAULT_CHARS]
            advice = "name the family that the model was made for, or a model that takes one user's turn"
            raise ValueError(
                f"model {model!r}: its chat template fails for prompt = {family!r} ({reason}): {advice}"
            ) from fault

    return render


@lru_cache(maxsize=8)
def load_tokenizer(model: str, revision: str) -> Any:
    """The model's own tokenizer, without remote code; what was downloaded before is taken as it is, since transformers
    would ask a hub that is out of reach for minutes whether it has changed. Raises ValueError if it is out of reach.
    """
    from transformers import AutoTokenizer  # 2 s to import, and only chat templates need it

    name = local_model(model)
    for is_only_here in (True,) if Path(name).is_dir() else (True, False):
        try:
            found = AutoTokenizer.from_pretrained(
                name, revision=revision or None, trust_remote_code=False, local_files_only=is_only_here
            )
        except (OSError, ValueError) as error:
            fault = error
        else:
            if found.chat_template or not is_only_here or Path(name).is_dir():  # of a part that is here it may lack
                return found
    first_line = str(fault).strip().partition("\n")[0]
    problem = f"model {model!r}: its tokenizer can't be loaded ({first_line})"
    raise ValueError(f"{problem}; check the name, and that you may download it") from fault


def _template_faults() -> tuple[type[Exception], ...]:
    """What a template can raise: it is a program, and gets turns that it may not have been written for."""
    from jinja2 import TemplateError  # comes with torch

    return (
        TemplateError,
        ImportError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    )


def _left_out(settings: TranslatorSettings) -> str:
    return (
        f"model {settings.model!r}: its chat template leaves the caption out of the prompt for prompt = "
        f"{settings.prompt!r}: name the family that the model was made for"
    )


def _without_template() -> str:
    """The families for models of somebody's own that have no chat template."""
    families = [family_named(name) for name in family_names()]
    names = [repr(family.name) for family in families if family.models and not family.needs_chat_template]
    return f"prompt = {', '.join(names)} ask without one"
