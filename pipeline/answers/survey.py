"""What is missing and what is there, range by range: index and ledger are joined where they lie, and sums come back.

A worker reads a range of the index and the ledger's parts about it, and says how many questions are left and what all
of its rows come to; the launcher holds a line for each range. A line stays true as long as its files are the same, and
their names say that: OUT/ledger/survey.json keeps the lines, so that an unchanged rerun reads no answer.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam

from florenz.images.references import relative_uri
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.missing import candidates_to_ask, scores_to_ask
from florenz.pipeline.answers.parts import is_whole
from florenz.pipeline.answers.ranges import RangeWork, work_of
from florenz.pipeline.answers.reading import UNREADABLE
from florenz.pipeline.assemble.code import code_checksum
from florenz.pipeline.image_index import Index, RangeOfImages, read_range
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import graph
from florenz.pipeline.workers.given import given
from florenz.recipes.fingerprints import fingerprint
from florenz.stores import files
from florenz.stores.seals import check_seal, sealed

_LOOKERS = ("florenz.pipeline.answers.survey",)
FEW = 16  # ranges that are looked through in less time than an engine takes to start


Route = tuple[str, int]  # a language, and which of its translators
Again = tuple[str, int, int]  # the same, and for which candidate it is asked again


class Answered(NamedTuple):
    """Captions that there are. unreadable: without a text, because the image could not be read. chars: of texts."""

    answers: int = 0
    unreadable: int = 0
    chars: int = 0


class Asked(NamedTuple):
    """Translations that are missing. chars: of the English texts."""

    questions: int = 0
    chars: int = 0


@dataclass(frozen=True, kw_only=True)
class RangeSurvey:
    """One range. state: of the files that it was made of. images: how many. rows: a digest of all that a build takes
    from here. damaged: a line for each part of the ledger that was set aside.

    lacking: (styles, how many images lack captions in these and no others). captioned: style -> `Answered`.
    translations: (language, number of its translator) -> `Asked`. rephrasings: language -> `Asked`, chars: of the
    translations. scores: what is scored -> `Asked`, chars: of the texts.
    again: `Again` -> `Asked`.
    """

    range: str
    state: str
    images: int
    lacking: Mapping[tuple[str, ...], int]
    captioned: Mapping[str, Answered]
    translations: Mapping[tuple[str, int], Asked]
    rows: str
    damaged: tuple[str, ...] = ()
    rephrasings: Mapping[str, Asked] = field(default_factory=dict)
    scores: Mapping[str, Asked] = field(default_factory=dict)
    again: Mapping[Again, Asked] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All ranges that hold an image or a reject, in order. set_aside: a line for each damaged part of the ledger."""

    parts: tuple[RangeSurvey, ...]
    work: tuple[RangeWork, ...]
    set_aside: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return sum(part.images for part in self.parts)

    def caption_tasks(self, styles: Collection[str]) -> int:
        """Images that lack a caption in one of these styles."""
        return sum(
            number for part in self.parts for some, number in part.lacking.items() if not set(some).isdisjoint(styles)
        )

    def captions(self) -> Counter[str]:
        """Style -> captions that are missing."""
        missing: Counter[str] = Counter()
        for part in self.parts:
            for styles, number in part.lacking.items():
                missing.update(dict.fromkeys(styles, number))
        return missing

    def captioned(self, style: str) -> Answered:
        found = [part.captioned[style] for part in self.parts if style in part.captioned]
        return Answered(*map(sum, zip(*found, strict=True))) if found else Answered()

    def translations(self, routes: Collection[Route] | None = None) -> Asked:
        """What is missing of these routes, or of all."""
        found = [
            asked
            for part in self.parts
            for route, asked in part.translations.items()
            if routes is None or route in routes
        ]
        return Asked(*map(sum, zip(*found, strict=True))) if found else Asked()

    def rephrasings(self, languages: Collection[str] | None = None) -> Asked:
        """What is missing of these languages' rephrasers, or of all; of the translations that there are."""
        found = [
            asked
            for part in self.parts
            for language, asked in part.rephrasings.items()
            if languages is None or language in languages
        ]
        return Asked(*map(sum, zip(*found, strict=True))) if found else Asked()

    def scores(self, what: str | None = None) -> Asked:
        """What is missing of this, or of all that is scored; of the texts that there are."""
        found = [asked for part in self.parts for one, asked in part.scores.items() if what in (None, one)]
        return Asked(*map(sum, zip(*found, strict=True))) if found else Asked()

    def again(self, routes: Collection[Again] | None = None) -> Asked:
        """What is to be asked again of these, or of all; as far as the scores are known that decide it."""
        found = [
            asked for part in self.parts for route, asked in part.again.items() if routes is None or route in routes
        ]
        return Asked(*map(sum, zip(*found, strict=True))) if found else Asked()

    def lacking_again(self, routes: Collection[Again]) -> list[RangeWork]:
        return self._where(lambda part: any(route in routes for route in part.again))

    def lacking_scores(self, what: str) -> list[RangeWork]:
        return self._where(lambda part: what in part.scores)

    def lacking_rephrasings(self, languages: Collection[str]) -> list[RangeWork]:
        return self._where(lambda part: any(language in languages for language in part.rephrasings))

    def lacking_captions(self, styles: Collection[str]) -> list[RangeWork]:
        return self._where(lambda part: any(not set(some).isdisjoint(styles) for some in part.lacking))

    def lacking_translations(self, routes: Collection[Route] | None = None) -> list[RangeWork]:
        return self._where(lambda part: any(routes is None or route in routes for route in part.translations))

    def _where(self, is_meant: Callable[[RangeSurvey], bool]) -> list[RangeWork]:
        return [work for work, part in zip(self.work, self.parts, strict=True) if is_meant(part)]

    def rows(self) -> str:
        """Stands for every row of the index and every answer about it."""
        return hashlib.sha256("\n".join(part.rows for part in self.parts).encode()).hexdigest()

    def damaged(self) -> list[str]:
        return sorted({*self.set_aside, *(line for part in self.parts for line in part.damaged)})


