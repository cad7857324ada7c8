"""report.html: what a build holds, what was dropped and why, on one page that needs no network.

Everything comes from manifest.json, report.json, the index and the reject file, so that it can be drawn again at any
time (`florenz report`). Texts are strangers' and are escaped by jinja2; the page's own policy forbids it to load or
run anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from florenz.languages.codes import LANGUAGES, SOURCE
from florenz.reports.charts import Step, about_lengths, bar, histogram, idle_times, time_line
from florenz.reports.entries import Entry, Text, ranked, read_entries, spread_shards
from florenz.reports.loads import HEADER, ModelLoad, load_rows
from florenz.reports.pictures import thumbnail
from florenz.reports.writing import direction, marked, shown
from florenz.shards.manifest import Manifest, read_manifest
from florenz.shards.plan import HELDOUT, SPLITS
from florenz.shards.schema import TASKS
from florenz.stores import files

NAME = "report.html"
MAX_KEPT, MAX_REJECTED, MAX_REASONS = 24, 24, 12
MAX_LENGTHS = 50_000
MAX_IMAGES = 2_000  # that are looked at: of a million a page shows a few
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """What became of one language's texts: asked, answered, passed the filters, and why the others did not."""

    language: str
    asked: int
    answered: int
    passed: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image on the page."""

    entry: Entry
    picture: str


def write_page(out: str, judged: Sequence[Any] | None = None) -> str:
    """Draw report.html of the current build; its path. `ManifestError` without a build.

    judged: what native readers said (`judging.judgements`).
    """
    manifest = read_manifest(out)
    page = render("report.html", **_facts(out, manifest, judged))
    path = files.join(out, NAME)
    with files.atomic_write(path) as file:
        file.write(page.encode())
    return path


def render(template: str, **facts: Any) -> str:
    return _environment().get_template(template).render(**facts)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"direction": direction, "shown": shown}
    environment.globals |= {
        "marked": marked,
        "bar": bar,
        "script": lambda name: Markup(_script(name)),
        "script_hash": lambda name: (
            "sha256-" + base64.b64encode(hashlib.sha256(_script(name).encode()).digest()).decode()
        ),
        "language_name": lambda code: LANGUAGES[code].name if code in LANGUAGES else code or "image",
        "style": Markup((TEMPLATES / "style.css").read_text()),
    }
    return environment


def _script(name: str) -> str:
    return (TEMPLATES / name).read_text()


def _script_hash(name: str) -> str:
    """For the page's policy: this script runs, and none that a text might bring."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_script(name).encode()).digest()).decode()


def _facts(out: str, manifest: Manifest, judged: Sequence[Any] | None) -> dict[str, Any]:
    report = read_report(out)
    current = report if report.get("build") == manifest.build else {}
    index = spread_shards(out, manifest, [split for split in SPLITS if split != HELDOUT])
    entries = read_entries(out, manifest, index, most=MAX_IMAGES)
    steps = [Step(**step) for step in current.get("timeline", [])]
    idle = idle_times(steps, busy_of(current))
    before = report.get("before") or {}
    return {
        "manifest": manifest,
        "warnings": current.get("warnings", []),
        "languages": (SOURCE, *manifest.languages),
        "matrix": coverage_matrix(manifest),
        "funnels": funnels(current.get("books", [])),
        "funnels_before": {one.language: one for one in funnels(before.get("books", []))},
        "counts_before": before.get("counts", {}),
        "seconds": current.get("seconds", {}),
        "seconds_before": before.get("seconds", {}),
        "time_line": time_line(steps, idle),
        "load_header": HEADER,
        "loads": load_rows([ModelLoad(**load) for load in current.get("loads", [])]),
        "idle_s": sum(stop - start for start, stop in idle),
        "lengths": length_charts(entries),
        "kept": [_shown(out, entry) for entry in choose_kept(entries)],
        "rejected": [(_shown(out, entry), text) for entry, text in choose_rejected(entries)],
        "judgements": [] if judged is None else judged,
        "num_samples": {split: sum(s.samples for s in manifest.shards_of(split)) for split in SPLITS},
    }


