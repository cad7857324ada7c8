"""Multi30K, task 1: English descriptions of Flickr pictures with their translations (Elliott et al. 2016).

The layout is that of github.com/multi30k/dataset, with the pictures beside it:

    data/task1/raw/test_2016_flickr.en.gz  .de.gz  .fr.gz  .cs.gz    a sentence a line
    data/task1/image_splits/test_2016_flickr.txt                     the picture of each line
    flickr30k-images/                                                pictures of test_2016_flickr

test_2017_flickr (pictures in task1_test_2017/), test_2017_mscoco (train2014/ and val2014/) and test_2018_flickr
(task1_test_2018/) are asked too where their lists of pictures are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from florenz.train.scores.published import (
    is_inside,
    lines_of,
    missing,
    missing_pictures,
    picture_at,
    uneven,
    version_of,
)
from florenz.train.scores.sets.contract import Item

NEEDED = "test_2016_flickr"
PICTURES = {
    NEEDED: "flickr30k-images", "test_2017_flickr": "task1_test_2017", "test_2017_mscoco": "",
    "test_2018_flickr": "task1_test_2018",
}  # fmt: skip
LANGUAGES = ("de", "fr")  # of every split; Czech is there for some
MORE = ("cs",)


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: the checkout of the repository."""

    folder: str
    metrics: ClassVar[tuple[str, ...]] = ("bleu", "chrf", "language_fidelity")

    def problems(self) -> list[str]:
        problems = []
        for split in self._splits():
            paths = self._paths(split)
            found = missing(paths) or uneven(paths)
            problems += found or missing_pictures([self._picture(split, name) for name in lines_of(paths[0])])
        return problems

    def version(self) -> str:
        return version_of("multi30k", (path for split in self._splits() for path in self._paths(split)))

    def parts(self) -> dict[str, int]:
        return {split: len(lines_of(self._list(split))) for split in self._splits()}

    def items(self, part: str) -> Iterator[Item]:
        pictures, sources = lines_of(self._list(part)), lines_of(self._raw(part, "en"))
        targets = {language: lines_of(self._raw(part, language)) for language in self._languages(part)}
        for place, (name, source) in enumerate(zip(pictures, sources, strict=True)):
            path = self._picture(part, name)
            picture = picture_at(path)
            for language, texts in targets.items():
                yield Item(
                    id=f"{part}/{place}/{language}",
                    image=f"{part}/{place}",
                    picture=picture,
                    task="translation",
                    language=language,
                    style="short",
                    source_text=source,
                    references=(texts[place],),
                    is_held_out=False,
                    where=f"{path}, line {place + 1} of {part}",
                )

    def _splits(self) -> list[str]:
        return [split for split in PICTURES if split == NEEDED or self._list(split).is_file()]

    def _languages(self, split: str) -> list[str]:
        return [*LANGUAGES, *(language for language in MORE if self._raw(split, language).is_file())]

    def _paths(self, split: str) -> list[Path]:
        """The list of pictures first."""
        return [self._list(split), *(self._raw(split, language) for language in ("en", *self._languages(split)))]

    def _raw(self, split: str, language: str) -> Path:
        return Path(self.folder) / "data" / "task1" / "raw" / f"{split}.{language}.gz"

    def _list(self, split: str) -> Path:
        return Path(self.folder) / "data" / "task1" / "image_splits" / f"{split}.txt"

    def _picture(self, split: str, line: str) -> Path:
        """Of COCO: a line is COCO_val2014_000000123456.jpg#12345, the year's folder stands in the name."""
        name = line.partition("#")[0]
        folder = PICTURES[split] or ("train2014" if "train2014" in name else "val2014")
        return Path(self.folder) / folder / (name if is_inside(name) else "?")