def survey(
    recipe: Recipe,
    index: Index,
    answers: CurrentAnswers,
    keys: Collection[str] | None = None,
    proved: set[str] | None = None,
) -> Survey:
    """Merge what is scattered, and look through all ranges in which a file has changed since the last look.

    keys: of some images, where not all are meant. proved: states of ranges whose parts this run has read, and found to
    hold the bytes that were written: one read is enough, of a million images too. It is added to.
    """
    proved = set() if proved is None else proved
    listed, digits = answers.ledger.parts(), answers.ledger.digits
    scattered = answers.ledger.scattered(listed=listed)
    merged = _each(recipe, "merge", scattered, partial(_merged, out=recipe.out, digits=digits)) if scattered else []
    work = work_of(index, answers, keys, None if merged else listed)
    states, known = _states(index, answers, work, recipe.image_source), _kept(recipe.out) if keys is None else {}
    ranges = list(zip(work, states, strict=True))
    kept = [(one, state) for one, state in ranges if one.range in known and known[one.range].state == state]
    proved.update(state for one, state in kept if state not in proved and _are_whole(one))
    by_range = {one.range: known[one.range] for one, state in kept if state in proved}
    changed = [(one, state) for one, state in ranges if one.range not in by_range]
    if changed:
        look = partial(_looked, out=recipe.out, images=recipe.image_source, answers=answers)
        for record in _each(recipe, "survey", changed, look):
            by_range[record["range"]] = _from_record(record)
        # A state names a part that was set aside too: with the same answers it would come back under the same name.
        sound = {name: found for name, found in by_range.items() if not found.damaged}
        proved.update(state for one, state in changed if one.range in sound)
        if keys is None:
            _keep(recipe.out, sound)
    return Survey(
        parts=tuple(by_range[one.range] for one in work),
        work=tuple(work),
        set_aside=tuple(line for one in merged for line in one["damaged"]),
    )


def _states(index: Index, answers: CurrentAnswers, work: Sequence[RangeWork], images: str) -> list[str]:
    """A name for all that a line is made of."""
    checksums, code = {part.range: part.sha256 for part in index.parts}, code_checksum(_LOOKERS)
    return [
        fingerprint(
            {
                "images": checksums[one.range],
                "answers": {folder: [path.rpartition("/")[2] for path in one.listed[folder]] for folder in one.listed},
                "asked": [answers.described(), images, one.keys, code],
            }
        )
        for one in work
    ]


def _are_whole(work: RangeWork) -> bool:
    """Whether the parts hold the bytes that their names say. A store in the network has checksums of its own."""
    paths = [path for listed in work.listed.values() for path in listed]
    return all(files.local_path(path) is None or is_whole(path, files.read_bytes(path)) for path in paths)


