"""CoMMuTE: ambiguous English sentences, each with a picture, the translation that fits it and one that does not
(Futeral et al. 2023).

    en-de/src.en  correct.de  incorrect.de  img.order    line by line; so en-fr, en-ru, en-zh, en-cs, en-ar
    images/                                              the pictures that img.order names

The layout is that of github.com/MatthieuFP/CoMMuTE; a folder CoMMuTE/ between is looked into as well. A language counts
whose folder is there. Right is where the fitting translation is likelier, by the mean loss of its tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from florenz.train.scores.published import (
    ADVICE,
    is_inside,
    lines_of,
    missing,
    missing_pictures,
    picture_at,
    uneven,
    version_of,
)
from florenz.train.scores.sets.contract import Item

LANGUAGES = ("de", "fr", "ru", "zh", "cs", "ar")


@dataclass(frozen=True, kw_only=True)
class Set:
    """folder: the checkout, with images/ in it."""

    folder: str
    metrics: ClassVar[tuple[str, ...]] = ("contrast", "bleu", "chrf", "language_fidelity")

    def problems(self) -> list[str]:
        languages = self._languages()
        if not languages:
            return [f"{Path(self.folder) / 'en-de'} is missing, and so is every other language: {ADVICE}"]
        problems = []
        for language in languages:
            paths = self._paths(language)
            found = missing(paths) or uneven(paths)
            problems += found or missing_pictures([self._picture(name) for name in lines_of(paths[0])])
        return problems

    def version(self) -> str:
        return version_of("commute", (path for language in self._languages() for path in self._paths(language)))

    def parts(self) -> dict[str, int]:
        return {f"en-{language}": len(lines_of(self._paths(language)[0])) for language in self._languages()}

    def items(self, part: str) -> Iterator[Item]:
        language = part.removeprefix("en-")
        rows = zip(*(lines_of(path) for path in self._paths(language)), strict=True)
        for place, (name, source, right, wrong) in enumerate(rows):
            path = self._picture(name)
            yield Item(
                id=f"{part}/{place}",
                image=f"{part}/{place}",
                picture=picture_at(path),
                task="translation",
                language=language,
                style="short",
                source_text=source,
                references=(right,),
                is_held_out=False,
                where=f"{path}, line {place + 1} of {part}",
                wrong=wrong,
            )

    @property
    def _root(self) -> Path:
        inner = Path(self.folder) / "CoMMuTE"
        return inner if inner.is_dir() else Path(self.folder)

    def _languages(self) -> list[str]:
        return [language for language in LANGUAGES if (self._root / f"en-{language}").is_dir()]

    def _paths(self, language: str) -> tuple[Path, Path, Path, Path]:
        """Pictures, sources, right ones, wrong ones."""
        folder = self._root / f"en-{language}"
        return folder / "img.order", folder / "src.en", folder / f"correct.{language}", folder / f"incorrect.{language}"

    def _picture(self, name: str) -> Path:
        return Path(self.folder) / "images" / (name if is_inside(name) else "?")