def read_report(out: str) -> dict[str, Any]:
    """report.json, {} without one."""
    try:
        record = json.loads(files.read_bytes(files.join(out, "report.json")))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def busy_of(report: Mapping[str, Any]) -> list[tuple[float, float]] | None:
    """When a model was busy, as a run noted it; None for one that did not."""
    spans = report.get("busy")
    return None if spans is None else [(start, end) for start, end in spans]


def coverage_matrix(manifest: Manifest) -> list[tuple[str, list[tuple[str, str, int, bool]]]]:
    """language -> (split, task, number, whether none may be there), for every split and task."""
    splits = [split for split in SPLITS if split in manifest.counts]
    return [
        (
            language,
            [
                (split, task, manifest.counts[split].get(task, {}).get(language, 0), _is_forbidden(manifest, *cell))
                for split in splits
                for task in TASKS
                for cell in [(split, task, language)]
            ],
        )
        for language in (SOURCE, *manifest.languages)
    ]


def _is_forbidden(manifest: Manifest, split: str, task: str, language: str) -> bool:
    return split != HELDOUT and task == "caption" and language in manifest.held_out


def funnels(books: Sequence[Mapping[str, Any]]) -> list[Funnel]:
    """One for each language, from the books of a run."""
    numbers: dict[tuple[str, str, str], int] = {
        (row["step"], row["language"], row["outcome"]): row["number"] for row in books
    }
    found = []
    for language in dict.fromkeys(row["language"] for row in books if row["language"]):
        first = "caption" if language == SOURCE else "translate"
        reasons: dict[str, int] = defaultdict(int)
        for (_, its_language, outcome), number in numbers.items():
            if its_language == language and outcome.startswith("rejected:"):
                reasons[outcome.removeprefix("rejected:")] += number
        answered = numbers.get((first, language, "kept"), 0)
        found.append(
            Funnel(
                language=language,
                asked=numbers.get((first, language, "in"), 0),
                answered=answered,
                passed=numbers.get(("filter", language, "kept"), answered),
                reasons=tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:MAX_REASONS]),
            )
        )
    return sorted(found, key=lambda one: (one.language != SOURCE, one.language))


def length_charts(entries: Sequence[Entry]) -> list[tuple[str, Markup, str]]:
    """(language, histogram of kept texts in characters, the same in words)."""
    lengths: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        for text in entry.texts:
            if text.verdict == "kept" and len(lengths[text.language]) < MAX_LENGTHS:
                lengths[text.language].append(len(text.text))
    about = {language: about_lengths(found) for language, found in sorted(lengths.items()) if found}
    return [(language, histogram(lengths[language], language), words) for language, words in about.items()]


def choose_kept(entries: Sequence[Entry]) -> list[Entry]:
    """Images with a kept text, by a hash of their key."""
    kept = [entry for entry in entries if any(text.verdict == "kept" for text in entry.texts)]
    return sorted(kept, key=lambda entry: ranked("kept", entry.key))[:MAX_KEPT]


def choose_rejected(entries: Sequence[Entry]) -> list[tuple[Entry, Text]]:
    """Rejected texts, reasons and languages in turn: the tenth of a kind comes after the first of every other."""
    kinds: dict[tuple[str, str], list[tuple[Entry, Text]]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: ranked("rejected", entry.key)):
        for text in entry.texts:
            if text.verdict == "rejected":
                kinds[text.reason, text.language].append((entry, text))
    in_turn = [(place, kind, pair) for kind, pairs in kinds.items() for place, pair in enumerate(pairs[:MAX_REJECTED])]
    return [pair for _, _, pair in sorted(in_turn, key=lambda one: one[:2])][:MAX_REJECTED]


def _shown(out: str, entry: Entry) -> Shown:
    return Shown(entry=entry, picture=thumbnail(out, entry.shard, entry.offset, entry.bytes) if entry.shard else "")