def _looked(work_and_state: tuple[RangeWork, str], out: str, images: str, answers: CurrentAnswers) -> dict[str, Any]:
    """One range, as a record."""
    work, state = work_and_state
    here, uris = answers.of(work.range, work.listed), work.images(out)
    captioned: dict[str, list[int]] = {}
    for row in here.captions().values():
        if row.key in uris:
            numbers = captioned.setdefault(row.style, [0, 0, 0])
            for at, more in enumerate((1, row.reason in UNREADABLE, len(row.text or ""))):
                numbers[at] += more
    translations: dict[Route, list[int]] = {}
    for task in here.missing_translations(uris):
        numbers = translations.setdefault((task.language, task.number), [0, 0])
        numbers[0] += 1
        numbers[1] += len(task.source_text)
    rephrasings: dict[str, list[int]] = {}
    for task in here.missing_rephrasings(uris):
        numbers = rephrasings.setdefault(task.language, [0, 0])
        numbers[0] += 1
        numbers[1] += len(task.source_text)
    scores = {what: tasks for what in here.scored if (tasks := scores_to_ask(here, uris, what))}
    again = candidates_to_ask(here, uris)
    lacking = Counter(task.styles for task in here.missing_captions(uris))
    return {
        "range": work.range,
        "state": state,
        "images": len(uris),
        "lacking": [[list(styles), number] for styles, number in sorted(lacking.items())],
        "captioned": captioned,
        "translations": [[*route, *numbers] for route, numbers in translations.items()],
        "rephrasings": rephrasings,
        "scores": {what: [len(tasks), sum(len(task.text) for task in tasks)] for what, tasks in scores.items()},
        "again": [[*route, len(tasks), sum(len(task.source_text) for task in tasks)] for route, tasks in again.items()],
        "rows": _digest_of(read_range(out, work.range), here, images),
        "damaged": list(dict.fromkeys(here.ledger.damaged)),
    }


def _digest_of(found: RangeOfImages, answers: CurrentAnswers, images: str) -> str:
    """Sources as they read from `images`, so that the same pictures in another folder come to the same."""
    digest = hashlib.sha256()
    for key, uri in sorted(found.images.items()):
        about = [found.about[key]] if key in found.about else []
        digest.update(repr((key, relative_uri(uri, images), found.damaged.get(key, ""), *about)).encode())
    for row in sorted((relative_uri(one.source, images), one.reason, one.key) for one in found.rejects):
        digest.update(repr(row).encode())
    for answer in answers.about(found.images):
        digest.update(repr(answer).encode())
    return digest.hexdigest()


def _merged(parts: Sequence[str], out: str, digits: int) -> dict[str, Any]:
    ledger = Ledger(out, digits)
    ledger.merge(parts)
    return {"damaged": ledger.damaged}


def _each(recipe: Recipe, what: str, items: Sequence[Any], do: Any) -> list[dict[str, Any]]:
    """What comes of each, worked out where the recipe's graphs run, unless it is too little for that."""
    if len(items) <= FEW:
        return [do(item) for item in items]
    path = files.join(recipe.out, "ledger", f"{what}.new.json")
    with graph(recipe.running, "read") as pipeline:
        _ = (
            pipeline
            | "ranges" >> given(items, recipe.running)
            | what >> beam.Map(do)
            | "all ranges" >> beam.combiners.ToList()
            | "note" >> beam.Map(_note, path=path)
        )
    found: list[dict[str, Any]] = json.loads(files.read_bytes(path))
    files.remove(path)
    return found


def _note(records: list[dict[str, Any]], path: str) -> None:
    with files.atomic_write(path) as file:
        file.write(json.dumps(records).encode())


def _survey_path(out: str) -> str:
    return files.join(out, "ledger", "survey.json")


def may_be_answered(out: str) -> bool:
    """Whether a run has got as far as looking for what is missing, or one of an older version has asked something."""
    return files.exists(_survey_path(out)) or bool(files.list_files(files.join(out, "ledger", "translations", "")))


def _keep(out: str, by_range: Mapping[str, RangeSurvey]) -> None:
    record = {"ranges": [_record(one) for _, one in sorted(by_range.items())]}
    with files.atomic_write(_survey_path(out)) as file:
        file.write(json.dumps(sealed(record)).encode())


def _kept(out: str) -> dict[str, RangeSurvey]:
    try:
        record = json.loads(files.read_bytes(_survey_path(out)))
        check_seal(record)
        return {one["range"]: _from_record(one) for one in record["ranges"]}
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _record(one: RangeSurvey) -> dict[str, Any]:
    return {
        "range": one.range,
        "state": one.state,
        "images": one.images,
        "lacking": [[list(styles), number] for styles, number in one.lacking.items()],
        "captioned": one.captioned,
        "translations": [[*route, *asked] for route, asked in one.translations.items()],
        "rephrasings": one.rephrasings,
        "scores": one.scores,
        "again": [[*route, *asked] for route, asked in one.again.items()],
        "rows": one.rows,
        "damaged": list(one.damaged),
    }


def _from_record(record: Mapping[str, Any]) -> RangeSurvey:
    return RangeSurvey(
        range=record["range"],
        state=record["state"],
        images=record["images"],
        lacking={tuple(styles): number for styles, number in record["lacking"]},
        captioned={style: Answered(*numbers) for style, numbers in record["captioned"].items()},
        translations={(language, number): Asked(*asked) for language, number, *asked in record["translations"]},
        rephrasings={language: Asked(*asked) for language, asked in record["rephrasings"].items()},
        scores={what: Asked(*asked) for what, asked in record["scores"].items()},
        again={(language, number, candidate): Asked(*asked) for language, number, candidate, *asked in record["again"]},
        rows=record["rows"],
        damaged=tuple(record["damaged"]),
    )
