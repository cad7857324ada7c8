"""What is missing and what is there, range by range: index and ledger are joined where they lie, and sums come back.

A worker reads a range of the index and the ledger's parts about it, and says how many questions are left and what all
of its rows come to; the launcher holds a line for each range. A line stays true as long as its files are the same, and
their names say that, so lines are kept (`surveyed.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from florenz.images.references import relative_uri
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.each_range import for_each, merge_scattered
from florenz.pipeline.answers.missing import candidates_to_ask, scores_to_ask
from florenz.pipeline.answers.parts import is_whole
from florenz.pipeline.answers.ranges import RangeWork, work_of
from florenz.pipeline.answers.reading import UNREADABLE
from florenz.pipeline.answers.surveyed import (
    Route,
    Survey,
    from_record,
    keep_lines,
    kept_lines,
)
from florenz.pipeline.assemble.code import code_checksum
from florenz.pipeline.image_index import Index, RangeOfImages, read_range
from florenz.pipeline.recipe import Recipe
from florenz.recipes.fingerprints import fingerprint
from florenz.stores import files

IMAGES_FOR_A_PROCESS = 50_000  # 3 s of computing
_LOOKERS = ("florenz.pipeline.answers.survey",)


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
    listed, set_aside = merge_scattered(recipe, answers)
    work = work_of(index, answers, keys, listed)
    states, known = _states(index, answers, work, recipe.image_source), kept_lines(recipe.out) if keys is None else {}
    ranges = list(zip(work, states, strict=True))
    kept = [(one, state) for one, state in ranges if one.range in known and known[one.range].state == state]
    proved.update(state for one, state in kept if state not in proved and _are_whole(one))
    by_range = {one.range: known[one.range] for one, state in kept if state in proved}
    changed = [(one, state) for one, state in ranges if one.range not in by_range]
    if changed:
        look = partial(_looked, out=recipe.out, images=recipe.image_source, answers=answers)
        num_images = index.num_images * len(changed) // len(work)
        for record in for_each(recipe, "survey", changed, look, num_images // IMAGES_FOR_A_PROCESS):
            by_range[record["range"]] = from_record(record)
        # A state names a part that was set aside too: with the same answers it would come back under the same name.
        sound = {name: found for name, found in by_range.items() if not found.damaged}
        proved.update(state for one, state in changed if one.range in sound)
        if keys is None:
            keep_lines(recipe.out, sound)
    return Survey(
        parts=tuple(by_range[one.range] for one in work),
        work=tuple(work),
        set_aside=tuple(set_aside),
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
    here, uris = answers.of(work.range, work.listed).once(), work.images(out)
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
