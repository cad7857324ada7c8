"""Multi30K, task 1, as its repository lays it out."""

import gzip
from pathlib import Path

import pytest
from contracts.evaluation_set import EvaluationSetSuite, Written
from shards_dataset import jpeg_of

from florenz.train.data.stream import StreamError
from florenz.train.scores.sets import multi30k

TEXTS = {
    "en": ["Two men are at the stove.", "A dog runs."],
    "de": ["Zwei Männer stehen am Herd.", "Ein Hund rennt."],
    "fr": ["Deux hommes sont aux fourneaux.", "Un chien court."],
}
RAW, LISTS = "data/task1/raw", "data/task1/image_splits"


def write_split(folder: Path, split: str, pictures: str, names: list[str], languages: tuple[str, ...]) -> None:
    for where in (RAW, LISTS, pictures):
        (folder / where).mkdir(parents=True, exist_ok=True)
    (folder / LISTS / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    for number, name in enumerate(names):
        (folder / pictures / name.partition("#")[0]).write_bytes(jpeg_of(number))
    for language in languages:
        lines = "".join(f"{text}\n" for text in TEXTS[language])
        (folder / RAW / f"{split}.{language}.gz").write_bytes(gzip.compress(lines.encode()))


def write_set(folder: Path) -> None:
    write_split(
        folder, "test_2016_flickr", "flickr30k-images", ["1007129816.jpg", "1009434119.jpg"], ("en", "de", "fr")
    )
    coco = ["COCO_val2014_000000000042.jpg#34", "COCO_val2014_000000000073.jpg#9"]
    write_split(folder, "test_2017_mscoco", "val2014", coco, ("en", "de", "fr"))


class TestMulti30K(EvaluationSetSuite):
    module = multi30k
    needed = (f"{LISTS}/test_2016_flickr.txt", *(f"{RAW}/test_2016_flickr.{code}.gz" for code in ("en", "de", "fr")))

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("multi30k")
        write_set(folder)
        return folder

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        return [
            ("translation", language, "short", TEXTS["en"][place], (TEXTS[language][place],), False)
            for place in range(2)
            for language in ("de", "fr")
        ] * 2

    def test_pictures_of_coco_lie_in_the_folder_of_their_year(self, folder: Path) -> None:
        items = list(multi30k.Set(folder=str(folder)).items("test_2017_mscoco"))
        assert [item.picture for item in items] == [jpeg_of(0), jpeg_of(0), jpeg_of(1), jpeg_of(1)]


def test_missing_pictures_are_one_line(tmp_path: Path) -> None:
    write_set(tmp_path)
    for path in (tmp_path / "flickr30k-images").iterdir():
        path.unlink()
    (problem,) = multi30k.Set(folder=str(tmp_path)).problems()
    assert "2 of 2 pictures are missing" in problem and "1007129816.jpg" in problem and "docs/benchmarks.md" in problem


def test_files_of_other_lengths_are_one_line(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / RAW / "test_2016_flickr.fr.gz").write_bytes(gzip.compress(b"Un chien court.\n"))
    (problem,) = multi30k.Set(folder=str(tmp_path)).problems()
    assert "test_2016_flickr.fr.gz 1" in problem and "test_2016_flickr.de.gz 2" in problem


def test_a_gz_that_is_cut_off_or_none_is_said_and_no_traceback(tmp_path: Path) -> None:
    write_set(tmp_path)
    path = tmp_path / RAW / "test_2016_flickr.fr.gz"
    for damaged in (path.read_bytes()[:-9], b"not packed"):
        path.write_bytes(damaged)
        with pytest.raises(StreamError, match="test_2016_flickr.fr.gz cannot be read"):
            multi30k.Set(folder=str(tmp_path)).problems()


def test_a_name_that_leads_out_of_the_folder_is_a_missing_picture(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "secret.jpg").write_bytes(jpeg_of(0))
    (tmp_path / LISTS / "test_2016_flickr.txt").write_text("../secret.jpg\n1009434119.jpg\n")
    (problem,) = multi30k.Set(folder=str(tmp_path)).problems()
    assert "1 of 2 pictures are missing" in problem
