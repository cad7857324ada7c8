"""What `make publish` puts into a repository, read from there: card and Croissant with those who read them."""

import shutil
from pathlib import Path

import datasets
import mlcroissant
import pytest
from conftest import Dataset, is_withheld, texts_of_record

NAMES = {"train": "train", "choose": "choose", "validation": "val"}


@pytest.fixture(scope="module")
def repository(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for name in ("shards", "heldout", "index"):
        shutil.copytree(dataset.out / name, folder / name)
    for path in (dataset.out / "publish").iterdir():
        shutil.copy(path, folder)
    return folder


def texts_of(rows: object) -> list:
    return sorted(text for row in rows for text in texts_of_record(row["json"]))  # type: ignore[attr-defined]


@pytest.mark.parametrize("streaming", [False, True])
def test_the_card_gives_train_choose_and_validation_and_nothing_withheld(
    dataset: Dataset, repository: Path, streaming: bool
) -> None:
    assert datasets.get_dataset_config_names(str(repository)) == ["default", "heldout"]
    loaded = datasets.load_dataset(str(repository), streaming=streaming)
    assert set(loaded) == set(NAMES)
    for name, split in NAMES.items():
        texts = texts_of(loaded[name])
        assert texts == sorted(dataset.texts[split]) and not [text for text in texts if is_withheld(dataset, text)]


@pytest.mark.parametrize("streaming", [False, True])
def test_the_withheld_texts_are_a_configuration_of_their_own(
    dataset: Dataset, repository: Path, streaming: bool
) -> None:
    loaded = datasets.load_dataset(str(repository), "heldout", streaming=streaming)
    assert set(loaded) == {"validation"} and texts_of(loaded["validation"]) == sorted(dataset.texts["heldout"])


def rows_of(repository: Path, records: str) -> list:
    found = mlcroissant.Dataset(str(repository / "croissant.json"), mapping={"repo": str(repository)})
    assert not found.metadata.ctx.issues.errors
    names = ("key", "task", "language", "style", "text", "source_text")
    return sorted(tuple(row[f"{records}/{name}"].decode() for name in names) for row in found.records(records))


def test_croissant_is_valid_and_gives_the_texts_and_apart_from_them_the_withheld_ones(
    dataset: Dataset, repository: Path
) -> None:
    learned = [text for split in NAMES.values() for text in dataset.texts[split]]
    assert rows_of(repository, "texts") == sorted(learned)
    assert rows_of(repository, "withheld") == sorted(dataset.texts["heldout"])
