"""Scenes of the playground with their truth: `images/` of any `make dataset` of the playground.

    make dataset COUNT=300 SEED=7 OUT=data/other
    make evaluate BENCHMARK=playground BENCHMARK_DATA=data/other/images

For choosing between recipes by what a dataset withholds, without looking at what is reported: scenes of another seed
are other pictures. What stands in `scenes.parquet` is what the grammars say, and no model's answer.

    scenes.parquet         the picture's file, and a column for each language and style (`de_short`)
    scene-000000.jpg ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from florenz.languages.codes import SOURCE
from florenz.playground.captions import LANGUAGES, STYLES
from florenz.playground.meaning import says_the_same
from florenz.playground.world import TRUTH, read_truth
from florenz.stores.tables import read_table
from florenz.train.scores.published import bytes_of, missing, missing_pictures, picture_at, version_of
from florenz.train.scores.sets.contract import Item, Judge

PART = "scenes"
TARGETS = tuple(language for language in LANGUAGES if language != SOURCE)


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: of the pictures and the truth about them."""

    folder: str
    metrics: ClassVar[tuple[str, ...]] = ("exact_match", "chrf", "language_fidelity")
    has_baselines: ClassVar[bool] = True

    def problems(self) -> list[str]:
        try:
            if found := missing([self._truth]):
                return found
            return missing_pictures([Path(self.folder) / name for name in read_truth(self.folder)])
        except (OSError, ValueError, KeyError, TypeError) as problem:  # pyarrow's own errors are ValueErrors
            return [f"{self._truth} is no truth about scenes ({str(problem).partition(chr(10))[0]}): draw them anew"]

    def version(self) -> str:
        return version_of("playground", [self._truth])

    def parts(self) -> dict[str, int]:
        return {PART: len(self._rows())}

    def items(self, part: str) -> Iterator[Item]:
        for row in self._rows():
            path = Path(self.folder) / row["file"]
            picture = picture_at(path)
            for style in STYLES:
                english = row[f"{SOURCE}_{style}"]
                asked = [("caption", language, "") for language in LANGUAGES]
                asked += [("translation", language, english) for language in TARGETS]
                for task, language, source in asked:
                    yield Item(
                        id=f"{row['file']}/{task}/{language}/{style}",
                        image=row["file"],
                        picture=picture,
                        task=task,
                        language=language,
                        style=style,
                        source_text=source,
                        references=(row[f"{language}_{style}"],),
                        is_held_out=False,
                        where=str(path),
                        truth=english,
                        concepts=tuple(row["concepts"]),
                    )

    def judge(self) -> Judge:
        return says_the_same

    @property
    def _truth(self) -> Path:
        return Path(self.folder) / TRUTH

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read_table(bytes_of(self._truth)).to_pylist()
        return sorted(rows, key=lambda row: row["file"])
