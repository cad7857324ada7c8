"""Licences of a build's images, and the words that the Hugging Face Hub has for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from florenz.exports.index import index_files, read_file
from florenz.shards.plan import HELDOUT
from florenz.shards.writer import ShardInfo

UNKNOWN, OTHER = "unknown", "other"
HUB = (
    "apache-2.0", "mit", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "odc-by", "odbl", "pddl", "openrail",
)  # fmt: skip


def count_licences(out: str, build: str, shards: Sequence[ShardInfo]) -> Counter[str]:
    """Licence, as it was given -> number of images; "" where nobody gave one."""
    found: Counter[str] = Counter()
    for file in index_files(out, build, shards):
        if file.shard.split != HELDOUT:  # whose images are val's
            table = read_file(file, ["image", "licence"])
            pairs = table.group_by(["image", "licence"]).aggregate([])
            found.update(pairs["licence"].to_pylist())
    return found


def hub_word(licences: Mapping[str, int]) -> str:
    """The Hub's word where all images have one and the same licence that it knows."""
    words = {_word(licence) for licence in licences}
    return words.pop() if len(words) == 1 else OTHER


def _word(licence: str) -> str:
    """From its name, like "CC BY 4.0", or from Creative Commons' address."""
    if not licence:
        return UNKNOWN
    plain = re.sub(r"[\s_/]+", "-", licence.strip().lower())
    if address := re.search(r"creativecommons\.org-licenses-([a-z-]+?)-(\d\.\d)", plain):
        plain = f"cc-{address[1]}-{address[2]}"
    return plain if plain in HUB else OTHER
