"""Asks a server about pictures: each in a chat request of its own, as a data URL, with the prompt of its style.

Retries, faults of one item, several endpoints and the window of requests in flight are the translators': the same
client asks, with the picture in the place of the text and the style in that of the language. A server that we start
is the machine's (`translators/shared_server.py`), so that all workers use one.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from florenz.captioners.contract import Answer, CaptionerError
from florenz.captioners.vision_chat import CLEANING
from florenz.captioners.vision_chat.settings import Settings
from florenz.translators.answer import Answer as Reply
from florenz.translators.api import CHAT, Prompt
from florenz.translators.cleaning import clean_answer
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.prompts import PromptFamily
from florenz.translators.shared_server import SharedServer
from florenz.translators.stream import Asker, Question, Replace, Stream

MIN_SIDE_PX = 28  # vision towers cut pictures into patches, and some refuse less than one


class VisionChat:
    """A vision-language model and its server, which lives until `close` or the end of the processes that use it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared = SharedServer(settings.served()) if settings.starts_server else None
        try:
            own = () if self._shared is None else (self._shared.endpoint(),)
        except ServerError as problem:
            raise CaptionerError(f"captioner {settings.model!r}: {problem}") from problem
        self._clients = [self._client(endpoint) for endpoint in settings.running_servers or own]

    def prepare(self, picture: Image.Image) -> str:
        """The picture as a data URL with a JPEG."""
        return data_url(picture, max_side_px=self._settings.max_side_px, quality=self._settings.jpeg_quality)

    def caption(self, prepared: Sequence[str], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
        """Style -> answer for each picture. Raises ServerError when no server is left."""
        answers: list[dict[str, Answer]] = [{} for _ in prepared]

        def keep(number: int, style: str, answer: Answer) -> None:
            answers[number][style] = answer

        with contextlib.closing(self.stream(keep)) as stream:
            for number, (url, wanted) in enumerate(zip(prepared, styles, strict=True)):
                stream.put(number, url, wanted)
            stream.drain()
        return answers

    def stream(
        self, keep: Callable[[Any, str, Answer], None], in_flight: Callable[[int], None] = lambda more: None
    ) -> Pictures:
        return Pictures(self._clients, keep, self._started_again, in_flight)

    def at_each_server(self) -> dict[str, VisionChat]:
        found = {client.endpoint: copy.copy(self) for client in self._clients}
        for client in self._clients:
            found[client.endpoint]._clients = [client]
        return found

    def close(self) -> None:
        if self._shared is not None:
            self._shared.stop()

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(client.endpoint for client in self._clients)

    @property
    def num_cores(self) -> int:
        """Of this machine's; a server of ours may take them all."""
        return 0 if self._shared is None else len(os.sched_getaffinity(0))

    def counted(self) -> dict[str, int]:
        stats = [client.stats for client in self._clients]
        return {
            "answer_tokens": sum(one.completion_tokens for one in stats),
            "prompt_tokens": sum(one.prompt_tokens for one in stats),
        }

    def _client(self, endpoint: str) -> Client:
        return Client(endpoint, self._settings.model, self._settings, family=_family(self._settings))

    def _started_again(self, lost: Asker, problem: ServerError) -> Client | None:
        """The machine's own server, where it has died. ServerError when that was too often."""
        if self._shared is None or _lives(lost.endpoint, self._settings.model):
            return None
        before = self._clients[0].stats
        self._clients = [self._client(self._shared.endpoint())]
        self._clients[0].stats.add(completion_tokens=before.completion_tokens, prompt_tokens=before.prompt_tokens)
        return self._clients[0]


class Pictures:
    """Questions about pictures on their way: a window of them over all servers, in flight from the first to `drain`."""

    def __init__(
        self,
        clients: Sequence[Client],
        keep: Callable[[Any, str, Answer], None],
        replace: Replace,
        in_flight: Callable[[int], None],
    ) -> None:
        def keep_all(questions: Sequence[Question], replies: Sequence[Reply]) -> None:
            for question, reply in zip(questions, replies, strict=True):
                keep(question.tag, question.language, _answer(reply))

        self._stream = Stream(clients, keep_all, replace=replace, in_flight=in_flight).__enter__()

    def put(self, tag: Any, prepared: str, styles: Sequence[str]) -> None:
        for style in styles:
            self._stream.put(Question(text=prepared, language=style, tag=tag))

    def drain(self) -> None:
        self._stream.drain()

    def close(self) -> None:
        self._stream.close()


def data_url(picture: Image.Image, *, max_side_px: int, quality: int) -> str:
    """A JPEG of the picture, at most `max_side_px` on its longer side. The same picture gives the same bytes."""
    longest = max(picture.size)
    scale = min(1.0, max_side_px / longest)
    size = tuple(max(MIN_SIDE_PX, round(side * scale)) for side in picture.size)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)  # type: ignore[arg-type]
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0", optimize=False, progressive=False)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _family(settings: Settings) -> PromptFamily:
    def build(urls: Sequence[str], style: str, names: Mapping[str, str]) -> list[Prompt]:
        before = [{"role": "system", "content": settings.system}] if settings.system else []
        text = {"type": "text", "text": settings.asked[style]}
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [[*before, {"role": "user", "content": [picture, text]}] for picture in pictures]

    harmless = data_url(Image.new("RGB", (64, 64), (200, 30, 30)), max_side_px=64, quality=90)
    return PromptFamily(name=settings.kind, build=build, clean=_clean, harmless=harmless, api=CHAT)


def _clean(answer: str, source: str) -> str:
    return clean_answer(answer, "", CLEANING)


def _answer(reply: Reply) -> Answer:
    reason = reply.reason.replace("translator_", "captioner_")
    finish_reason = reply.finish_reason if reason or reply.finish_reason == "length" else "stop"
    return Answer(text="" if reason else reply.text, finish_reason=finish_reason, reason=reason, detail=reply.detail)


def _lives(endpoint: str, model: str) -> bool:
    try:
        check_endpoint(endpoint, model)
    except ServerError:
        return False
    return True
