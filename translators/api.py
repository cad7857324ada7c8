"""The two ways in which an OpenAI-compatible server is asked, and what comes back.

`completions` takes lists of finished prompts: three times as fast for short texts, and what is asked is what we wrote.
`chat` takes one conversation a request, for servers that have nothing else; the server puts it into its own template.
Hosted servers refuse fields that they don't know, so a chat request holds the standard ones, and others only where they
say something: a `top_k`, or options of the template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from florenz.translators.answer import Answer
from florenz.translators.contract import Turns

COMPLETIONS, CHAT = "completions", "chat"
STANDARD = ("max_tokens", "seed", "temperature", "top_p", "stop")  # of a chat request, at any server

Prompt = str | Turns


@dataclass(frozen=True, kw_only=True)
class Api:
    """path: below the endpoint. body(model, prompts, request's fields, template's options); answer(one choice), with
    ValueError, KeyError, TypeError or AttributeError for what is none.
    """

    name: str
    path: str
    takes_lists: bool
    body: Callable[[str, Sequence[Prompt], Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    answer: Callable[[dict[str, Any]], Answer]


def api_named(name: str) -> Api:
    return _APIS[name]


def _completion_body(
    model: str, prompts: Sequence[Prompt], fields: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    return {"model": model, "prompt": list(prompts), **fields}


def _chat_body(
    model: str, prompts: Sequence[Prompt], fields: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    (turns,) = prompts
    said = {name: value for name, value in fields.items() if name in STANDARD or _says_something(name, value)}
    own = {name: value for name, value in options.items() if name != "add_generation_prompt"}
    if options.get("add_generation_prompt") is False:  # servers add one by themselves
        said["add_generation_prompt"] = False
    return {"model": model, "messages": turns, **said} | ({"chat_template_kwargs": own} if own else {})


def _says_something(name: str, value: Any) -> bool:
    usual = {"repetition_penalty": 1.0, "add_special_tokens": value}  # a chat template writes its own special tokens
    return bool(value != usual.get(name))


def _of_completion(choice: dict[str, Any]) -> Answer:
    return _answer(choice["text"], choice)


def _of_chat(choice: dict[str, Any]) -> Answer:
    """A model that only thought, or refused, has no content: an empty text, which a filter rejects."""
    text = choice["message"].get("content")
    return _answer("" if text is None else text, choice)


def _answer(text: Any, choice: dict[str, Any]) -> Answer:
    finish_reason = choice.get("finish_reason") or ""
    if not isinstance(text, str) or not isinstance(finish_reason, str):
        raise ValueError(f"text is {type(text).__name__}, finish_reason is {type(finish_reason).__name__}")
    text.encode()  # a lone surrogate would pass here and break whoever writes it
    return Answer(text=text, finish_reason=finish_reason)


_APIS = {
    COMPLETIONS: Api(
        name=COMPLETIONS, path="/completions", takes_lists=True, body=_completion_body, answer=_of_completion
    ),
    CHAT: Api(name=CHAT, path="/chat/completions", takes_lists=False, body=_chat_body, answer=_of_chat),
}
APIS = tuple(_APIS)
