"""The window of questions in flight: it keeps a server full, loses nothing, and mixes nothing up."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.decode_steps import DecodeSteps, decoding
from benchmarks.stand_in_server import Request, StandInServer, answer, die, status
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError
from florenz.translators.settings import TranslatorSettings
from florenz.translators.stream import Question, Stream
from florenz.translators.window import FIRST, LIST, MAX, SEQUENCES, Window


def number_in(prompt: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4]) % below


def caption_length(prompt: str) -> int:
    """Tokens: most captions are short, one in ten is six times as long."""
    return 8 + number_in(prompt, 15) + (60 if number_in(prompt + "?", 10) == 0 else 0)


def shout(prompt: str) -> str:
    """Four characters for each of its tokens, and nobody else's."""
    question = prompt.removeprefix("<s>")
    return question.upper().ljust(4 * caption_length(question), "!")


def client_of(server: StandInServer, **changes: Any) -> Client:
    async def no_sleep(seconds: float) -> None:
        return None

    chosen = TranslatorSettings(**{"model": "m", "prompt": "playground", "max_retries": 1, **changes})
    return Client(server.endpoint, "m", chosen, sleep=no_sleep)


class Kept:
    """What came back, by tag. Answers come from several threads."""

    def __init__(self) -> None:
        self.texts: dict[Any, str] = {}
        self._lock = threading.Lock()

    def __call__(self, questions: Sequence[Question], answers: Sequence[Answer]) -> None:
        with self._lock:
            for question, one in zip(questions, answers, strict=True):
                assert question.tag not in self.texts, "kept twice"
                self.texts[question.tag] = one.text


