"""Many requests in flight against a server that is slow, refuses and resets: `python -m benchmarks.load [ITEMS]`.

64 requests at a time, each answered after 1 ms to 30 s, 5% of them with 429, 503, a reset connection or half a body.
Items go through one stream, as the translate step sends them. Every item must be answered, in the ledger, exactly once
by the server; and memory must not grow with their number.
"""

from __future__ import annotations

import hashlib
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.stand_in_server import Fault, Request, StandInServer, answer, cut_reply, reset, reset_mid_reply, status
from florenz.pipeline.answers.ledger import Ledger, TranslationRow
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.settings import TranslatorSettings
from florenz.translators.stream import Question, Stream

MODEL = "playground/models/translator"
IN_FLIGHT, PER_REQUEST = 64, 16
FASTEST_S, SLOWEST_S = 0.001, 30.0
FAULT_SHARE = 0.05
FAULTS: tuple[Fault, ...] = (status(429, Retry_After="0"), status(503), reset, reset_mid_reply, cut_reply)
GROWTH_GOAL_BYTES = 128 << 20
WARM_ITEMS = 4 * IN_FLIGHT * PER_REQUEST  # after so many answers nothing is loaded for the first time
FINGERPRINT = "f" * 16


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """missing: items without the answer that the server gave. repeated: items that it answered more than once."""

    items: int
    missing: int
    repeated: int
    requests: int
    faults: int
    growth_bytes: int
    seconds: float


def text_of(item: int) -> str:
    return f"Item {item}."


def item_of(text: str) -> int | None:
    """None for another text: the client sends one of its own to see whether a server or an item is to blame."""
    found = re.search(r"Item (\d+)\.", text)
    return int(found.group(1)) if found else None


def answer_to(text: str) -> str:
    return f"Antwort {hashlib.sha256(str(item_of(text)).encode()).hexdigest()[:12]}"


class Moody:
    """Decides what becomes of a request; counts how often each item was answered in full."""

    def __init__(self, num_items: int, seed: int, scale: float) -> None:
        self._rng, self._scale = random.Random(seed), scale
        self.answered = bytearray(num_items)
        self.faults = 0

    def rule(self, request: Request) -> Fault | None:
        """Called for one request at a time."""
        wait_s = FASTEST_S * (SLOWEST_S / FASTEST_S) ** self._rng.random() * self._scale
        fault = self._rng.choice(FAULTS) if self._rng.random() < FAULT_SHARE else None
        if fault:
            self.faults += 1
        else:
            for item in map(item_of, request.prompts):
                if item is not None:
                    self.answered[item] += 1

        def act(request: Request) -> None:
            request.stand_in.is_over.wait(wait_s)
            (fault or answer)(request)

        return act


def load(num_items: int, *, seed: int = 0, scale: float = 1.0) -> Outcome:
    """scale: of the time that each reply takes."""
    moody = Moody(num_items, seed, scale)
    settings = TranslatorSettings(
        model=MODEL, prompt="playground", prompts_per_request=PER_REQUEST, max_in_flight=IN_FLIGHT, max_retries=8,
        backoff_s=0.001, backoff_max_s=0.05, request_timeout_s=60.0,
    )  # fmt: skip
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as out, StandInServer(MODEL, answer_to, remembers=False) as server:
        server.rule = moody.rule
        client, keeper = Client(server.endpoint, MODEL, settings), Keeper(Ledger(out))
        with Stream([client], keeper) as stream:
            for item in range(num_items):
                stream.put(Question(text=text_of(item), language="de", tag=item))
            stream.drain()
        growth = peak_bytes() - keeper.early_bytes
        ledger = Ledger(out)
        ledger.compact()
        kept = {row.source_text: row.text for row in ledger.read_translations("de", FINGERPRINT).values()}
        missing = sum(kept.get(text) != answer_to(text) for text in map(text_of, range(num_items)))
    return Outcome(items=num_items, missing=missing, repeated=sum(times > 1 for times in moody.answered),
                   requests=client.stats.requests, faults=moody.faults, growth_bytes=growth,
                   seconds=time.monotonic() - started)  # fmt: skip


class Keeper:
    """Puts answers into the ledger as the pipeline does. early_bytes: peak memory when thousands were there."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._kept, self.early_bytes = ledger, 0, 0

    def __call__(self, questions: Sequence[Question], answers: Sequence[Answer]) -> None:
        rows = [
            TranslationRow(key=hashlib.sha256(question.text.encode()).hexdigest()[:32], style="short", language="de",
                           source_text=question.text, text=one.text or None, reason=one.reason, detail=one.detail)
            for question, one in zip(questions, answers, strict=True)
        ]  # fmt: skip
        self._ledger.append_translations("de", FINGERPRINT, rows)
        self._kept += len(rows)
        if self._kept <= WARM_ITEMS:
            self.early_bytes = peak_bytes()


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main(words: list[str]) -> int:
    found = load(int(words[0]) if words else 200_000)
    print(
        f"{found.items:,} items in {found.requests:,} requests, {found.faults:,} of them failed, {found.seconds:.0f} s"
    )
    print(f"memory grew by {found.growth_bytes / 2**20:.0f} MiB (goal {GROWTH_GOAL_BYTES >> 20})")
    print(f"bench-load: {found.missing} lost, {found.repeated} asked again after their answer (goal 0, 0)")
    return int(bool(found.missing or found.repeated or found.growth_bytes > GROWTH_GOAL_BYTES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
