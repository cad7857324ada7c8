"""Crossmodal-3600: 3,600 pictures with human captions in 36 languages (Thapliyal et al. 2022).

    captions.jsonl    a line for each picture: "image/key", and for each language "caption", a list
    images/           <key>.jpg

from google.github.io/crossmodal-3600. Languages that Florenz has no name for are left out (Filipino, Maori, Quechua).
CIDEr here is counted over our own words (train/scores/cider.py), not over those of the file or of stanza.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from florenz.languages.codes import LANGUAGES
from florenz.train.data.tar_index import StreamError
from florenz.train.scores.published import (
    caption_item,
    is_inside,
    lines_of,
    missing,
    missing_pictures,
    picture_at,
    version_of,
)
from florenz.train.scores.sets.contract import Item


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: of captions.jsonl."""

    folder: str
    metrics: ClassVar[tuple[str, ...]] = ("cider", "chrf", "language_fidelity")

    def problems(self) -> list[str]:
        if found := missing([self._captions]):
            return found
        try:
            pictures = [self._picture(key) for key, _ in self._rows()]
        except StreamError as problem:
            return [str(problem)]
        return missing_pictures(pictures) if pictures else [f"{self._captions} is empty: get it again"]

    def version(self) -> str:
        return version_of("xm3600", [self._captions])

    def parts(self) -> dict[str, int]:
        return {"test": len(list(self._rows()))}

    def items(self, part: str) -> Iterator[Item]:
        for key, captions in self._rows():
            path = self._picture(key)
            picture = picture_at(path)
            for language, texts in captions.items():
                yield caption_item(
                    path, id=f"{key}/{language}", image=key, picture=picture, language=language, references=texts
                )

    @property
    def _captions(self) -> Path:
        return Path(self.folder) / "captions.jsonl"

    def _picture(self, key: str) -> Path:
        return Path(self.folder) / "images" / (f"{key}.jpg" if is_inside(key) else "?")

    def _rows(self) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
        """(key, language -> captions) of those that have some."""
        for number, line in enumerate(lines_of(self._captions), 1):
            try:
                record = json.loads(line)
                key, captions = str(record["image/key"]), _captions_of(record)
            except (ValueError, KeyError, TypeError, AttributeError) as problem:
                raise StreamError(f"{self._captions} line {number} is not as published: {problem!r}") from problem
            if captions:
                yield key, captions


def _captions_of(record: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    found = {}
    for language, value in record.items():
        if language in LANGUAGES and isinstance(value, dict):
            texts = tuple(text.strip() for text in value["caption"] if text.strip())
            if texts:
                found[language] = texts
    return found
