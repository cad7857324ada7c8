"""CoMMuTE as its repository lays it out."""

from pathlib import Path

import pytest
from contracts.evaluation_set import EvaluationSetSuite, Written
from shards_dataset import jpeg_of

from florenz.train.scores.sets import commute

FILES = {
    "en-de": {
        "src.en": ["You'll have to deal with this bat.", "You'll have to deal with this bat."],
        "correct.de": ["Du musst dich um diese Fledermaus kümmern.", "Du musst mit diesem Schläger zurechtkommen."],
        "incorrect.de": ["Du musst mit diesem Schläger zurechtkommen.", "Du musst dich um diese Fledermaus kümmern."],
        "img.order": ["e9490cd.jpeg", "e2f18daf.png"],
    },
    "en-zh": {
        "src.en": ["A crane."], "correct.zh": ["一只鹤。"], "incorrect.zh": ["一台起重机。"],
        "img.order": ["e9490cd.jpeg"],
    },
}  # fmt: skip


def write_set(folder: Path, inner: str = "") -> None:
    for pair, of_pair in FILES.items():
        (folder / inner / pair).mkdir(parents=True)
        for name, lines in of_pair.items():
            (folder / inner / pair / name).write_text("".join(f"{line}\n" for line in lines))
    (folder / "images").mkdir()
    for number, name in enumerate(FILES["en-de"]["img.order"]):
        (folder / "images" / name).write_bytes(jpeg_of(number))


class TestCoMMuTE(EvaluationSetSuite):
    module = commute
    needed = ("en-de/src.en", "en-de/correct.de", "en-de/incorrect.de", "en-zh/img.order")

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("commute")
        write_set(folder)
        return folder

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        german = FILES["en-de"]
        rows = zip(["de", "de"], german["src.en"], german["correct.de"], strict=True)
        return [
            ("translation", language, "short", source, (right,), False)
            for language, source, right in [*rows, ("zh", "A crane.", "一只鹤。")]
        ]

    def test_each_has_the_translation_that_does_not_fit(self, folder: Path) -> None:
        items = list(commute.Set(folder=str(folder)).items("en-de"))
        assert [item.wrong for item in items] == FILES["en-de"]["incorrect.de"]


def test_the_folder_of_the_papers_code_is_looked_into(tmp_path: Path) -> None:
    write_set(tmp_path, "CoMMuTE")
    one = commute.Set(folder=str(tmp_path))
    assert one.problems() == [] and one.parts() == {"en-de": 2, "en-zh": 1}


def test_files_of_other_lengths_and_missing_pictures_are_a_line_each(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "en-zh" / "src.en").write_text("A crane.\nA crane.\n")
    (tmp_path / "images" / "e2f18daf.png").unlink()
    pictures, lengths = commute.Set(folder=str(tmp_path)).problems()
    assert "1 of 2 pictures are missing" in pictures and "src.en 2" in lengths
