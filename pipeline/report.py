"""What a run tells: `report.json` for programs, `REPORT.md` for people, and a short table on the screen. All from the
same books.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from florenz.exports.markdown import cell, table
from florenz.languages.codes import NAMES, SOURCE
from florenz.limits.printable import printable
from florenz.pipeline.answers.busy import SHORT_S, joined
from florenz.pipeline.assemble.books import IN, KEPT, WITHHOLD, Tally, kept_by_source, rejected_counts, to_json, total
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import Reject, count_rejects, iter_rejects
from florenz.pipeline.notices import drops_of_most, silent_languages
from florenz.reports.charts import Step, idle_share
from florenz.reports.loads import HEADER, ModelLoad, load_rows
from florenz.reports.page import NAME as PAGE
from florenz.reports.page import busy_of, read_report
from florenz.shards.manifest import Manifest
from florenz.shards.plan import SPLITS
from florenz.stores import files

LEARNED_AND_SCORED = ("train", "choose", "val")
MAX_REJECTS = 20
MAX_SPANS = 1000


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run, as told to its user. `asked`: questions put to the models by this run. `seconds`: step -> wall time.
    `timeline`: the steps as they ran, one that ran twice twice. `tables`: language -> fingerprint of the alignment that
    was learned for it; None where the recipe has it off, or nobody knows. `loads`: how full each asked model was.
    `busy`: when one of them was, in seconds since the run began; None where nobody measured it.
    """

    out: str
    manifest: Manifest
    books: Tally
    asked: Mapping[str, int]
    seconds: Mapping[str, float]
    next_command: str
    timeline: Sequence[Step] = ()
    tables: Mapping[str, str] | None = None
    loads: Sequence[ModelLoad] = ()
    busy: Sequence[tuple[float, float]] | None = None

    @property
    def idle(self) -> float | None:
        """Share of the run's time in which no model was busy; None for a run that asked none."""
        share = idle_share(self.timeline, self.busy)
        return None if share is None else round(share, 3)


@dataclass(frozen=True, kw_only=True)
class Rejects:
    """How many things a build dropped, and the first of them: a million images have millions."""

    number: int
    first: tuple[Reject, ...]


def rejects_of(out: str, build: str) -> Rejects:
    path = rejects_path(out, build)
    return Rejects(number=count_rejects(path), first=tuple(islice(iter_rejects(path), MAX_REJECTS)))


def write_report_again(out: str, manifest: Manifest, books: Tally) -> None:
    """After images were removed: the same run told from what is left. Nothing where that run is not the last one."""
    record = read_report(out)
    if record.get("build") != manifest.build:
        return
    facts = RunFacts(
        out=out,
        manifest=manifest,
        books=books,
        asked=record["asked"],
        seconds=record["seconds"],
        next_command=next_command(out),
        timeline=[Step(**step) for step in record.get("timeline", [])],
        tables=record.get("alignment"),
        loads=[ModelLoad(**load) for load in record.get("loads", [])],
        busy=busy_of(record),
    )
    write_report(facts, rejects_of(out, manifest.build), record.get("before", {}))


def next_command(out: str) -> str:
    return f"make verify OUT={shlex.quote(printable(out))}"


