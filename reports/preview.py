"""One image of a build on a page: its picture, its texts in all languages, and what was rejected of it and why."""

from __future__ import annotations

import re

from florenz.reports.entries import find_entry
from florenz.reports.page import Shown, render
from florenz.reports.pictures import thumbnail
from florenz.shards.manifest import read_manifest
from florenz.stores import files

SIDE_PX = 640


class NoSuchImage(ValueError):
    """No image of this key in the build, nor among its rejects."""


def preview_path(out: str, key: str) -> str:
    return files.join(out, f"preview-{key}.html")


def write_preview(out: str, key: str) -> str:
    """Draw OUT/preview-<key>.html; its path. key: of an image, or how it begins.

    Raises:
        ManifestError, NoSuchImage: nothing was written.
    """
    manifest = read_manifest(out)
    key = key.strip().lower().removesuffix("-heldout")
    entry = find_entry(out, manifest, key) if re.fullmatch("[0-9a-f]{1,32}", key) else None
    if entry is None:
        raise NoSuchImage(f"KEY {key!r}: no image of build {manifest.build} begins with it; index/ lists the keys")
    picture = thumbnail(out, entry.shard, entry.offset, entry.bytes, SIDE_PX) if entry.shard else ""
    path = preview_path(out, entry.key)
    with files.atomic_write(path) as file:
        file.write(render("preview.html", shown=Shown(entry=entry, picture=picture)).encode())
    return path
