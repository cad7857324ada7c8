"""Many requests in flight against a server that is slow, refuses and resets: `python -m benchmarks.load [ITEMS]`.

64 requests at a time, each answered after 1 ms to 30 s (a hundredth of it here, so that the run ends), 5% of them with
429, 503, a reset connection or half a body. Every item must be answered, in the ledger, exactly once by the server; and
memory must not grow with their number.
"""

from __future__ import annotations

import hashlib
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.stand_in_server import Fault, Request, StandInServer, answer, cut_reply, reset, reset_mid_reply, status
from florenz.pipeline.answers.ledger import Ledger, TranslationRow
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.settings import TranslatorSettings

MODEL = "playground/models/translator"
IN_FLIGHT, PER_REQUEST = 64, 16
FASTEST_S, SLOWEST_S, SCALE = 0.001, 30.0, 0.01
FAULT_SHARE = 0.05
FAULTS: tuple[Fault, ...] = (status(429, Retry_After="0"), status(503), reset, reset_mid_reply, cut_reply)
GROWTH_GOAL_BYTES = 128 << 20
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


def text_for(prompt: str) -> str:
    return f"Antwort {hashlib.sha256(prompt.encode()).hexdigest()[:12]}"


class Moody:
    """Decides what becomes of a request; counts the items that were answered in full."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.answered: Counter[str] = Counter()
        self.faults = 0

    def rule(self, request: Request) -> Fault | None:
        """Called for one request at a time."""
        wait_s = FASTEST_S * (SLOWEST_S / FASTEST_S) ** self._rng.random() * SCALE
        fault = self._rng.choice(FAULTS) if self._rng.random() < FAULT_SHARE else None
        if fault:
            self.faults += 1
        else:
            self.answered.update(request.prompts)

        def act(request: Request) -> None:
            request.stand_in.is_over.wait(wait_s)
            (fault or answer)(request)

        return act


def load(num_items: int, seed: int = 0) -> Outcome:
    moody = Moody(seed)
    settings = TranslatorSettings(
        model=MODEL, prompt="playground", prompts_per_request=PER_REQUEST, max_in_flight=IN_FLIGHT, max_retries=8,
        backoff_s=0.001, backoff_max_s=0.05, request_timeout_s=60.0,
    )  # fmt: skip
    started, early_bytes = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as out, StandInServer(MODEL, text_for, remembers=False) as server:
        server.rule = moody.rule
        client, ledger = Client(server.endpoint, MODEL, settings), Ledger(out)
        step = IN_FLIGHT * PER_REQUEST  # what the pipeline hands over at once
        for number, start in enumerate(range(0, num_items, step)):
            texts = [f"Item {place}." for place in range(start, min(num_items, start + step))]
            client.translate(texts, "de", Keeper(ledger, texts))
            if number == 7 or start == 0:
                early_bytes = peak_bytes()
        growth = peak_bytes() - early_bytes
        ledger.compact()
        rows = ledger.read_translations("de", FINGERPRINT)
        prompts = {f"Item {place}.": f"<s>Item {place}.<|de|>" for place in range(num_items)}
        kept = {row.source_text: row.text for row in rows.values()}
        missing = sum(kept.get(text) != text_for(prompt) for text, prompt in prompts.items())
        asked = set(prompts.values())
        repeated = sum(count > 1 for prompt, count in moody.answered.items() if prompt in asked)
    return Outcome(items=num_items, missing=missing, repeated=repeated, requests=client.stats.requests,
                   faults=moody.faults, growth_bytes=growth, seconds=time.monotonic() - started)  # fmt: skip


class Keeper:
    """Puts answers into the ledger as the pipeline does."""

    def __init__(self, ledger: Ledger, texts: Sequence[str]) -> None:
        self._ledger, self._texts = ledger, texts

    def __call__(self, place: int, answers: Sequence[Answer]) -> None:
        rows = [
            TranslationRow(key=hashlib.sha256(text.encode()).hexdigest()[:32], style="short", language="de",
                           source_text=text, text=one.text or None, reason=one.reason, detail=one.detail)
            for text, one in zip(self._texts[place:], answers, strict=False)
        ]  # fmt: skip
        self._ledger.append_translations("de", FINGERPRINT, rows)


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
