"""Ask a vLLM server for translations: many prompts per request, and as many requests in flight as `stream.py` says.

Two kinds of trouble are kept apart. A *server fault* (refused or reset connection, time-out, 429, 5xx) is waited out
within a budget, then raised as ServerError: nothing wrong enters the ledger. An *item fault* (a prompt that is refused,
a reply that can't be read) is narrowed down by halving the batch, and becomes an Answer with a reason for the culprit
alone. Before an item is blamed, the server has to answer a harmless prompt: a misconfigured server refuses everything,
and its refusals must not be written down as the items' own.

Answers are handed on as they come back, request by request: when one request of a batch is given up, what its
neighbours brought has been paid for and must not be lost with it.

The client is synchronous outside and asyncio inside, because only there one deadline holds for the whole request:
httpx's own time-outs restart with every byte, so that a slow drip would never end.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import httpx

from florenz.languages.codes import NAMES
from florenz.limits.table import Limits
from florenz.translators.answer import Answer
from florenz.translators.answered import ItemFault, Transient, check_status, read_reply
from florenz.translators.api import Prompt, api_named
from florenz.translators.endpoint import (
    DEFAULTS,
    ServerError,
    certificates,
    normal_endpoint,
    open_http,
)
from florenz.translators.pieces import answer_in_pieces
from florenz.translators.prompts import PromptFamily, family_of
from florenz.translators.reply import ReplyTooLarge, fault_in_words, received
from florenz.translators.settings import ServedSettings, TranslatorSettings
from florenz.translators.stream import Ask, Keep, Question, Stream
from florenz.translators.window import Window, list_size

BYTES_PER_TOKEN = 24  # of a long word whose every letter is escaped as \u0000, and more
BYTES_PER_ANSWER = 4096  # what stands around a text


@dataclass
class Stats:
    """Counted over the client's life, in all threads; read them when no call is running."""

    requests: int = 0  # HTTP requests sent, retries included
    retries: int = 0
    prompts: int = 0  # texts asked for
    refused: int = 0  # texts that got a reason instead of a translation
    completion_tokens: int = 0
    prompt_tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def tokens(self) -> int:
        """Of prompts and answers, as servers count them; 0 at one that says nothing."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, **counts: int) -> None:
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One list of questions: its connections, the prompt that clears the server of suspicion, where answers go."""

    http: httpx.AsyncClient
    harmless: Prompt
    keep: Keep


