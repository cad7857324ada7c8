"""Images of a range that the recipe does not want: too small, too long, or like another one (`[filters.images]`).

Rejects of step 1: nobody is asked about them, they are in no shard, and other limits ask for nothing to be read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from florenz.filters.image_size import ImageRules, check_image_size
from florenz.filters.near_duplicate import NEAR
from florenz.images.size import sides_of
from florenz.pipeline.image_index import SCHEMA


def sifted(
    images: pa.Table, sizes: Mapping[str, str], near: Iterable[tuple[str, str, int]], rules: ImageRules
) -> pa.Table:
    """Rows of the index, in their order, with images that the rules exclude as rejects. sizes: key -> as `size_of`.

    An image whose header says no size stays: decoding will tell what it is. near: (key, the key that it looks like,
    differing bits), each perhaps several times; the smallest key is told.
    """
    rows = images.to_pylist()
    alike = {key: (other, distance) for key, other, distance in sorted(map(tuple, near), reverse=True)}
    for row in rows:
        sides = None if row["reason"] else sides_of(sizes[row["key"]])
        if sides is not None and not (verdict := check_image_size(*sides, rules)).keep:
            row.update(reason=verdict.reason, detail=verdict.detail, about="")
        elif not row["reason"] and row["key"] in alike:
            other, distance = alike[row["key"]]
            row.update(reason=NEAR, detail=f"looks like {other}: {distance} of 256 bits differ", about="")
    return pa.Table.from_pylist(rows, schema=SCHEMA)
