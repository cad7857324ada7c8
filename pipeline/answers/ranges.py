"""A range of keys as work: the images of the index and the ledger's parts about them, joined where they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.missing import candidates_to_ask, scores_to_ask
from florenz.pipeline.answers.parts import part_range
from florenz.pipeline.answers.questions import CaptionTask, ScoreTask, TranslationTask, tasks_in
from florenz.pipeline.image_index import Index, read_range
from florenz.pipeline.ranges import range_of


@dataclass(frozen=True, kw_only=True)
class RangeWork:
    """A range and the parts of the ledger about it, by folder: what a worker needs to read it.

    keys: of the images that are meant, where it is not all of them.
    """

    range: str
    listed: Mapping[str, Sequence[str]]
    keys: tuple[str, ...] | None = None

    def images(self, out: str) -> dict[str, str]:
        """Key -> URI, by key."""
        found = read_range(out, self.range).images
        return found if self.keys is None else {key: found[key] for key in self.keys}


def work_of(
    index: Index,
    answers: CurrentAnswers,
    keys: Collection[str] | None = None,
    listed: Mapping[str, Sequence[str]] | None = None,
) -> list[RangeWork]:
    """Each range with the parts of this run's models about it. keys: of some images of the index, if not all are meant;
    ranges without one are left out. listed: what `Ledger.parts` has just said.
    """
    listed = answers.ledger.parts() if listed is None else listed
    by_folder = {folder: _by_range(listed.get(folder, []), index.digits) for folder in answers.folders()}
    some: dict[str, list[str]] = {}
    for key in sorted(keys or ()):
        some.setdefault(range_of(key, index.digits), []).append(key)
    return [
        RangeWork(
            range=part.range,
            listed={
                folder: [path for name in _covering(part.range) for path in found.get(name, ())]
                for folder, found in by_folder.items()
            },
            keys=None if keys is None else tuple(some[part.range]),
        )
        for part in index.parts
        if keys is None or part.range in some
    ]


def missing_captions(
    work: RangeWork, out: str, answers: CurrentAnswers, styles: Collection[str] | None = None
) -> list[CaptionTask]:
    """What to ask about one range. styles: those of the captioner that is asked; None: of all."""
    tasks = answers.of(work.range, work.listed).missing_captions(work.images(out))
    return tasks if styles is None else tasks_in(tasks, styles)


def missing_translations(
    work: RangeWork, out: str, answers: CurrentAnswers, routes: Collection[tuple[str, int]] | None = None
) -> list[TranslationTask]:
    """The same of translators. routes: as in `CurrentAnswers.missing_translations`."""
    return answers.of(work.range, work.listed).missing_translations(work.images(out), routes)


def missing_rephrasings(
    work: RangeWork, out: str, answers: CurrentAnswers, languages: Collection[str] | None = None
) -> list[TranslationTask]:
    """The same of rephrasers. languages: as in `CurrentAnswers.missing_rephrasings`."""
    return answers.of(work.range, work.listed).missing_rephrasings(work.images(out), languages)


def missing_candidates(
    work: RangeWork, out: str, answers: CurrentAnswers, routes: Collection[tuple[str, int, int]]
) -> list[TranslationTask]:
    """The same of translators that are asked again. routes: as in `candidates_to_ask`."""
    found = candidates_to_ask(answers.of(work.range, work.listed), work.images(out), routes)
    return [task for tasks in found.values() for task in tasks]


def missing_scores(work: RangeWork, out: str, answers: CurrentAnswers, what: str) -> list[ScoreTask]:
    """The same of the scorer of this."""
    return scores_to_ask(answers.of(work.range, work.listed), work.images(out), what)


def _by_range(paths: Iterable[str], digits: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(part_range(path)[:digits], []).append(path)
    return found


def _covering(its_range: str) -> list[str]:
    """The range, and all wider ones that it lies in."""
    return [its_range[:digits] for digits in range(len(its_range) + 1)]
