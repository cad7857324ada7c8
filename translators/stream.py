"""A stream of questions to one or more servers: texts go in one by one, answers come out list by list, in any order.

Whoever waits for all of a batch before asking for more lets a server run empty: of 2 x 64 prompts 71 sequences ran on
average where 256 could have. So a window of prompts is kept in flight, over languages and styles, until the questions
are at an end. The asking is asyncio in a thread of the stream's own; `put` waits while enough is waiting already.

With several servers, a list goes to the one that has the least in flight; what one that fails has not answered, the
others are asked. The stream ends with the error of the last that is left, and only when all that is still in flight has
come back: it has been paid for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from florenz.translators.answer import Answer
from florenz.translators.endpoint import ServerError
from florenz.translators.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A text to translate. `tag` is what the asker knows it by; `context`: what else is known of the text's subject."""

    text: str
    language: str
    context: str = ""
    tag: Any = None


Keep = Callable[[Mapping[int, Answer]], None]  # answers by the places of their questions, as many as come at once
Ask = Callable[[Sequence[Question], Keep], Awaitable[None]]
KeepQuestions = Callable[[Sequence[Question], Sequence[Answer]], None]
Replace = Callable[["Asker", ServerError], "Asker | None"]


class Asker(Protocol):
    """One server, as the stream sees it."""

    endpoint: str

    @property
    def list_size(self) -> int:
        """Prompts of one request."""

    def window(self) -> Window:
        """A new one."""

    def connected(self) -> contextlib.AbstractAsyncContextManager[Ask]:
        """Connections, and the way to ask over them: every answer is handed to `Keep` as soon as it is certain."""


@dataclass(eq=False)
class _Lane:
    """A server and what is in flight there."""

    asker: Asker
    ask: Ask
    window: Window
    in_flight: int = 0
    lost: asyncio.Task[None] | None = None  # done when another has taken its place, or none has

    @property
    def has_room(self) -> bool:
        return self.lost is None and (self.in_flight == 0 or self.in_flight + self.asker.list_size <= self.window.size)