class Client:
    """Translations from one model at one endpoint. Holds no connection between calls; threads may share it.

    `model` is the name that the server serves it under; `settings.model` is where the tokenizer comes from.
    `language_names` (code -> English name) is for families whose prompts name the language. `family`: another than
    `settings.prompt` names, whose "texts" and "languages" may be something else.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        settings: ServedSettings,
        *,
        family: PromptFamily | None = None,
        language_names: Mapping[str, str] = NAMES,
        limits: Limits = DEFAULTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.endpoint = normal_endpoint(endpoint)
        self.model = model
        self.stats = Stats()
        self._settings = settings
        self._family = family or _own_family(settings)
        self._api = api_named(self._family.api)
        self._language_names = language_names
        self._limits = limits
        self._sleep = sleep
        self._jitter = jitter
        self._verify = certificates(self.endpoint)

    def translate(self, texts: Sequence[str], language: str, keep: Keep = lambda answers: None) -> list[Answer]:
        """One answer per text, in the order of the texts. Raises ServerError when a request's retry budget is spent.

        `keep` is called with every answer as soon as it is certain, from any thread, before more is asked for in its
        stead; after an error it has had all that came back.
        """
        found: dict[int, Answer] = {}

        def keep_places(questions: Sequence[Question], answers: Sequence[Answer]) -> None:
            by_place = {question.tag: answer for question, answer in zip(questions, answers, strict=True)}
            keep(by_place)
            found.update(by_place)

        if texts:
            with Stream([self], keep_places) as stream:
                for place, text in enumerate(texts):
                    stream.put(Question(text=text, language=language, tag=place))
                stream.drain()
        return [found[place] for place in range(len(texts))]

    # -- what a stream asks for ---------------------------------------------------------------------------------------

    @property
    def list_size(self) -> int:
        if not self._api.takes_lists:
            return 1
        return self._settings.prompts_per_request or list_size(self._settings.sequences)

    def window(self) -> Window:
        requests = self._settings.max_in_flight
        return Window(
            sequences=self._settings.sequences,
            list_size=self.list_size,
            timeout_s=self._settings.request_timeout_s,
            fixed=requests and requests * self.list_size,
        )

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Ask]:
        async with open_http(self.endpoint, self._verify, self._settings.key_variable) as http:
            yield partial(self._answer, http)

    async def _answer(self, http: httpx.AsyncClient, questions: Sequence[Question], keep: Keep) -> None:
        """Every answer goes to `keep`. Raises ServerError when the retry budget is spent."""
        family = self._family
        await answer_in_pieces(
            partial(self._answer_whole, http), questions, keep, family.max_source_chars, family.clean
        )

    async def _answer_whole(self, http: httpx.AsyncClient, questions: Sequence[Question], keep: Keep) -> None:
        """As they stand there."""
        prompts = self._prompts(questions)
        harmless = self._family.build([self._family.harmless], questions[0].language, self._language_names)[0]

        def clean_and_keep(raw: Mapping[int, Answer]) -> None:
            asked = ((place, questions[place], answer) for place, answer in raw.items())
            answers = {place: self._cleaned(answer, question.text) for place, question, answer in asked}
            keep(answers)
            self.stats.add(prompts=len(answers), refused=sum(bool(answer.reason) for answer in answers.values()))

        await self._ask(_Call(http=http, harmless=harmless, keep=clean_and_keep), prompts, 0)

    def _prompts(self, questions: Sequence[Question]) -> list[Prompt]:
        """Runs of one language together: what a prompt says besides the text is made once for each."""
        prompts: list[Prompt] = []
        for language, run in groupby(questions, key=lambda question: question.language):
            prompts += self._family.build([question.text for question in run], language, self._language_names)
        return prompts

    def _cleaned(self, answer: Answer, source: str) -> Answer:
        if answer.reason:
            return answer
        return Answer(text=self._family.clean(answer.text, source), finish_reason=answer.finish_reason)

    async def _ask(self, call: _Call, prompts: Sequence[Prompt], place: int, *, is_piece: bool = False) -> None:
        """Get an answer for each prompt. A batch with a culprit is halved until the culprit is alone."""
        try:
            answers = await self._within_budget(call, prompts, is_piece=is_piece)
        except ItemFault as fault:
            if len(prompts) > 1:
                middle = len(prompts) // 2
                await self._ask(call, prompts[:middle], place, is_piece=True)
                await self._ask(call, prompts[middle:], place + middle, is_piece=True)
                return
            await self._clear_server(call, fault)
            answers = [Answer(text="", reason=fault.reason, detail=fault.detail)]
        await asyncio.to_thread(call.keep, dict(enumerate(answers, place)))  # it writes files

    async def _within_budget(self, call: _Call, prompts: Sequence[Prompt], *, is_piece: bool) -> list[Answer]:
        """Retry what may pass. A batch whose 500 stays is halved, and its pieces don't wait for the 500 again."""
        max_retries = self._settings.max_retries
        for retry in range(max_retries + 1):
            try:
                return await self._post(call.http, prompts)
            except Transient as fault:
                is_last = retry == max_retries
                if fault.may_be_item and (is_last or is_piece):
                    raise ItemFault("translator_failed", str(fault)) from fault
                if is_last:
                    raise ServerError(_out_of_budget(self.endpoint, max_retries, str(fault))) from fault
                self.stats.add(retries=1)
                await self._sleep(self._wait_s(retry, fault.retry_after_s))
        raise AssertionError("the last retry returns or raises")

    def _wait_s(self, retry: int, retry_after_s: float) -> float:
        """Exponential, jittered so that workers don't come back at once; the server's own word counts if longer."""
        settings = self._settings
        backoff_s = min(settings.backoff_s * 2**retry, settings.backoff_max_s) * (0.5 + 0.5 * self._jitter())
        return max(backoff_s, min(retry_after_s, settings.request_timeout_s))

    async def _clear_server(self, call: _Call, fault: ItemFault) -> None:
        """Raises ServerError if a harmless prompt meets an item fault as well: then no item is to blame."""
        try:
            await self._within_budget(call, [call.harmless], is_piece=True)
        except ItemFault as general:
            problem = f"{self.endpoint} fails on a harmless prompt too: {general.detail or fault.detail}"
            raise ServerError(f"{problem}; check that it serves {self._api.name} for {self.model!r}") from fault

    async def _post(self, http: httpx.AsyncClient, prompts: Sequence[Prompt]) -> list[Answer]:
        """One HTTP request, one try. Raises ItemFault, Transient or ServerError."""
        settings = self._settings
        body = self._api.body(self.model, prompts, settings.request(), self._family.options)
        self.stats.add(requests=1)
        try:
            request = http.build_request("POST", f"{self.endpoint}{self._api.path}", json=body)
            async with asyncio.timeout(settings.request_timeout_s):
                response = await received(http, request, self._max_bytes(len(prompts)))
        except TimeoutError:
            raise Transient(f"no complete answer within {settings.request_timeout_s:g} s") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Transient(fault_in_words(error)) from None  # its own words may hold the key
        except ReplyTooLarge as error:
            raise ItemFault("translator_bad_reply", str(error)) from None
        except UnicodeEncodeError as error:
            raise ItemFault("translator_refused", f"text is no valid Unicode: {error.reason}") from error
        check_status(self.endpoint, self.model, response, self._api, settings.key_variable)
        answers, tokens = read_reply(response, len(prompts), self._limits, self._api)
        self.stats.add(**tokens)
        return answers

    def _max_bytes(self, num_prompts: int) -> int:
        """Of one reply: whoever asks for long answers, and many, gets them."""
        asked = num_prompts * (self._settings.max_tokens * BYTES_PER_TOKEN + BYTES_PER_ANSWER)
        return max(self._limits.reply_bytes, asked)


def _own_family(settings: ServedSettings) -> PromptFamily:
    assert isinstance(settings, TranslatorSettings), "whoever asks for something else brings a family"
    return family_of(settings)


def _out_of_budget(endpoint: str, max_retries: int, detail: str) -> str:
    return (
        f"{endpoint}: {detail} (tried {max_retries + 1} times); "
        "see whether the server lives, then run again: what was answered is kept"
    )
