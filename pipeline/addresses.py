"""Which images came from an address, by what their sidecars and columns said: people ask for an opt-out by URL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

import pyarrow.compute as pc

from florenz.exports.index import index_files, read_file
from florenz.pipeline.assemble.build import published_builds, read_summary
from florenz.pipeline.image_index import read_index
from florenz.shards.manifest import read_manifest
from florenz.stores import files


def images_at(out: str, addresses: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Address -> the keys of its images, of all that step 1 has listed and of all builds; {} for none.

    Raises ManifestError, BrokenSummary, OSError.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for address, key in (*_listed(out), *_published(out)) if addresses else ():
        if address in addresses:
            found[address].add(key)
    return {address: frozenset(keys) for address, keys in found.items()}


def _listed(out: str) -> Iterator[tuple[str, str]]:
    index = read_index(out)
    for part in index.ranges() if index is not None else ():
        yield from ((about.url, key) for key, about in part.about.items() if about.url)


def _published(out: str) -> Iterator[tuple[str, str]]:
    """Images may have left IMAGES since, or come from another."""
    manifest = read_manifest(out)
    for build in {*published_builds(out), manifest.build} if manifest.schema_version > 1 else ():
        for file in index_files(out, build, read_summary(out, build).shards):
            if not files.exists(file.path):
                continue
            table = read_file(file, ["url", "image"])
            with_url = table.filter(pc.not_equal(table["url"], "")).to_pydict()
            yield from zip(with_url["url"], with_url["image"], strict=True)
