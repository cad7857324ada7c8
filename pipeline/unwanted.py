"""Images of a range that the recipe does not want, by what is known of their sizes (`[filters.images]`).

Rejects of step 1: nobody is asked about them, they are in no shard, and other limits ask for nothing to be read again.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from florenz.filters.image_size import ImageRules, check_image_size
from florenz.images.size import sides_of
from florenz.pipeline.image_index import SCHEMA


def sifted(images: pa.Table, sizes: Mapping[str, str], rules: ImageRules) -> pa.Table:
    """Rows of the index, in their order, with images that the rules exclude as rejects. sizes: key -> as `size_of`.

    An image whose header says no size stays: decoding will tell what it is.
    """
    rows = images.to_pylist()
    for row in rows:
        sides = None if row["reason"] else sides_of(sizes[row["key"]])
        if sides is not None and not (verdict := check_image_size(*sides, rules)).keep:
            row.update(reason=verdict.reason, detail=verdict.detail, about="")
    return pa.Table.from_pylist(rows, schema=SCHEMA)
