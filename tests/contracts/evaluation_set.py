"""What every evaluation set must do: its test subclasses `EvaluationSetSuite` and says what it has written where.

A set is never checked through itself: `written` is what the test knows of its files without it.
"""

import dataclasses
import shutil
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from florenz.languages.codes import LANGUAGES
from florenz.train.data.pictures import decode_picture
from florenz.train.data.prompts import encoder_prompt
from florenz.train.scores.sets.contract import EvaluationSet, Item
from florenz.train.scores.texts import METRICS

ROOT = Path(__file__).resolve().parents[2]

Written = tuple[str, str, str, str, tuple[str, ...], bool]  # task, language, style, source text, references, held out


class EvaluationSetSuite:
    """module: what is tested. needed: files without which nothing can be asked, relative to the folder of the data."""

    module: ClassVar[ModuleType]
    needed: ClassVar[tuple[str, ...]]

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A small whole set with more than one image, in its published layout."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        """What stands in those files, in any order."""
        raise NotImplementedError

    def set_in(self, folder: Path) -> EvaluationSet:
        found: EvaluationSet = self.module.Set(folder=str(folder))
        return found

    @pytest.fixture
    def items(self, folder: Path) -> list[Item]:
        evaluation_set = self.set_in(folder)
        return [item for part in evaluation_set.parts() for item in evaluation_set.items(part)]

    def test_everything_that_was_written_is_asked_and_nothing_else(
        self, items: list[Item], written: list[Written]
    ) -> None:
        asked = [(one.task, one.language, one.style, one.source_text, one.references, one.is_held_out) for one in items]
        assert Counter(asked) == Counter(written)

    def test_no_two_items_share_an_id(self, items: list[Item]) -> None:
        assert len({item.id for item in items}) == len(items) > 1

    def test_the_order_is_the_same_twice(self, folder: Path, items: list[Item]) -> None:
        evaluation_set = self.set_in(folder)
        assert [item for part in evaluation_set.parts() for item in evaluation_set.items(part)] == items

    def test_each_part_has_as_many_images_as_it_says_and_each_image_stands_together(self, folder: Path) -> None:
        evaluation_set = self.set_in(folder)
        for part, number in evaluation_set.parts().items():
            images = [(image, list(of_image)) for image, of_image in groupby(evaluation_set.items(part), _image_of)]
            assert len(images) == number == len({image for image, _ in images})
            assert all(len({item.picture for item in of_image}) == 1 for _, of_image in images)

    def test_languages_and_prompts_are_known(self, items: list[Item]) -> None:
        for item in items:
            assert item.language in LANGUAGES
            assert encoder_prompt(item.task, item.language, item.source_text, item.style)

    def test_every_item_has_a_right_text(self, items: list[Item]) -> None:
        assert all(item.references and all(text.strip() for text in item.references) for item in items)

    def test_pictures_can_be_seen_and_a_caption_has_one(self, items: list[Item]) -> None:
        pictures: dict[tuple[str, str], set[bool]] = {}
        for item in items:
            pictures.setdefault((item.task, item.language), set()).add(item.picture is not None)
            assert item.picture is None or decode_picture(item.picture, 32).shape == (3, 32, 32)
            assert item.task != "caption" or item.picture is not None
        assert all(len(either) == 1 for either in pictures.values()), "all or none of a task and language"

    def test_every_item_says_where_it_stands(self, folder: Path, items: list[Item]) -> None:
        assert all(item.where.startswith(str(folder)) and "\n" not in item.where for item in items)

    def test_a_whole_set_has_no_problem(self, folder: Path) -> None:
        assert self.set_in(folder).problems() == []

    @pytest.mark.parametrize("what", ["none", "file", "empty"])
    def test_a_folder_that_is_none_is_a_problem_and_no_traceback(self, tmp_path: Path, what: str) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "empty").mkdir()
        problems = self.set_in(tmp_path / what).problems()
        assert problems and all(str(tmp_path / what) in problem and "\n" not in problem for problem in problems)

    def test_each_missing_file_is_a_line(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path / "copy")
        for name in self.needed:
            (tmp_path / "copy" / name).unlink()
        problems = self.set_in(tmp_path / "copy").problems()
        assert len(problems) == len(self.needed) and all("\n" not in problem for problem in problems)
        assert all(any(name in problem for problem in problems) for name in self.needed)

    def test_its_version_is_a_word_of_its_own(self, folder: Path) -> None:
        version = self.set_in(folder).version()
        assert version.strip() == version != "" and "\n" not in version

    def test_its_metrics_are_known(self, folder: Path) -> None:
        metrics = self.set_in(folder).metrics
        assert metrics and set(metrics) <= set(METRICS)

    def test_it_is_frozen_and_made_of_its_folder(self, folder: Path) -> None:
        evaluation_set = self.set_in(folder)
        assert evaluation_set.folder == str(folder) and evaluation_set == self.set_in(folder)
        with pytest.raises(dataclasses.FrozenInstanceError):
            evaluation_set.folder = "elsewhere"  # type: ignore[misc]

    def test_what_is_asked_before_a_model_is_loaded_needs_no_torch(self, folder: Path) -> None:
        assert self.module.__file__ is not None
        code = (
            "import importlib, sys; from florenz.train.scores import sets; sets.__path__.append(sys.argv[1])\n"
            "one = importlib.import_module(sys.argv[2]).Set(folder=sys.argv[3])\n"
            "one.problems(), one.parts(), one.version()\n"
            "print(*sorted({'torch', 'transformers'} & sys.modules.keys()))"
        )
        where = str(Path(self.module.__file__).parent)
        command = [sys.executable, "-c", code, where, self.module.__name__, str(folder)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stdout + ran.stderr


def _image_of(item: Item) -> str:
    return item.image