@dataclass
class _Shared:
    """What both threads see, under `changed`."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: deque[Question] = field(default_factory=deque)
    in_flight: int = 0
    room: int = 0  # how many may wait
    is_draining: bool = False
    is_closed: bool = False
    problem: BaseException | None = None


class Stream:
    """Use it as a context manager; `put` and `drain` belong to one thread.

    keep: called from several threads with questions and their answers, once for each question that is answered.
    replace: asked for another server in the place of one that has failed, which may take its time; None: there is none.
    in_flight: told by how many there are more, or fewer, whenever that changes.
    """

    def __init__(
        self,
        askers: Sequence[Asker],
        keep: KeepQuestions,
        *,
        replace: Replace | None = None,
        in_flight: Callable[[int], None] = lambda more: None,
    ) -> None:
        self._askers, self._keep, self._replace, self._tell_in_flight = askers, keep, replace, in_flight
        self._list_size = min(asker.list_size for asker in askers)
        self._shared = _Shared(room=self._list_size * len(askers))
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="translations", daemon=True)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def put(self, question: Question) -> None:
        """Ask it some time. Raises what ended the stream: ServerError when no server is left."""
        shared = self._shared
        with shared.changed:
            shared.changed.wait_for(lambda: shared.problem or len(shared.waiting) < shared.room)
            self._raise_problem()
            shared.waiting.append(question)
            is_whole_list = len(shared.waiting) % self._list_size == 0
        if is_whole_list:
            self._look()

    def drain(self) -> None:
        """Return when everything is answered and kept. Raises what `put` does."""
        shared = self._shared
        with shared.changed:
            shared.is_draining = True
            self._look()
            shared.changed.wait_for(lambda: shared.problem or not (shared.waiting or shared.in_flight))
            shared.is_draining = False
            self._raise_problem()

    def close(self) -> None:
        """End, with what is still unanswered; no-op the second time."""
        with self._shared.changed:
            if self._shared.is_closed:
                return
            self._shared.is_closed = True
        self._look()
        self._thread.join()

    def _look(self) -> None:
        """Have the loop look at what waits."""
        with contextlib.suppress(RuntimeError):  # it has ended, with a problem
            self._loop.call_soon_threadsafe(self._wake.set)

    def _raise_problem(self) -> None:
        """After all that is in flight has come back."""
        shared = self._shared
        if shared.problem is not None:
            shared.changed.wait_for(lambda: not shared.in_flight)
            raise shared.problem

    # -- in the stream's own thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        serving = self._loop.create_task(self._serve())
        serving.add_done_callback(self._served)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _served(self, serving: asyncio.Task[None]) -> None:
        if problem := serving.exception():
            self._end(problem)
        self._loop.stop()

    async def _serve(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            lanes = [await self._lane(asker, stack) for asker in self._askers]
            tasks: set[asyncio.Task[None]] = set()
            while not self._shared.is_closed:
                while (lane := _least_busy(lanes)) and (questions := self._next_list(lane)):
                    task = asyncio.create_task(self._one_list(lane, lanes, questions, stack))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                    task.add_done_callback(partial(self._asked, lane, len(questions)))
                await self._wake.wait()
                self._wake.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _lane(self, asker: Asker, stack: contextlib.AsyncExitStack) -> _Lane:
        return _Lane(asker, await stack.enter_async_context(asker.connected()), asker.window())

    def _next_list(self, lane: _Lane) -> list[Question]:
        """A whole list for this server, or what is left of the last; nothing while a list is not full. It is in flight
        in the same moment as it waits no longer: `drain` must never find it in neither place.
        """
        shared = self._shared
        with shared.changed:
            if shared.problem or not shared.waiting:
                return []
            if len(shared.waiting) < self._list_size and not shared.is_draining:
                return []
            questions = [shared.waiting.popleft() for _ in range(min(self._list_size, len(shared.waiting)))]
            self._count(lane, len(questions))
            return questions

    async def _one_list(
        self, lane: _Lane, lanes: list[_Lane], questions: Sequence[Question], stack: contextlib.AsyncExitStack
    ) -> None:
        kept: set[int] = set()
        lengths: list[int] = []

        def keep(answers: Mapping[int, Answer]) -> None:
            self._keep([questions[place] for place in answers], list(answers.values()))
            kept.update(answers)
            lengths.extend(len(answer.text) for answer in answers.values())

        started = time.monotonic()
        try:
            await lane.ask(questions, keep)
            lane.window.answered(lengths, time.monotonic() - started)
        except ServerError as problem:
            left = [question for place, question in enumerate(questions) if place not in kept]
            await self._lose(lane, lanes, problem, left, stack)

    def _asked(self, lane: _Lane, num_prompts: int, task: asyncio.Task[None]) -> None:
        """What no server is to blame for, such as a disk that is full, ends the stream too: that is known before the
        list is in flight no longer, or `drain` would take it for answered.
        """
        if not task.cancelled() and (problem := task.exception()):
            self._end(problem)
        self._count(lane, -num_prompts)
        self._wake.set()

    async def _lose(
        self,
        lane: _Lane,
        lanes: list[_Lane],
        problem: ServerError,
        left: Sequence[Question],
        stack: contextlib.AsyncExitStack,
    ) -> None:
        """Its questions go to the others; the last one's error ends the stream."""
        if lane.lost is None:
            lane.lost = asyncio.create_task(self._replace_lane(lane, lanes, problem, stack))
        await lane.lost
        if all(one.lost and one.lost.done() for one in lanes):
            self._end(problem)
            return
        with self._shared.changed:
            self._shared.waiting.extendleft(reversed(left))

    async def _replace_lane(
        self, lane: _Lane, lanes: list[_Lane], problem: ServerError, stack: contextlib.AsyncExitStack
    ) -> None:
        other = await asyncio.to_thread(self._replace, lane.asker, problem) if self._replace else None
        if other is not None:
            lanes.append(await self._lane(other, stack))
        logging.getLogger(__name__).warning("an endpoint is given up: %s", problem)

    def _count(self, lane: _Lane, num_prompts: int) -> None:
        lane.in_flight += num_prompts
        self._tell_in_flight(num_prompts)
        with self._shared.changed:
            self._shared.in_flight += num_prompts
            self._shared.room = max(self._shared.room, lane.window.size)
            self._shared.changed.notify_all()

    def _end(self, problem: BaseException) -> None:
        with self._shared.changed:
            self._shared.problem = self._shared.problem or problem
            self._shared.waiting.clear()
            self._shared.changed.notify_all()


def _least_busy(lanes: Sequence[_Lane]) -> _Lane | None:
    return min((lane for lane in lanes if lane.has_room), key=lambda lane: lane.in_flight, default=None)
