"""A server's reply to a list of prompts: an answer for each, or whose fault it is that there is none.

`ServerError`: the server's set-up is wrong. `Transient`: worth another try. `ItemFault`: some prompt of the list.
"""

import email.utils
import time
from collections.abc import Callable

import httpx

from florenz.limits.table import Limits
from florenz.translators.answer import Answer
from florenz.translators.api import Api
from florenz.translators.endpoint import API_KEY_VARIABLES, ServerError
from florenz.translators.reply import NotJson, ReplyTooLarge, reply_json, reply_text

MAX_DETAIL_CHARS = 300
# Not the prompt's doing, whatever the prompt: waited out. A plain 500 may be either.
TRANSIENT_STATUSES = (408, 425, 429, 502, 503, 504)
NOT_THERE = (404, 405, 501)  # nobody serves this here, and asking again brings the same
MAX_TOKENS_COUNTED = 10**12  # a server that says more does not count tokens


class ItemFault(Exception):
    """Some prompt of this batch may be at fault: halve the batch and ask again."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail[:MAX_DETAIL_CHARS]


class Transient(Exception):
    """Worth another try, after at least `retry_after_s`."""

    def __init__(self, detail: str, *, retry_after_s: float = 0.0, may_be_item: bool = False) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.may_be_item = may_be_item


def check_status(endpoint: str, model: str, response: httpx.Response, api: Api, key_variable: str) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in (401, 403):
        # Without the server's words: some repeat the key, perhaps a part of it, which no scrubber finds.
        variable = key_variable or API_KEY_VARIABLES[0]
        raise ServerError(f"{endpoint} refuses the API key (HTTP {status}); set {variable}")
    detail = f"HTTP {status}: {_error_message(response)}"
    if status in NOT_THERE or 300 <= status < 400:
        fix = "check the endpoint and the model's name"
        raise ServerError(f"{endpoint} has no {api.name} for {model!r} ({detail}); {fix}")
    if status in TRANSIENT_STATUSES or status >= 500:
        may_be_item = status not in TRANSIENT_STATUSES
        wait_s = retry_after_s(response.headers.get("Retry-After", ""))
        raise Transient(detail, retry_after_s=wait_s, may_be_item=may_be_item)
    raise ItemFault("translator_refused", detail)


def read_reply(
    response: httpx.Response, num_prompts: int, limits: Limits, api: Api
) -> tuple[list[Answer], dict[str, int]]:
    """Answers in the order of the prompts, and how many tokens were counted: the server may list them in any order,
    `index` says which is whose.
    """
    try:
        reply = reply_json(response, max_depth=limits.reply_depth)
        choices = {choice["index"]: choice for choice in reply["choices"]}
        answers = [api.answer(choices[index]) for index in range(num_prompts)]
        usage = reply.get("usage") or {}
        tokens = {name: _num_tokens(usage.get(name)) for name in ("completion_tokens", "prompt_tokens")}
    except NotJson as error:
        raise ItemFault("translator_bad_reply", f"not JSON: {reply_text(response)[:80]!r}") from error
    except ReplyTooLarge as error:
        raise ItemFault("translator_bad_reply", str(error)) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ItemFault("translator_bad_reply", f"reply without an answer for every prompt: {error!r}") from error
    if len(reply["choices"]) != num_prompts:
        raise ItemFault("translator_bad_reply", f"{len(reply['choices'])} answers to {num_prompts} prompts")
    return answers, tokens


def _num_tokens(stated: object) -> int:
    """0 where nothing is said. `ValueError` for what counts no tokens, such as 1e999 or a text."""
    if stated is None:
        return 0
    if not isinstance(stated, int) or not 0 <= stated <= MAX_TOKENS_COUNTED:
        raise ValueError("the count of tokens is no number of tokens")
    return stated


def _error_message(response: httpx.Response) -> str:
    try:
        body = reply_json(response)
        error = body.get("error", body)
        message = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError, AttributeError):
        message = reply_text(response)
    return " ".join(str(message).split())[:MAX_DETAIL_CHARS]  # no deeper than the limit, so str can't go too deep


def retry_after_s(header: str, now_s: Callable[[], float] = time.time) -> float:
    """Seconds to wait by a Retry-After header, a number or an HTTP date; 0 if there is none that makes sense."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now_s())
    except (ValueError, TypeError, ArithmeticError, OSError):  # the last two for years that no clock has
        return 0.0
