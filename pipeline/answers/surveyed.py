"""What a survey says: of each range how many questions are left and what all of its rows come to, and of all ranges.

`survey.py` finds it out. OUT/ledger/survey.json keeps a line for each range: an unchanged rerun reads no answer.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from florenz.pipeline.answers.ranges import RangeWork
from florenz.stores import files
from florenz.stores.seals import check_seal, sealed

Key = TypeVar("Key")
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
        return _total((part.translations for part in self.parts), routes)

    def rephrasings(self, languages: Collection[str] | None = None) -> Asked:
        """What is missing of these languages' rephrasers, or of all; of the translations that there are."""
        return _total((part.rephrasings for part in self.parts), languages)

    def scores(self, what: str | None = None) -> Asked:
        """What is missing of this, or of all that is scored; of the texts that there are."""
        return _total((part.scores for part in self.parts), None if what is None else [what])

    def again(self, routes: Collection[Again] | None = None) -> Asked:
        """What is to be asked again of these, or of all; as far as the scores are known that decide it."""
        return _total((part.again for part in self.parts), routes)

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


def _total(several: Iterable[Mapping[Key, Asked]], keys: Collection[Key] | None) -> Asked:
    """Of these keys, or of all."""
    found = (asked for one in several for key, asked in one.items() if keys is None or key in keys)
    return Asked(*map(sum, zip(*found, strict=True)))


def _survey_path(out: str) -> str:
    return files.join(out, "ledger", "survey.json")


def may_be_answered(out: str) -> bool:
    """Whether a run has got as far as looking for what is missing, or one of an older version has asked something."""
    return files.exists(_survey_path(out)) or bool(files.list_files(files.join(out, "ledger", "translations", "")))


def keep_lines(out: str, by_range: Mapping[str, RangeSurvey]) -> None:
    record = {"ranges": [to_record(one) for _, one in sorted(by_range.items())]}
    with files.atomic_write(_survey_path(out)) as file:
        file.write(json.dumps(sealed(record)).encode())


def kept_lines(out: str) -> dict[str, RangeSurvey]:
    """Range -> its line; none where there is no file that can be believed."""
    try:
        record = json.loads(files.read_bytes(_survey_path(out)))
        check_seal(record)
        return {one["range"]: from_record(one) for one in record["ranges"]}
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def to_record(one: RangeSurvey) -> dict[str, Any]:
    """As JSON can hold it."""
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


def from_record(record: Mapping[str, Any]) -> RangeSurvey:
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
