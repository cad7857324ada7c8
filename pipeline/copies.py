"""Pictures that are there several times, and damaged ones: which of a range's are images of the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from florenz.images.references import relative_uri
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.image_index import SCHEMA


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where a picture is, what is wrong with its bytes, and what its sidecar says (`about_text`); "" for nothing."""

    uri: str
    damage: str
    about: str = ""


def judged(found: pa.Table, source: str, keeps_damaged: bool) -> pa.Table:
    """Rows of the index in one order; copies, and what is damaged, as rejects."""
    counts = pc.value_counts(found.filter(pc.not_equal(found["key"], ""))["key"])
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    is_damaged = pc.and_(pc.not_equal(found["key"], ""), pc.not_equal(found["detail"], ""))
    is_special = pc.or_(pc.is_in(found["key"], value_set=several), is_damaged)
    pictures: dict[str, list[Reject | Picture]] = defaultdict(list)
    for row in found.filter(is_special).to_pylist():
        pictures[row["key"]].append(Picture(uri=row["source"], damage=row["detail"], about=row["about"]))
    special = [
        {"key": item.key, "source": item.source, "reason": item.reason, "detail": item.detail, "about": ""}
        if isinstance(item, Reject)
        else {"key": key, "source": item.uri, "reason": "", "detail": item.damage, "about": item.about}
        for key, of_key in pictures.items()
        for _, item in unique(key, of_key, source, keeps_damaged)
    ]
    plain = found.filter(pc.invert(is_special)).select(SCHEMA.names)
    table = pa.concat_tables([plain, pa.Table.from_pylist(special, schema=SCHEMA)])
    return table.sort_by([(name, "ascending") for name in ("key", "source", "reason")])


def unique(
    key: str, found: Iterable[Reject | Picture], source: str, keeps_damaged: bool = False
) -> Iterator[tuple[str, Reject | Picture]]:
    """The first URI of a picture is the image, whatever order they came in; the others are copies of it."""
    found = list(found)
    yield from ((key, item) for item in found if isinstance(item, Reject))
    pictures = sorted((item for item in found if isinstance(item, Picture)), key=lambda picture: picture.uri)
    for picture in pictures[:1]:
        if picture.damage and not keeps_damaged:
            yield key, Reject(key=key, step="read", reason="damaged_image", detail=picture.damage, source=picture.uri)
        else:
            yield key, picture
    for copy in pictures[1:]:
        detail = f"the same as {relative_uri(pictures[0].uri, source)}"
        yield key, Reject(key=key, step="read", reason="duplicate_image", detail=detail, source=copy.uri)
