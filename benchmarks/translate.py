"""The translate step: how full it keeps a server, and what it costs beside a bare loop of requests.

1. Counted, at a stand-in that takes decode steps (`decode_steps.py`): sequences that run on average, steps against the
   fewest possible. It takes a step only when it is full or nothing more can come, so a busy machine can't blur it.
2. Timed, four stand-ins that each take a fixed time for a prompt against one of them.
3. Timed, a real vLLM server of the playground's translator: the whole step, with Beam and ledger, against a bare loop
   that posts the same prompts to the same server at its best list size and number in flight, which are searched first.
   The two take turns; the median of the ratios is the last line.

    python -m benchmarks.translate [--count 20000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import httpx

from benchmarks.decode_steps import DecodeSteps, decoding
from benchmarks.stand_in_server import Request, StandInServer, answer
from florenz.pipeline.answers.graphs import run_translation
from florenz.pipeline.answers.questions import TranslationTask
from florenz.pipeline.recipe import Recipe, Translator, load_recipe
from florenz.playground.scene import COLOURS
from florenz.translators.client import Client
from florenz.translators.server import Server
from florenz.translators.settings import TranslatorSettings
from florenz.translators.stream import Question, Stream

GOAL = 0.9
SLOTS = 256
SIZES, IN_FLIGHT = (32, 64, 128, 256), (2, 4, 8)
NUM_TRIED = 2000


def tokens_of(prompt: str) -> int:
    """8 to 30 for most captions, 60 more for one in ten: a paragraph among sentences."""
    number = sum(prompt.encode()) * 2654435761 % 2**32
    return 8 + number % 23 + (60 if number // 64 % 10 == 0 else 0)


def count_steps(num_prompts: int) -> None:
    with StandInServer("m", lambda prompt: "x" * 4 * tokens_of(prompt), remembers=False) as server:
        engine = DecodeSteps(tokens_of, num_slots=SLOTS, num_expected=num_prompts, patience_s=0.5)
        settings = TranslatorSettings(model="m", prompt="playground", max_sequences=SLOTS)
        with (
            decoding(server, engine),
            Stream([Client(server.endpoint, "m", settings)], lambda asked, told: None) as stream,
        ):
            for number in range(num_prompts):
                stream.put(Question(text=f"a car {number}", language="de"))
            stream.drain()
    share, ratio = engine.mean_running / SLOTS, engine.num_steps / engine.fewest_steps
    print(f"running {engine.mean_running:.0f} of {SLOTS} on average ({share:.0%}, goal 90%)")
    print(f"steps {engine.num_steps}, {ratio:.2f} times the fewest (goal 1.1)")


def time_endpoints(num_prompts: int) -> None:
    """Each stand-in works on one prompt after the other, 10 ms each."""
    seconds = [endpoints_seconds(number, num_prompts) for number in (1, 4)]
    print(f"four endpoints: {seconds[0] / seconds[1]:.2f} times one (goal 3.6)")


def endpoints_seconds(num_endpoints: int, num_prompts: int) -> float:
    with ExitStack() as stack:
        servers = [stack.enter_context(StandInServer("m", remembers=False)) for _ in range(num_endpoints)]
        for server in servers:
            server.rule = (lambda busy: lambda request: lambda one: slowly(one, busy))(threading.Lock())
        settings = TranslatorSettings(model="m", prompt="playground", prompts_per_request=16, max_in_flight=4)
        clients = [Client(server.endpoint, "m", settings) for server in servers]
        started = time.monotonic()
        with Stream(clients, lambda asked, told: None) as stream:
            for number in range(num_prompts):
                stream.put(Question(text=f"a car {number}", language="de"))
            stream.drain()
        return time.monotonic() - started


def slowly(request: Request, busy: threading.Lock) -> None:
    with busy:
        time.sleep(0.01 * len(request.prompts))
    answer(request)


def captions() -> list[str]:
    """As the playground's captioner words them."""
    places = ("on the grass", "in a room", "in the snow", "on the street", "on the beach")
    things = ("cat", "dog", "bus", "umbrella", "bat", "fish", "bow", "nut")
    sides = ("to the left of", "above", "below", "to the right of")
    return [
        f"A {one} {thing} {side} a {other} {second} {place}."
        for one, other in itertools.product(COLOURS, repeat=2)
        for thing, second in itertools.permutations(things, 2)
        for side in sides
        for place in places
    ]


async def post_all(
    endpoint: str, model: str, prompts: Sequence[str], body: dict[str, object], size: int, most: int
) -> None:
    """The bare loop: nothing but requests, `most` at a time."""
    gate = asyncio.Semaphore(most)
    async with httpx.AsyncClient(timeout=None, trust_env=False) as http:

        async def post(some: Sequence[str]) -> None:
            async with gate:
                reply = await http.post(f"{endpoint}/completions", json={"model": model, "prompt": list(some), **body})
                reply.raise_for_status()
                assert len(reply.json()["choices"]) == len(some)

        await asyncio.gather(*(post(prompts[start : start + size]) for start in range(0, len(prompts), size)))


def bare_seconds(endpoint: str, settings: TranslatorSettings, prompts: Sequence[str], size: int, most: int) -> float:
    started = time.monotonic()
    asyncio.run(post_all(endpoint, settings.model, prompts, settings.request(), size, most))
    return time.monotonic() - started


def step_seconds(recipe: Recipe, tasks: Sequence[TranslationTask]) -> float:
    with tempfile.TemporaryDirectory(prefix="florenz-bench-") as out:
        started = time.monotonic()
        run_translation(replace(recipe, out=out), beam.Create(tasks), recipe.translator.running_servers, None)
        return time.monotonic() - started


def compare(num_prompts: int, num_rounds: int) -> float:
    texts = list(itertools.islice(itertools.cycle(captions()), num_prompts))
    recipe = load_recipe("configs/playground.toml", {"LANGS": "de"})
    settings = recipe.translator.settings
    tasks = [
        TranslationTask(key=f"{number:032x}", style="short", language="de", source_text=text)
        for number, text in enumerate(texts)
    ]
    prompts = [f"<s>{text}<|de|>" for text in texts]
    with (
        tempfile.TemporaryDirectory(prefix="florenz-bench-") as logs,
        Server(settings, Path(logs) / "vllm.log") as server,
    ):
        server.wait_ready(900)
        recipe = replace(recipe, translator=Translator(settings=settings, endpoint=server.endpoint))
        bare_seconds(server.endpoint, settings, prompts[:NUM_TRIED], 64, 2)  # warm
        tried = {
            (size, most): bare_seconds(server.endpoint, settings, prompts[:NUM_TRIED], size, most)
            for size, most in itertools.product(SIZES, IN_FLIGHT)
        }
        size, most = min(tried, key=lambda pair: tried[pair])
        print(f"bare loop at its best: lists of {size}, {most} in flight")
        ratios = []
        for _ in range(num_rounds):
            bare = bare_seconds(server.endpoint, settings, prompts, size, most)
            step = step_seconds(recipe, tasks)
            print(f"bare {num_prompts / bare:.0f} texts/s, step {num_prompts / step:.0f} texts/s", flush=True)
            ratios.append(bare / step)
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    count_steps(arguments.count)
    time_endpoints(1_600)
    print(f"bench-translate: {compare(arguments.count, arguments.rounds):.2f} (goal {GOAL})")


if __name__ == "__main__":
    main()
