"""What a family of translators is: how one kind of model is asked for a translation, and how its answer becomes one.

A family is data: `prompt = "alma"` in a recipe selects `translators/families/alma.toml`, which `family.py` explains key
by key. To add one is to add a file; `tests/contracts/translator_family.py` then checks it, its exact prompt included.
The client needs no more of a family than stands here, and asks for facts (`needs_chat_template`), never for names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Turns = list[dict[str, Any]]
ChatTemplate = Callable[[Turns, Mapping[str, Any]], str]
"""A model's own template: turns of {role, content}, where content is a text or a list of records, and the template's
options -> the whole prompt, its BOS included."""


class TranslatorFamily(Protocol):
    @property
    def name(self) -> str:
        """As a recipe says it."""

    @property
    def needs_chat_template(self) -> bool:
        """Whether prompts go through the model's template, so that its tokenizer has to be loaded."""

    def language_problem(self, language: str, model: str = "") -> str:
        """Why its models, or this one of them, can't translate into this language, in one line; "" if they can."""

    def prompts(
        self,
        texts: Sequence[str],
        language: str,
        language_names: Mapping[str, str],
        chat_template: ChatTemplate | None = None,
    ) -> list[str]:
        """One finished prompt for each text. `ValueError` for a language that it can't name."""

    def conversations(self, texts: Sequence[str], language: str, language_names: Mapping[str, str]) -> list[Turns]:
        """The turns for each text, for servers that have only chat. `ValueError` too where its prompts are no turns."""

    def request(self) -> dict[str, Any]:
        """Fields of a completion request that its models must be asked with, whatever else the recipe says."""

    def clean(self, answer: str, source: str) -> str:
        """The translation in what a model answered."""

    def identity(self) -> str:
        """Stands for all of this that decides a translation: enters the ledger's fingerprint."""
