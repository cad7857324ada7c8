"""A sheet for a native reader: kept and rejected texts of one language, mixed and unmarked; and what the answers mean.

    OUT/samples/<name>.json    what is on the sheet, and what the filters had decided; the page does not say that
    OUT/samples/<name>.html    the sheet
    OUT/verdicts/<name>.json   what the reader clicked: {item: right | wrong | unclear}

Precision: the share of kept texts that are right. Recall: the share of right texts that are kept; the two halves of the
sheet are weighed by how many texts they stand for. Intervals are 95%: Wilson's for precision (Wilson 1927), and for
recall the bounds that follow from those of both halves, which are rather too wide.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from florenz.recipes.sections import nearest
from florenz.reports.entries import Entry, Text, ranked, read_entries, spread_shards
from florenz.reports.page import Shown, funnels, read_report, render
from florenz.reports.pictures import thumbnail
from florenz.shards.manifest import Manifest, read_manifest
from florenz.shards.plan import HELDOUT, SPLITS
from florenz.stores import files

ANSWERS = ("right", "wrong", "unclear")
SAMPLES, VERDICTS = "samples", "verdicts"
NAME = re.compile(r"[a-z0-9]+-[\w-]{1,150}", re.ASCII)  # of a sheet, and of its files
SIDE_PX = 320
Z = 1.96


class SampleError(ValueError):
    """No such sheet can be drawn, or the answers are not of one; one line."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One text on the sheet. kept: what the filters decided."""

    item: str
    key: str
    style: str
    text: str
    kept: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """num_kept, num_rejected: how many texts the two halves stand for."""

    name: str
    build: str
    language: str
    reason: str
    num_kept: int
    num_rejected: int
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Share:
    """low, high: of the 95% interval. All between 0 and 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the answers say about one sheet; None where no answer tells. unclear: answers that count for nothing."""

    sheet: Sheet
    answered: int
    unclear: int
    precision: Share | None
    recall: Share | None


