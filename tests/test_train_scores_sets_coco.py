"""Karpathy's split of COCO as it is published."""

import json
from pathlib import Path

import pytest
from contracts.evaluation_set import EvaluationSetSuite, Written
from shards_dataset import jpeg_of

from florenz.train.scores.sets import coco


def image(number: int, split: str, year: str = "val2014") -> dict[str, object]:
    name = f"COCO_{year}_{number:012}.jpg"
    texts = [f" A man with a\nred helmet {number}.", "A man rides."]
    sentences = [{"tokens": ["a"], "raw": text, "imgid": number, "sentid": place} for place, text in enumerate(texts)]
    return {
        "filepath": year,
        "filename": name,
        "imgid": number,
        "split": split,
        "sentences": sentences,
        "cocoid": number,
    }


IMAGES = [image(1, "test"), image(2, "train"), image(3, "restval", "train2014"), image(4, "test")]


def write_set(folder: Path) -> None:
    (folder / "dataset_coco.json").write_text(json.dumps({"images": IMAGES, "dataset": "coco"}))
    (folder / "val2014").mkdir()
    for number in (1, 4):
        (folder / "val2014" / f"COCO_val2014_{number:012}.jpg").write_bytes(jpeg_of(number))


class TestCOCO(EvaluationSetSuite):
    module = coco
    needed = ("dataset_coco.json",)

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("coco")
        write_set(folder)
        return folder

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        return [
            ("caption", "en", "short", "", (f"A man with a red helmet {number}.", "A man rides."), False)
            for number in (1, 4)
        ]


def test_a_missing_picture_is_one_line(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "val2014" / "COCO_val2014_000000000004.jpg").unlink()
    (problem,) = coco.Set(folder=str(tmp_path)).problems()
    assert "1 of 2 pictures are missing" in problem and "COCO_val2014_000000000004.jpg" in problem


@pytest.mark.parametrize("text", ["[]", '{"images": [{"split": "test"}]}', "{", '{"images": []}'])
def test_a_listing_that_is_not_as_published_is_a_line(tmp_path: Path, text: str) -> None:
    write_set(tmp_path)
    (tmp_path / "dataset_coco.json").write_text(text)
    (problem,) = coco.Set(folder=str(tmp_path)).problems()
    assert "dataset_coco.json" in problem and "\n" not in problem
