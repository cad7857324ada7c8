"""What the filters keep and catch, and how fast: every fault of a list is seeded into human sentence pairs.

Half of the pairs (by the English sentence) is never looked at by what calibrates; the other half is scored here: first
as it is (kept), then with each fault (caught). Every figure has its count and a 95% interval (Wilson's). A fault is at
its goal if all its languages together are. What the first measured version caught stands in `filters_before.json`,
text by text: "lost" counts those that are not caught any more. About three minutes on one core.

    python -m benchmarks.filters [--record] [--texts 200] [--skip-learned]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fasttext

from benchmarks.filters_faults import FAULTS, NEIGHBOURS, Fault
from benchmarks.filters_learned import figures
from benchmarks.filters_texts import Pair, languages, pairs
from florenz.filters.chain import FilterChain
from florenz.filters.verdict import Candidate, Verdict
from florenz.languages.identification import find_model

GOAL_KEPT, GOAL_SPEED = 99.0, 10_000
BEFORE = Path(__file__).with_name("filters_before.json")
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "filters.md"
MARK = "<!-- below: written by make bench-filters -->"
BATCH = 1024  # what assembly hands over: 128 images in two styles and four languages
NEIGHBOUR_WORDS = 8


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the result: `caught` of `texts` (or kept, for good ones) in one language."""

    name: str
    language: str
    caught: int
    texts: int
    goal: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        return 100 * self.caught / self.texts if self.texts else 0.0

    def __str__(self) -> str:
        low, high = wilson(self.caught, self.texts)
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(self.reasons.items()))
        return (
            f"{self.name:<36} {self.language:<10} {self.percent:6.2f}% {self.caught:>6} of {self.texts:<6} "
            f"[{low:.1f}, {high:.1f}]  {reasons}"
        ).rstrip()


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share, in percent; (0, 100) where nothing was counted."""
    if not total:
        return 0.0, 100.0
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def judged(chain: FilterChain, candidates: Sequence[Candidate]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for start in range(0, len(candidates), BATCH):
        verdicts += chain(candidates[start : start + BATCH])
    return verdicts


def row_of(name: str, language: str, verdicts: Iterable[Verdict], goal: float | None, *, good: bool = False) -> Row:
    verdicts = list(verdicts)
    reasons: dict[str, int] = {}
    for verdict in verdicts:
        if not verdict.keep:
            reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
    rejected = sum(reasons.values())
    caught = len(verdicts) - rejected if good else rejected
    return Row(name=name, language=language, caught=caught, texts=len(verdicts), goal=goal, reasons=reasons)


def good_candidates(language: str, texts: int) -> list[Candidate]:
    return [
        Candidate(source=english, text=text, language=language, finish_reason="stop")
        for english, text in pairs(language)[:texts]
    ]


def seeded(fault: Fault, language: str, texts: int) -> list[Candidate]:
    """The same candidates for the same pairs, whatever else is measured."""
    rng = random.Random(f"{fault.name}/{language}")
    rows: Sequence[Pair] = pairs(language)
    candidates = (fault.seed(pair, language, rng, rows) for pair in rows)
    return [candidate for candidate in candidates if candidate is not None][:texts]


def neighbours(claimed: str, true: str, texts: int) -> list[Candidate]:
    """Texts of `true` of six words and more, cut to eight, passed off as `claimed`."""
    rows = [(english, text.split()) for english, text in pairs(true) if len(text.split()) >= 6]
    return [
        Candidate(source=english, text=" ".join(words[:NEIGHBOUR_WORDS]), language=claimed)
        for english, words in rows[:texts]
    ]


def speed(texts: int) -> tuple[float, float]:
    """(texts/s of the default chain, texts/s of bare fastText on the same texts), CPU time of one core."""
    candidates = [one for language in languages()[:40] for one in good_candidates(language, texts)]
    random.Random(0).shuffle(candidates)
    chain, model = FilterChain(), fasttext.load_model(find_model())
    judged(chain, candidates[:BATCH])
    start = time.process_time()
    judged(chain, candidates)
    middle = time.process_time()
    model.predict([" ".join(candidate.text.split()) for candidate in candidates], k=1)
    end = time.process_time()
    return len(candidates) / (middle - start), len(candidates) / (end - middle)


def name_of(candidates: Sequence[Candidate]) -> str:
    """8 hex digits for these texts: with other data there is nothing to compare."""
    digest = hashlib.sha256()
    for one in candidates:
        digest.update(repr((one.source, one.text, one.language, one.finish_reason)).encode())
    return digest.hexdigest()[:8]


def bits(verdicts: Sequence[Verdict]) -> int:
    """Bit i: whether text i was caught."""
    return sum(1 << place for place, verdict in enumerate(verdicts) if not verdict.keep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=200, help="of each language and fault")
    parser.add_argument("--record", action="store_true", help="what is caught now is what must never be lost")
    parser.add_argument("--skip-learned", action="store_true", help="leave out what a table learns from many pairs")
    options = parser.parse_args()
    measure(options.texts, record=options.record, skip_learned=options.skip_learned)


def measure(texts: int, *, record: bool, skip_learned: bool) -> None:
    chain = FilterChain()
    rows: list[Row] = []
    lost = num_before = 0
    before: dict[str, str] = json.loads(BEFORE.read_text()) if BEFORE.is_file() else {}
    now: dict[str, str] = {}
    for language in languages():
        rows.append(
            row_of("good text kept", language, judged(chain, good_candidates(language, 10**9)), None, good=True)
        )
        print(rows[-1], flush=True)
    for name, language, goal, candidates in seeded_sets(texts):
        verdicts = judged(chain, candidates)
        rows.append(row_of(name, language, verdicts, goal))
        print(rows[-1], flush=True)
        key = f"{name}/{language}/{name_of(candidates)}"
        now[key] = f"{bits(verdicts):x}"
        caught_before = int(before.get(key, "0"), 16)
        gone = caught_before & ~bits(verdicts)
        num_before, lost = num_before + caught_before.bit_count(), lost + gone.bit_count()
        for place in range(gone.bit_length()):
            if gone >> place & 1:
                print(f"  lost: {candidates[place]}")
    for name, language, caught, number, goal in () if skip_learned else figures():
        rows.append(Row(name=name, language=language, caught=caught, texts=number, goal=goal))
        print(rows[-1], flush=True)
    if record:
        BEFORE.write_text(json.dumps(now, indent=0, sort_keys=True, ensure_ascii=False) + "\n")
    ours, bare = speed(texts)
    summary(rows, lost, num_before, ours, bare)


def seeded_sets(texts: int) -> Iterable[tuple[str, str, float | None, list[Candidate]]]:
    """(fault, language, goal, candidates), without what only a learned table can tell."""
    here = set(languages())
    for fault in FAULTS:
        for language in fault.languages:
            if language in here:
                yield fault.name, language, fault.goal, seeded(fault, language, texts)
    for claimed, true, goal in NEIGHBOURS:
        if {claimed, true} <= here:
            yield f"{true} passed off as {claimed}", claimed, goal, neighbours(claimed, true, texts)


def summary(rows: Sequence[Row], lost: int, num_before: int, ours: float, bare: float) -> None:
    totals: dict[str, Row] = {}
    for row in rows:
        sofar = totals.get(row.name, Row(name=row.name, language="all", caught=0, texts=0, goal=row.goal))
        totals[row.name] = Row(
            name=row.name,
            language="all",
            caught=sofar.caught + row.caught,
            texts=sofar.texts + row.texts,
            goal=row.goal,
        )
    lines = [_told(row) for row in totals.values()]
    good = [row for row in rows if row.name == "good text kept"]
    well = sum(row.percent >= GOAL_KEPT for row in good)
    lines += [
        f"languages whose good text is kept at {GOAL_KEPT:g}% and more: {well} of {len(good)}",
        f"caught before and lost now: {lost} of {num_before}",
        f"texts/s on one core: {ours:,.0f}, bare fastText {bare:,.0f}",
    ]
    goals = [row for row in totals.values() if row.goal is not None]
    at_goal = sum(row.percent >= (row.goal or 0) for row in goals)
    kept = totals["good text kept"].percent
    lines.append(
        f"bench-filters: kept {kept:.2f}% (goal {GOAL_KEPT:g}), caught {at_goal} of {len(goals)} faults at goal, "
        f"{ours:,.0f} texts/s (goal {GOAL_SPEED})"
    )
    write_document(rows, lines)
    print("\n" + "\n".join(lines))


def _told(row: Row) -> str:
    goal = f" goal {row.goal:g}{'' if row.percent >= row.goal else ': missed'}" if row.goal is not None else ""
    return f"{row}{goal}"


def write_document(rows: Sequence[Row], lines: Sequence[str]) -> None:
    """The figures part of docs/filters.md; what stands above its mark is written by hand."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.is_file() else f"# Filters\n\n{MARK}\n"
    above = text[: text.index(MARK)]
    tables = "\n".join(["```", *lines, "```", "", "Per language:", "", "```", *map(str, rows), "```", ""])
    DOCUMENT.write_text(f"{above}{MARK}\n\n{tables}", encoding="utf-8")


if __name__ == "__main__":
    main()