def draw_sheet(out: str, *, number: int, language: str, reason: str = "") -> str:
    """Write a sheet of `number` texts, half of them rejected where there are so many; its name.

    Raises:
        ManifestError, SampleError: nothing was written.
    """
    manifest = read_manifest(out)
    splits = [split for split in SPLITS if split != HELDOUT]
    reasons = sorted({name for by_reason in manifest.rejected.values() for name in by_reason})
    if reason and reason not in reasons:  # it enters the names of files
        raise SampleError(f"REASON: {nearest(reason, reasons)}" if reasons else "REASON: this build rejected nothing")
    entries = read_entries(out, manifest, spread_shards(out, manifest, splits))
    pairs = _candidates(entries, language, reason)
    kept, lost = [pair for pair in pairs if pair[1].verdict == "kept"], [p for p in pairs if p[1].verdict != "kept"]
    if not kept and not lost:
        what = f" rejected as {reason}" if reason else ""
        raise SampleError(f"build {manifest.build} has no text in {language!r}{what} to look at")
    num_lost = min(len(lost), max(number // 2, number - len(kept)))
    chosen = [*lost[:num_lost], *kept[: number - num_lost]]
    chosen.sort(key=lambda pair: ranked("sheet", _identity(*pair)))
    sheet = _sheet(out, manifest, language, reason, chosen)
    _write_sheet(out, sheet)
    shown = [(_identity(entry, text), Shown(entry=entry, picture=_picture(out, entry)), text) for entry, text in chosen]
    page = render("sample.html", sheet=sheet, shown_items=shown, answers=ANSWERS)
    _write(files.join(out, SAMPLES, f"{sheet.name}.html"), page)
    return sheet.name


def _candidates(entries: Sequence[Entry], language: str, reason: str) -> list[tuple[Entry, Text]]:
    """Each text once, in an order by hash. With a reason: of the rejected those alone."""
    found: dict[str, tuple[Entry, Text]] = {}
    for entry in entries:
        for text in entry.texts:
            is_wanted = text.language == language and text.text and entry.shard
            fits = text.verdict == "kept" or (text.verdict == "rejected" and reason in ("", text.reason))
            if is_wanted and fits:
                found.setdefault(_identity(entry, text), (entry, text))
    return [found[identity] for identity in sorted(found)]


def _identity(entry: Entry, text: Text) -> str:
    joined = "\0".join((entry.key, text.language, text.style, text.text))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


def _sheet(out: str, manifest: Manifest, language: str, reason: str, chosen: Sequence[tuple[Entry, Text]]) -> Sheet:
    report = read_report(out)
    funnel = {one.language: one for one in funnels(report.get("books", []))}.get(language)
    reasons = {name: sum(by.values()) for name, by in _rejected(manifest, language).items()}
    items = tuple(
        Item(
            item=_identity(entry, text), key=entry.key, style=text.style, text=text.text,
            kept=text.verdict == "kept", reason=text.reason,
        )
        for entry, text in chosen
    )  # fmt: skip
    return Sheet(
        name="-".join(filter(None, (manifest.build, language, reason, str(len(items))))),
        build=manifest.build,
        language=language,
        reason=reason,
        num_kept=funnel.passed if funnel else sum(item.kept for item in items),
        num_rejected=sum(number for name, number in reasons.items() if reason in ("", name)),
        items=items,
    )


def _rejected(manifest: Manifest, language: str) -> dict[str, dict[str, int]]:
    """reason -> {language: number} at the steps that judge texts."""
    found: dict[str, dict[str, int]] = {}
    for step in ("filter", "cover"):
        for reason, by_language in manifest.rejected.get(step, {}).items():
            if language in by_language:
                found.setdefault(reason, {})[language] = by_language[language]
    return found


def _picture(out: str, entry: Entry) -> str:
    return thumbnail(out, entry.shard, entry.offset, entry.bytes, SIDE_PX)


def read_sheet(out: str, name: str) -> Sheet:
    """`SampleError` for one that was never drawn."""
    try:
        record = json.loads(files.read_bytes(files.join(out, SAMPLES, f"{name}.json")))
    except FileNotFoundError as missing:
        raise SampleError(f"no sheet {name!r} in {files.join(out, SAMPLES)}: draw it with make sample") from missing
    return Sheet(**{**record, "items": tuple(Item(**item) for item in record["items"])})


def read_answers(out: str, name: str) -> dict[str, str]:
    try:
        return dict(json.loads(files.read_bytes(files.join(out, VERDICTS, f"{name}.json")))["answers"])
    except FileNotFoundError:
        return {}


def add_answers(out: str, record: Any) -> str:
    """Join {"sample": name, "answers": {item: answer}} with what was answered before; the sheet's name.

    Raises:
        SampleError: not of this form, of no sheet here, or an item that is not on it; nothing is kept.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("answers"), Mapping):
        raise SampleError('verdicts are an object with "sample" and "answers", as the page saves them')
    name, answers = str(record.get("sample", "")), record["answers"]
    if not NAME.fullmatch(name):
        raise SampleError(f"{name[:80]!r} is not the name of a sheet")
    items = {item.item for item in read_sheet(out, name).items}
    for item, answer in answers.items():
        if item not in items or answer not in ANSWERS:
            said = f"{str(item)[:80]!r}: {str(answer)[:80]!r}"
            raise SampleError(f"{said} is not an answer to sheet {name}: {', '.join(ANSWERS)}")
    _write_answers(out, name, {**read_answers(out, name), **answers})
    return name


def _write_answers(out: str, name: str, answers: Mapping[str, str]) -> None:
    record = {"sample": name, "answers": dict(answers)}
    _write(files.join(out, VERDICTS, f"{name}.json"), json.dumps(record, indent=1, sort_keys=True))


def forget_images(out: str, keys: Collection[str]) -> int:
    """Take these images off all sheets, with what was said of them; how many sheets that were. Their pages go: a new
    one is drawn by the next `make sample`.
    """
    changed = 0
    for path in files.list_files(files.join(out, SAMPLES)):
        if not path.endswith(".json"):
            continue
        sheet = read_sheet(out, path.rpartition("/")[2].removesuffix(".json"))
        kept = tuple(item for item in sheet.items if item.key not in keys)
        if len(kept) == len(sheet.items):
            continue
        changed += 1
        files.remove(files.join(out, SAMPLES, f"{sheet.name}.html"))
        answers = read_answers(out, sheet.name)
        if said := {item.item: answers[item.item] for item in kept if item.item in answers}:
            _write_answers(out, sheet.name, said)
        else:
            files.remove(files.join(out, VERDICTS, f"{sheet.name}.json"))
        _write_sheet(out, replace(sheet, items=kept))  # last: killed before, the sheet is found again
    return changed


def judgements(out: str, build: str) -> list[Judgement]:
    """Of all sheets of this build that were answered."""
    names = [path.rpartition("/")[2].removesuffix(".json") for path in files.list_files(files.join(out, VERDICTS))]
    found = (judge(read_sheet(out, name), read_answers(out, name)) for name in names if name.startswith(build))
    return [one for one in found if one.answered]


def judge(sheet: Sheet, answers: Mapping[str, str]) -> Judgement:
    tallies = {True: [0, 0], False: [0, 0]}  # kept -> right, all that say right or wrong
    for item in sheet.items:
        if answers.get(item.item) in ("right", "wrong"):
            tallies[item.kept][0] += answers[item.item] == "right"
            tallies[item.kept][1] += 1
    kept, lost = wilson(*tallies[True]), wilson(*tallies[False])
    return Judgement(
        sheet=sheet,
        answered=len(answers),
        unclear=sum(answer == "unclear" for answer in answers.values()),
        precision=kept,
        recall=_recall(sheet, kept, lost),
    )


def wilson(right: int, total: int) -> Share | None:
    """The share with Wilson's interval; None for nothing."""
    if not total:
        return None
    value = right / total
    middle = (value + Z * Z / (2 * total)) / (1 + Z * Z / total)
    half = Z / (1 + Z * Z / total) * math.sqrt(value * (1 - value) / total + Z * Z / (4 * total * total))
    return Share(value=value, low=max(0.0, middle - half), high=min(1.0, middle + half))


def _recall(sheet: Sheet, kept: Share | None, lost: Share | None) -> Share | None:
    if kept is None or (lost is None and sheet.num_rejected):
        return None
    lost = lost or Share(value=0.0, low=0.0, high=0.0)

    def share(of_kept: float, of_lost: float) -> float:
        right, missed = of_kept * sheet.num_kept, of_lost * sheet.num_rejected
        return right / (right + missed) if right + missed else 0.0

    return Share(value=share(kept.value, lost.value), low=share(kept.low, lost.high), high=share(kept.high, lost.low))


def _write_sheet(out: str, sheet: Sheet) -> None:
    _write(files.join(out, SAMPLES, f"{sheet.name}.json"), json.dumps(asdict(sheet), ensure_ascii=False, indent=1))


def _write(path: str, text: str) -> None:
    with files.atomic_write(path) as file:
        file.write((text + "\n").encode())
