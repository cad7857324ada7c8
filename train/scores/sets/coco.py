"""COCO captions, Karpathy's test split: 5,000 pictures with five English captions each (Karpathy and Fei-Fei 2015).

dataset_coco.json        "images": filepath, filename, split, sentences with raw texts
val2014/, train2014/     COCO's pictures of 2014
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from florenz.languages.codes import SOURCE
from florenz.train.data.tar_index import StreamError
from florenz.train.scores.published import (
    bytes_of,
    caption_item,
    is_inside,
    missing,
    missing_pictures,
    picture_at,
    version_of,
)
from florenz.train.scores.sets.contract import Item

SPLIT = "test"


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: of dataset_coco.json."""

    folder: str
    metrics: ClassVar[tuple[str, ...]] = ("cider", "bleu", "language_fidelity")

    def problems(self) -> list[str]:
        if found := missing([self._listing]):
            return found
        try:
            images = self._images()
        except StreamError as problem:
            return [str(problem)]
        if not images:
            return [f"{self._listing} has no picture of the split {SPLIT}: get it again"]
        return missing_pictures([path for path, _ in images])

    def version(self) -> str:
        return version_of("coco-karpathy", [self._listing])

    def parts(self) -> dict[str, int]:
        return {SPLIT: len(self._images())}

    def items(self, part: str) -> Iterator[Item]:
        for path, texts in self._images():
            yield caption_item(
                path, id=path.name, image=path.name, picture=picture_at(path), language=SOURCE, references=texts
            )

    @property
    def _listing(self) -> Path:
        return Path(self.folder) / "dataset_coco.json"

    def _images(self) -> list[tuple[Path, tuple[str, ...]]]:
        try:
            images = json.loads(bytes_of(self._listing))["images"]
            return [
                (
                    self._picture(f"{image['filepath']}/{image['filename']}"),
                    tuple(text for one in image["sentences"] if (text := " ".join(one["raw"].split()))),
                )
                for image in images
                if image["split"] == SPLIT
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise StreamError(f"{self._listing} is not as published: {problem!r}") from problem

    def _picture(self, name: str) -> Path:
        return Path(self.folder) / (name if is_inside(name) else "?")
