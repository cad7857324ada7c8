"""`datasets`: pointed at OUT, at shard files in any order of splits, streaming and not."""

import itertools
from pathlib import Path

import datasets
import pytest
from conftest import Dataset, is_withheld, texts_of_record

NAMES = {"train": "train", "validation": "val"}


def texts_of(rows: object) -> list:
    return [text for row in rows for text in texts_of_record(row["json"])]  # type: ignore[attr-defined]


@pytest.mark.parametrize("streaming", [False, True])
def test_out_loads_as_train_and_validation_with_all_texts_and_none_withheld(dataset: Dataset, streaming: bool) -> None:
    loaded = datasets.load_dataset(str(dataset.out), streaming=streaming)
    assert set(loaded) == set(NAMES)
    for name, split in NAMES.items():
        texts = texts_of(loaded[name])
        assert sorted(texts) == sorted(dataset.texts[split])
        assert not [text for text in texts if is_withheld(dataset, text)]
        assert all(row["txt"] == row["json"]["captions"][0]["text"] for row in loaded[name])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("order", itertools.permutations(["train", "choose", "val", "heldout"]))
def test_every_order_of_splits_loads_with_nothing_dropped(
    dataset: Dataset, streaming: bool, order: tuple[str, ...]
) -> None:
    """Columns are taken from the first samples of the split that is named last."""
    files = {split: [str(path) for path in dataset.shards(split)] for split in order}
    loaded = datasets.load_dataset("webdataset", data_files=files, streaming=streaming)
    for split in order:
        assert sorted(texts_of(loaded[split])) == sorted(dataset.texts[split])


def test_samples_come_with_their_picture(dataset: Dataset) -> None:
    files = [str(path) for path in dataset.shards("val")]
    rows = list(datasets.load_dataset("webdataset", data_files=files, split="train", streaming=True))
    assert len(rows) == dataset.num_samples("val")
    assert {row["jpg"].size for row in rows} == {(64, 48)}


def test_a_copy_of_shards_alone_holds_nothing_withheld(dataset: Dataset, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(dataset.out / "shards" / dataset.build), streaming=True)
    seen = [text for split in loaded for text in texts_of(loaded[split])]
    assert seen and not [text for text in seen if is_withheld(dataset, text)]