def questions(count: int) -> list[Question]:
    return [Question(text=f"text {place}", language=("de", "fr")[place // 50 % 2], tag=place) for place in range(count)]


def expected(asked: Sequence[Question]) -> dict[Any, str]:
    return {one.tag: shout(f"<s>{one.text}<|{one.language}|>") for one in asked}


def ask(clients: Sequence[Client], asked: Sequence[Question], keep: Any, **options: Any) -> None:
    with Stream(clients, keep, **options) as stream:
        for question in asked:
            stream.put(question)
        stream.drain()


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m", shout) as running:
        yield running


@pytest.fixture
def several() -> Iterator[list[StandInServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(StandInServer("m", shout)) for _ in range(3)]


class Watched(threading.Condition):
    """Notes whenever the stream says that something has changed: how many questions seem answered, how many are."""

    stream: Stream
    num_put = 0

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Question] = []
        self.seen: list[tuple[int, int]] = []

    def notify_all(self) -> None:
        shared = self.stream._shared
        if not shared.problem:
            self.seen.append((self.num_put - len(shared.waiting) - shared.in_flight, len(self.kept)))
        super().notify_all()


@pytest.mark.parametrize("fault", ["", "a full disk", "the last server"])
def test_no_question_counts_as_answered_at_any_moment_before_it_is(server: StandInServer, fault: str) -> None:
    """Between waiting and being in flight, or between a fault and its being told, `drain` would find nothing left."""
    watched = Watched()

    def keep(questions: Sequence[Question], answers: Sequence[Answer]) -> None:
        if fault == "a full disk":
            raise OSError(28, "No space left on device")
        watched.kept.extend(questions)

    if fault == "the last server":
        server.rule = lambda request: status(404)
    stream = Stream([client_of(server, prompts_per_request=4)], keep)
    watched.stream, stream._shared.changed = stream, watched
    with contextlib.suppress(OSError, ServerError), stream:
        for question in questions(40):
            with watched:
                stream.put(question)
                watched.num_put += 1
        stream.drain()
        assert not fault, "drain returned as if all were well"
    assert watched.seen and all(seeming <= kept for seeming, kept in watched.seen)


def test_a_server_runs_full_from_the_first_list_to_the_last(server: StandInServer) -> None:
    asked, kept = questions(4000), Kept()
    engine = DecodeSteps(caption_length_of_prompt, num_slots=64, num_expected=len(asked), patience_s=0.5)
    with decoding(server, engine):
        ask([client_of(server, max_sequences=64)], asked, kept)
    assert kept.texts == expected(asked)
    assert engine.mean_running >= 0.9 * 64
    assert engine.num_steps <= 1.1 * engine.fewest_steps


def caption_length_of_prompt(prompt: str) -> int:
    return caption_length(prompt.removeprefix("<s>"))


def test_the_measure_tells_a_barrier_from_a_stream(server: StandInServer) -> None:
    """Each list waits for the one before: what the figure above is there to notice."""
    asked = questions(4 * 64)
    engine = DecodeSteps(caption_length_of_prompt, num_slots=64, num_expected=len(asked), patience_s=0.0)
    with decoding(server, engine):
        ask([client_of(server, max_in_flight=1)], asked, Kept())
    assert engine.mean_running < 0.6 * 64 and engine.num_steps > 2 * engine.fewest_steps


def test_a_server_that_is_given_time_is_not_asked_for_less_than_it_runs() -> None:
    """Answers of 20 tokens with one of 80 in each list: a list keeps four places for each sequence."""
    window = Window(sequences=256, list_size=64, timeout_s=120)
    for _ in range(100):
        window.answered([20] * 63 + [83], 1.0)
    assert 4 * 256 < window.size <= 6 * 256


def test_a_window_begins_small_at_a_server_that_nobody_knows_and_grows_with_its_answers() -> None:
    window = Window(sequences=None, list_size=LIST, timeout_s=120)
    sizes = [window.size]
    for _ in range(100):
        window.answered([10] * LIST, 1.0)
        sizes.append(window.size)
    assert sizes[0] == FIRST and sizes[1] == FIRST + LIST and SEQUENCES <= sizes[-1] <= MAX


def test_a_server_near_its_time_out_is_asked_for_less() -> None:
    window = Window(sequences=None, list_size=LIST, timeout_s=120)
    for _ in range(10):
        window.answered([10] * LIST, 40.0)
    assert window.size == LIST
    window.answered([10] * LIST, 1.0)
    assert window.size == 2 * LIST


def test_a_window_that_the_recipe_sets_stays(server: StandInServer) -> None:
    window = client_of(server, prompts_per_request=4, max_in_flight=3).window()
    window.answered([1, 2, 3], 1000.0)
    assert window.size == 12


def test_questions_wait_when_enough_is_in_flight(server: StandInServer) -> None:
    """Nothing is answered, so the stream takes a window and a list, and no more."""
    server.rule = lambda request: lambda one: one.stand_in.is_over.wait()
    most = 2 * 4 + 2 * 4  # in flight, and waiting
    taken: list[int] = []
    full = threading.Event()

    def fill() -> None:
        with Stream(
            [client_of(server, prompts_per_request=4, max_in_flight=2, request_timeout_s=60)], Kept()
        ) as stream:
            for question in questions(100):
                taken.append(question.tag)
                if len(taken) == most + 1:
                    full.set()
                stream.put(question)

    threading.Thread(target=fill, daemon=True).start()
    assert full.wait(60)
    assert len(taken) == most + 1  # the last one waits in put


def test_the_next_list_is_asked_for_when_an_answer_is_kept_and_not_before(server: StandInServer) -> None:
    kept, unkept = Kept(), []

    def rule(request: Request) -> None:
        unkept.append(len(server.answered) - len(kept.texts))

    server.rule = rule
    ask([client_of(server, prompts_per_request=4, max_in_flight=1)], questions(20), kept)
    assert unkept == [0] * 5


def test_a_stream_goes_on_after_a_drain(server: StandInServer) -> None:
    kept, asked = Kept(), questions(30)
    with Stream([client_of(server)], kept) as stream:
        for start in (0, 10, 20):
            for question in asked[start : start + 10]:
                stream.put(question)
            stream.drain()
            assert len(kept.texts) == start + 10
    assert kept.texts == expected(asked)


def test_lists_go_to_the_server_that_has_the_least_in_flight(several: list[StandInServer]) -> None:
    asked, kept = questions(600), Kept()
    slow = threading.Event()

    def wait_for_the_others(request: Request) -> None:
        slow.wait(60)
        answer(request)

    several[0].rule = lambda request: wait_for_the_others
    clients = [client_of(server, prompts_per_request=10, max_in_flight=2, request_timeout_s=60) for server in several]

    def keep(of: Sequence[Question], answers: Sequence[Answer]) -> None:
        kept(of, answers)
        if len(kept.texts) >= 580:
            slow.set()

    ask(clients, asked, keep)
    assert kept.texts == expected(asked)
    assert len(several[0].bodies) == 2, "its two places were taken, and the others did the rest"


@pytest.mark.parametrize("fault", [die, status(503)], ids=["dies", "is overloaded"])
def test_what_a_server_that_fails_has_not_answered_the_others_are_asked(
    several: list[StandInServer], fault: Callable[[Request], None]
) -> None:
    asked, kept = questions(600), Kept()
    several[1].rule = lambda request: fault if request.number > 5 else None
    ask([client_of(server, prompts_per_request=10) for server in several], asked, kept)
    assert kept.texts == expected(asked)


def test_the_last_server_s_error_ends_the_stream_with_all_that_came_back(several: list[StandInServer]) -> None:
    asked, kept = questions(600), Kept()
    for server in several:
        server.rule = lambda request: status(503) if request.number > 5 else None
    clients = [client_of(server, prompts_per_request=10, max_in_flight=2) for server in several]
    with pytest.raises(ServerError, match="HTTP 503"):
        ask(clients, asked, kept)
    answered = {prompt for server in several for prompt in server.answered}
    assert len(kept.texts) == len(answered) > 0
    assert kept.texts.items() <= expected(asked).items()


def test_another_server_can_take_the_place_of_one_that_failed(several: list[StandInServer]) -> None:
    asked, kept = questions(200), Kept()
    first, second, _ = several
    first.rule = lambda request: die if request.number > 3 else None
    replaced: list[str] = []

    def replace(lost: Any, problem: ServerError) -> Client:
        replaced.append(lost.endpoint)
        return client_of(second, prompts_per_request=10)

    ask([client_of(first, prompts_per_request=10)], asked, kept, replace=replace)
    assert kept.texts == expected(asked) and replaced == [client_of(first).endpoint]


def test_an_error_while_keeping_is_told_to_whoever_asks(server: StandInServer) -> None:
    def full_disk(of: Sequence[Question], answers: Sequence[Answer]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        ask([client_of(server)], questions(500), full_disk)