def write_report(facts: RunFacts, rejects: Rejects, before: Mapping[str, Any] | None = None) -> None:
    """before: the report of the run before; by default the one that lies there."""
    if before is None:
        before = {name: value for name, value in read_report(facts.out).items() if name != "before"}
    record = {
        "build": facts.manifest.build,
        "books": to_json(facts.books),
        "counts": facts.manifest.counts,
        "rejected": facts.manifest.rejected,
        "asked": dict(facts.asked),
        "seconds": {step: round(seconds, 2) for step, seconds in facts.seconds.items()},
        "timeline": [asdict(step) for step in facts.timeline],
        "warnings": drops_of_most(facts.books),
        "alignment": None if facts.tables is None else dict(facts.tables),
        "loads": [asdict(load) for load in facts.loads],
        "busy": None if facts.busy is None else [[round(at, 2) for at in span] for span in few(facts.busy)],
        "idle": facts.idle,
        "before": before,
    }
    _write(facts.out, "report.json", json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    _write(facts.out, "REPORT.md", _markdown(facts, rejects))


def few(spans: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Those with the shortest gaps as one, until they are few enough for a chart."""
    gap_s = SHORT_S
    while len(spans) > MAX_SPANS:
        gap_s *= 2
        spans = joined(spans, gap_s)
    return spans


def screen_table(facts: RunFacts) -> str:
    """A dozen lines: images, captions, texts per language, rejects and why, times, shards, what to do next."""
    manifest, books = facts.manifest, facts.books
    lines = [
        *(_line("WARNING", line) for line in drops_of_most(books)),
        _line("images", f"{total(books, 'read', IN)} found, {total(books, 'write', KEPT)} written"),
        _line("captions", f"{total(books, 'caption', KEPT)} in English"),
    ]
    lines += [_line(f"  {language}", _language_line(manifest, language)) for language in (SOURCE, *manifest.languages)]
    lines += [_line("withheld", line) for line in _withheld(facts)]
    reasons = rejected_counts(books)
    lines += [_line("rejected", "nothing")] if not reasons else []
    for step, by_reason in reasons.items():
        for reason, by_language in by_reason.items():
            where = ", ".join(f"{language} {n}" if language else str(n) for language, n in by_language.items())
            lines.append(_line("rejected", f"{step}: {reason} ({where})"))
    lines += [_line("alignment", line) for line in _silence(facts)]
    times = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in facts.seconds.items())
    lines += [
        _line("asked", ", ".join(f"{number} {what}" for what, number in facts.asked.items())),
        _line("time", times),
        *_at_once(facts),
        _line("shards", f"{len(manifest.shards)} in {files.join(facts.out, 'shards', manifest.build)}"),
        _line("look", files.join(facts.out, PAGE)),
        _line("next", facts.next_command),
    ]
    return "\n".join(lines)


def _at_once(facts: RunFacts) -> Iterator[str]:
    """Where steps ran at once their times don't add up to the run's."""
    if facts.idle is not None:
        seconds = max(step.ended for step in facts.timeline) - min(step.started for step in facts.timeline)
        yield _line("", f"{seconds:.1f} s in all, no model busy for {100 * facts.idle:.0f}% of it")


def _withheld(facts: RunFacts) -> Iterator[str]:
    if number := total(facts.books, WITHHOLD, IN):
        yield f"{number} images show a concept that nobody may caption, or nobody knows: translations only"


def _silence(facts: RunFacts) -> Iterator[str]:
    if facts.tables is not None:
        yield from silent_languages(facts.books, facts.manifest.languages, facts.tables)


def _line(name: str, text: str) -> str:
    return f"{name:<10} {text}"


def _language_line(manifest: Manifest, language: str) -> str:
    captions = _count(manifest, LEARNED_AND_SCORED, "caption", language)
    translations = _count(manifest, LEARNED_AND_SCORED, "translation", language)
    if language == SOURCE:
        return f"{NAMES.get(language, 'English')}: {captions} caption examples"
    withheld = " (held out)" if language in manifest.held_out else ""
    return f"{NAMES[language]}: {translations} translation examples, {captions} caption examples{withheld}"


def _count(manifest: Manifest, splits: tuple[str, ...], task: str, language: str) -> int:
    return sum(manifest.counts.get(split, {}).get(task, {}).get(language, 0) for split in splits)


def _markdown(facts: RunFacts, rejects: Rejects) -> str:
    manifest = facts.manifest
    splits = [split for split in SPLITS if split in manifest.counts]
    rows = []
    for language in (SOURCE, *manifest.languages):
        cells = [
            str(_count(manifest, (split,), task, language)) for split in splits for task in ("caption", "translation")
        ]
        rows.append([language + (" (held out)" if language in manifest.held_out else ""), *cells])
    header = ["language", *(f"{split} {task}" for split in splits for task in ("captions", "translations"))]
    book_rows = [
        [entry["step"], entry["language"], entry["outcome"], str(entry["number"])] for entry in to_json(facts.books)
    ]
    shard_rows = [[s.path, s.split, str(s.samples), str(s.bytes), s.sha256[:16]] for s in manifest.shards]
    time_rows = [[step, f"{seconds:.1f}"] for step, seconds in facts.seconds.items()]
    at_once = " ".join(line.strip() for line in _at_once(facts))
    reject_rows = [[r.step, r.reason, r.language, cell(r.detail), cell(r.text or r.source)] for r in rejects.first]
    parts = [
        *(f"**WARNING: {line}**" for line in drops_of_most(facts.books)),
        f"# Build {manifest.build}",
        "## Examples",
        table(header, rows),
        "## Books",
        "In = kept + rejected, for every step and language; a build whose books don't balance is not published.",
        table(["step", "language", "outcome", "number"], book_rows),
        *_by_source(facts.books),
        *(f"Alignment: {line}." for line in _silence(facts)),
        f"## Rejects ({rejects.number}; the first {len(reject_rows)})",
        table(["step", "reason", "language", "detail", "text"], reject_rows),
        "## Time",
        table(["step", "seconds"], time_rows),
        *([f"{at_once}. Steps may run at once."] if at_once else []),
        *_models(facts.loads),
        "## Shards",
        table(["file", "split", "samples", "bytes", "sha256"], shard_rows),
        f"Next: `{facts.next_command}`",
    ]
    return "\n\n".join(parts) + "\n"


def _by_source(books: Tally) -> list[str]:
    """Nothing where no filter looks at pictures."""
    rows = [
        [what, cell(source), language, str(went_in), f"{kept / went_in:.1%}"]
        for what, source, language, went_in, kept in kept_by_source(books)
    ]
    about = "Of the texts that all other filters keep, by the first folder below IMAGES."
    return ["## Kept by source", about, table(["filter", "source", "language", "texts", "kept"], rows)] if rows else []


def _models(loads: Sequence[ModelLoad]) -> list[str]:
    """Nothing where no model was asked."""
    if not loads:
        return []
    rows = [[cell(text) for text in row] for row in load_rows(loads)]
    about = (
        "In flight: questions of ours without an answer yet. Running and queue: sequences at the server, as it says. "
        "Idle: share of the step in which the model had nothing to do. A dash: not measured."
    )
    return ["## Models", table(HEADER, rows), about]


def _write(out: str, name: str, text: str) -> None:
    with files.atomic_write(files.join(out, name)) as file:
        file.write(text.encode())
