"""The sentence pairs that filters are measured on: human ones, cut in two by the English side.

Half of the English sentences, by hash, may be used to calibrate (thresholds, tables); the other half is scored and
nothing else. The cut goes by the English sentence and not by the pair, so that a sentence whose German was calibrated
on is not scored in Dutch. Where `../shared/data` is absent, the playground's captions stand in, in its six languages:
they show that the benchmark runs, their figures say little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from florenz.languages.codes import NAMES

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FOLDERS = ("parallel", "parallel_more")
LARGE = "parallel_large"
MIN_CHARS = 8  # of the translation; Chinese, Japanese: 4
PLAYGROUND_SCENES = 300
# Files that are named after a code that our table has under another name.
CODE_OF_FILE = {"nb": "no"}
Pair = tuple[str, str]


def is_calibration(english: str) -> bool:
    """Whether pairs of this English sentence may be calibrated on; they are never scored."""
    return hashlib.sha256(english.encode()).digest()[0] % 2 == 0


def languages() -> tuple[str, ...]:
    """All that there are pairs for and that a recipe may name."""
    return tuple(sorted(_files())) if _files() else ("de", "es", "fr", "ru", "zh")


@cache
def pairs(language: str, *, calibration: bool = False) -> tuple[Pair, ...]:
    """(English, text) of one half, each once, in the file's order."""
    rows = _read(_files()[language]) if _files() else _playground(language)
    return tuple(dict.fromkeys(row for row in rows if is_calibration(row[0]) is calibration))


@cache
def large_pairs(language: str) -> tuple[Pair, ...]:
    """The many pairs of a language that has them, in the file's order; none where they are absent."""
    path = SHARED / LARGE / f"en-{language}.tsv"
    return tuple(dict.fromkeys(_read(path))) if path.is_file() else ()


@cache
def _files() -> dict[str, Path]:
    found = {}
    for folder in FOLDERS:
        for path in sorted((SHARED / folder).glob("en-*.tsv")):
            code = path.stem.removeprefix("en-")
            code = CODE_OF_FILE.get(code, code)
            if code in NAMES:
                found[code] = path
    return found


def _read(path: Path) -> list[Pair]:
    rows = (line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines())
    return [(row[0], row[1]) for row in rows if len(row) == 2 and _is_long_enough(row)]


def _is_long_enough(row: Iterable[str]) -> bool:
    """One word ("Tom!") is in no language and has no translation that could be judged."""
    english, text = row
    return len(english.split()) >= 3 and len(text.strip()) >= (4 if not text.isascii() and " " not in text else 8)


def _playground(language: str) -> list[Pair]:
    from florenz.playground.captions import STYLES, state
    from florenz.playground.scene import random_for, sample_scene

    scenes = [sample_scene(random_for(0, f"filters/{number}")) for number in range(PLAYGROUND_SCENES)]
    return [(state(scene, "en", style), state(scene, language, style)) for scene in scenes for style in STYLES]
