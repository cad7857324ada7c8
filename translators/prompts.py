"""Prompt families: how a source text becomes a prompt for one kind of model, and how its answer becomes a text.

Prompts are finished here, on the client, chat template included: lists of raw prompts to /v1/completions came back
three times faster than one chat request per text. In exchange the client needs the model's tokenizer (never its
weights), and the server must be told not to add special tokens, since a template writes its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from florenz.translators.cleaning import VERSION, clean_answer

INSTRUCTION = (
    "Translate this image caption from English into {language}. Answer with the {language} translation alone: "
    "no introduction, no notes, no quotation marks.\n\n{text}"
)


@dataclass(frozen=True, kw_only=True)
class PromptFamily:
    """`build(texts, language, language_names)` gives one finished prompt per text; `clean(answer, source)` the text."""

    name: str
    build: Callable[[Sequence[str], str, Mapping[str, str]], list[str]]
    clean: Callable[[str, str], str]


def prompt_family(name: str, *, model: str = "", revision: str = "") -> PromptFamily:
    """The family of this name; "chat" loads the tokenizer of `model` at its first prompt.

    Raises ValueError for an unknown name, and at the first prompt for a model whose tokenizer has no chat template.
    """
    prompt_text(name)
    if name == "playground":
        return PromptFamily(name=name, build=_playground_prompts, clean=_stripped)

    def chat_prompts(texts: Sequence[str], language: str, language_names: Mapping[str, str]) -> list[str]:
        return _chat_prompts(load_tokenizer(model, revision), texts, language, language_names)

    return PromptFamily(name=name, build=chat_prompts, clean=clean_answer)


def prompt_text(name: str) -> str:
    """What the family says to the model and does to its answer, as one line for the fingerprint."""
    if name == "playground":
        return "{text}<|{language}|>"
    if name == "chat":
        return f"{INSTRUCTION} [cleaning {VERSION}]"
    raise ValueError(f"prompt = {name!r}: no such prompt family; use 'chat' (instruct models) or 'playground'")


def _playground_prompts(texts: Sequence[str], language: str, language_names: Mapping[str, str]) -> list[str]:
    """With its own <s>: the client asks the server to add no special tokens, as a chat template brings its own."""
    return [f"<s>{text}<|{language}|>" for text in texts]


def _stripped(answer: str, source: str) -> str:
    return answer.strip()


def _chat_prompts(tokenizer: Any, texts: Sequence[str], language: str, language_names: Mapping[str, str]) -> list[str]:
    if language not in language_names:
        raise ValueError(f"language {language!r}: the instruction needs its English name; add it to language_names")
    name = language_names[language]
    # One user turn and no system turn: several templates (Gemma's among them) refuse the system role.
    turns = [[{"role": "user", "content": INSTRUCTION.format(language=name, text=text)}] for text in texts]
    # enable_thinking reaches templates that know it (Qwen3) and is ignored by the others.
    options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    return [tokenizer.apply_chat_template(turn, **options) for turn in turns]


@lru_cache(maxsize=8)
def load_tokenizer(model: str, revision: str) -> Any:
    """The model's own tokenizer, without remote code. Raises ValueError if out of reach or without a chat template."""
    from transformers import AutoTokenizer  # 2 s to import, and only this family needs it

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision or None, trust_remote_code=False)
    except (OSError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0]
        problem = f"model {model!r}: its tokenizer can't be loaded ({first_line})"
        raise ValueError(f"{problem}; check the name, and that you may download it") from error
    if not tokenizer.chat_template:
        raise ValueError(f"model {model!r} has no chat template: name an instruct model, or set prompt = 'playground'")
    return tokenizer
