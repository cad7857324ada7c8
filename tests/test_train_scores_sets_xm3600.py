"""Crossmodal-3600 as it is published: a line of JSON for each picture."""

import json
from pathlib import Path
from typing import Any

import pytest
from contracts.evaluation_set import EvaluationSetSuite, Written
from shards_dataset import jpeg_of

from florenz.train.scores.sets import xm3600

ROWS: list[dict[str, Any]] = [
    {
        "image/key": "00cc2b9a2d1b9e3c",
        "image/locale": "ar",
        "en": {"caption": ["A red car.", "One car "], "caption/tokenized": ["A red car .", "One car"]},
        "fr": {"caption": ["Une voiture rouge."], "caption/tokenized": ["Une voiture rouge ."]},
        "quz": {"caption": ["Puka karru"], "caption/tokenized": ["Puka karru"]},
    },
    {"image/key": "0a2d1b9e3c00cc2b", "image/locale": "no", "sv": {"caption": ["En röd bil."]}},
]


def write_set(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "captions.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS))
    for number, row in enumerate(ROWS):
        (folder / "images" / f"{row['image/key']}.jpg").write_bytes(jpeg_of(number))


class TestXM3600(EvaluationSetSuite):
    module = xm3600
    needed = ("captions.jsonl",)

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("xm3600")
        write_set(folder)
        return folder

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        return [
            ("caption", "en", "short", "", ("A red car.", "One car"), False),
            ("caption", "fr", "short", "", ("Une voiture rouge.",), False),
            ("caption", "sv", "short", "", ("En röd bil.",), False),
        ]


def test_a_missing_picture_is_one_line(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "images" / "00cc2b9a2d1b9e3c.jpg").unlink()
    (problem,) = xm3600.Set(folder=str(tmp_path)).problems()
    assert "1 of 2 pictures are missing" in problem and "00cc2b9a2d1b9e3c.jpg" in problem


@pytest.mark.parametrize("line", ["{", "[]", '{"image/locale": "ar"}', '{"image/key": "a", "fr": {"text": []}}'])
def test_a_line_that_is_not_as_published_is_named(tmp_path: Path, line: str) -> None:
    write_set(tmp_path)
    (tmp_path / "captions.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    (problem,) = xm3600.Set(folder=str(tmp_path)).problems()
    assert "captions.jsonl line 2 is not as published" in problem and "\n" not in problem
