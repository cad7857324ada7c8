"""Near-duplicates of a whole run, in the graph of step 1: no process holds all pictures.

What was found -> a row for each of 32 groups -> pairs within a group -> for each picture that goes, the range of the
index that it lies in. Only pictures that would stay otherwise are compared, so that none goes for one that goes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from florenz.filters.image_size import ImageRules, check_image_size
from florenz.filters.near_duplicate import bands_of, near_duplicates
from florenz.images.likeness import NO_LIKENESS
from florenz.images.size import sides_of
from florenz.pipeline.known_sources import FOUND, LIKENESS, SIZE, Row
from florenz.pipeline.packing import PackByKey, unpack
from florenz.pipeline.ranges import range_of

Near = tuple[str, str, int]  # key, the key that it looks like, differing bits
NEAR_FIELDS = 3  # fewer than a row of FOUND, beside which they are grouped
_KEY, _REASON, _DETAIL, _SIZE, _LIKENESS = (
    FOUND.get_field_index(name) - 2 for name in ("key", "reason", "detail", SIZE, LIKENESS)
)


def find_near(
    found: beam.PCollection, rules: ImageRules, digits: AsSingleton, *, keeps_damaged: bool, waiting: str
) -> beam.PCollection:
    """(range, `Near`). found: (range, row of FOUND without path and stamp). waiting: where packs wait."""
    assert rules.max_hash_distance is not None
    return (
        found
        | "groups of likeness" >> beam.FlatMap(_grouped, rules=rules, keeps_damaged=keeps_damaged)
        | "pack by likeness" >> beam.ParDo(PackByKey(waiting))
        | "by likeness" >> beam.GroupByKey()
        | "compare" >> beam.FlatMap(_near, max_distance=rules.max_hash_distance, waiting=waiting)
        | "under its range" >> beam.Map(lambda near, digits: (range_of(near[0], digits), near), digits=digits)
    )


def _grouped(ranged: tuple[str, Row], rules: ImageRules, keeps_damaged: bool) -> Iterator[tuple[str, Sequence[str]]]:
    _, row = ranged
    if not row[_KEY] or row[_REASON] or row[_LIKENESS] in ("", NO_LIKENESS):
        return
    sides = sides_of(row[_SIZE])
    is_wanted = sides is None or check_image_size(*sides, rules).keep
    if is_wanted and (keeps_damaged or not row[_DETAIL]):
        yield from ((band, (row[_KEY], row[_LIKENESS])) for band in bands_of(row[_LIKENESS]))


def _near(group: tuple[str, Iterable[bytes]], max_distance: int, waiting: str) -> Iterator[Near]:
    return near_duplicates(dict(unpack(group[1], waiting)), max_distance)
