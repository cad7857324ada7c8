"""How full a server is, as it says itself: vLLM's /metrics, looked at now and then while a step asks it.

Two numbers at any moment (sequences that run, and those that wait in its queue) and two that grow (tokens of prompts
and of answers). A server without such a page, as hosted ones are, is left alone after the first look, and nothing is
said of it: what is not measured is not in the report.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import httpx

from florenz.limits.table import Limits
from florenz.translators.endpoint import DEFAULTS, ServerError, certificates, normal_endpoint, open_http
from florenz.translators.reply import ReplyTooLarge, received, reply_text

LOOK_EVERY_S = 0.5
TIMEOUT_S = 5.0
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
ANSWERED, PROMPTED = "vllm:generation_tokens_total", "vllm:prompt_tokens_total"
_LINE = re.compile(r"^(vllm:\w+)(?:\{[^\n]*\})? (\S+)", re.MULTILINE)
MAX_VALUE = 1e15


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at one server: sequences that run and wait, tokens since it started. at: seconds on our clock."""

    at: float
    running: float
    waiting: float
    answer_tokens: float
    prompt_tokens: float


@dataclass(frozen=True, kw_only=True)
class ServerLoad:
    """Of all servers that a step asked, together. running, queued: sequences, mean over the time that was looked at.
    idle: share of it in which a server had none, mean over servers. seconds: between the first look and the last.
    """

    seconds: float
    running: float
    queued: float
    idle: float
    answer_tokens: int
    prompt_tokens: int


class ServerWatch:
    """Looks at these servers while the block runs; `load` is what was seen, None for nothing."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        every_s: float = LOOK_EVERY_S,
        limits: Limits = DEFAULTS,
        key_variable: str = "",
    ) -> None:
        self._key_variable = key_variable
        self._endpoints, self._every_s, self._limits = tuple(endpoints), every_s, limits
        self._looks: dict[str, list[Look]] = {endpoint: [] for endpoint in endpoints}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server load", daemon=True)

    def __enter__(self) -> ServerWatch:
        if self._endpoints:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._endpoints:
            self._thread.join()

    @property
    def load(self) -> ServerLoad | None:
        """After the block."""
        return load_of([looks for looks in self._looks.values() if len(looks) > 1])

    def _run(self) -> None:
        asyncio.run(self._watch_all())

    async def _watch_all(self) -> None:
        await asyncio.gather(*(self._watch(endpoint) for endpoint in self._endpoints))

    async def _watch(self, endpoint: str) -> None:
        try:
            base = normal_endpoint(endpoint)
            async with open_http(base, certificates(base), self._key_variable) as http:
                while await self._look(http, endpoint, base) and not self._is_over.is_set():
                    await asyncio.to_thread(self._is_over.wait, self._every_s)
                await self._look(http, endpoint, base)
        except (ServerError, ValueError, OSError):
            return  # whoever asks questions there meets the same, and says it

    async def _look(self, http: httpx.AsyncClient, endpoint: str, base: str) -> bool:
        """Whether it makes sense to look again."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                request = http.build_request("GET", f"{base.removesuffix('/v1')}/metrics")
                response = await received(http, request, self._limits.reply_bytes)
        except (TimeoutError, httpx.HTTPError):
            return True  # busy, or being started again
        except ReplyTooLarge:
            return False
        look = read_metrics(reply_text(response), time.monotonic()) if response.status_code == 200 else None
        if look is not None:
            self._looks[endpoint].append(look)
        return look is not None


def read_metrics(page: str, at: float) -> Look | None:
    """What a page of Prometheus' text format says, summed over the server's engines; None where it says it not."""
    found: dict[str, float] = {}
    for name, value in _LINE.findall(page):
        if name in (RUNNING, WAITING, ANSWERED, PROMPTED):
            found[name] = found.get(name, 0.0) + _number(value)
    if len(found) < 4 or not all(0 <= value <= MAX_VALUE for value in found.values()):
        return None
    return Look(
        at=at,
        running=found[RUNNING],
        waiting=found[WAITING],
        answer_tokens=found[ANSWERED],
        prompt_tokens=found[PROMPTED],
    )


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def load_of(servers: Sequence[Sequence[Look]]) -> ServerLoad | None:
    """servers: the looks at each, in order, two at least. A server that was started again begins to count anew."""
    seconds = [looks[-1].at - looks[0].at for looks in servers]
    if not servers or min(seconds) <= 0:
        return None
    return ServerLoad(
        seconds=max(seconds),
        running=sum(_mean(looks, [look.running for look in looks]) for looks in servers),
        queued=sum(_mean(looks, [look.waiting for look in looks]) for looks in servers),
        idle=sum(_mean(looks, [float(look.running + look.waiting == 0) for look in looks]) for looks in servers)
        / len(servers),
        answer_tokens=sum(_grown([look.answer_tokens for look in looks]) for looks in servers),
        prompt_tokens=sum(_grown([look.prompt_tokens for look in looks]) for looks in servers),
    )


def _mean(looks: Sequence[Look], values: Sequence[float]) -> float:
    """Over time: what was seen holds half of the way to the looks before and after."""
    pairs = zip(looks, looks[1:], values, values[1:], strict=False)
    area = sum((after.at - before.at) * (first + second) / 2 for before, after, first, second in pairs)
    return area / (looks[-1].at - looks[0].at)


def _grown(counted: Sequence[float]) -> int:
    return round(
        sum(after - before if after >= before else after for before, after in zip(counted, counted[1:], strict=False))
    )
