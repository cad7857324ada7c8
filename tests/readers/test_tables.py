"""DuckDB, Polars, pandas, datasets and plain pyarrow on the index as it is."""

from collections import Counter
from pathlib import Path

import pytest
from conftest import Dataset

LEARNED = ("train", "choose", "val")
COLUMNS = ["key", "task", "language", "style", "text", "source_text"]


def glob_of(dataset: Dataset) -> str:
    return str(dataset.out / "index" / "*.parquet")


def with_duckdb(path: str) -> list[tuple]:
    import duckdb

    return duckdb.sql(f"SELECT {', '.join(COLUMNS)} FROM '{path}'").fetchall()


def with_polars(path: str) -> list[tuple]:
    import polars

    return polars.read_parquet(path).select(COLUMNS).rows()


def with_pandas(path: str) -> list[tuple]:
    import pandas

    frame = pandas.read_parquet(str(Path(path).parent))[COLUMNS]
    return [tuple(row) for row in frame.itertuples(index=False)]


def with_datasets(path: str) -> list[tuple]:
    import datasets

    loaded = datasets.load_dataset(str(Path(path).parent), split="train")
    return [tuple(row[name] for name in COLUMNS) for row in loaded]


@pytest.mark.parametrize("read", [with_duckdb, with_polars, with_pandas, with_datasets])
def test_every_text_is_a_row_and_none_is_withheld(dataset: Dataset, read: object) -> None:
    rows = read(glob_of(dataset))  # type: ignore[operator]
    assert Counter(rows) == Counter(text for split in LEARNED for text in dataset.texts[split])
    held_out = dataset.manifest["held_out"]
    assert not [row for row in rows if row[1] == "caption" and row[2] in held_out]


@pytest.mark.parametrize("read", [with_duckdb, with_polars, with_pandas, with_datasets])
def test_what_is_withheld_has_an_index_of_its_own(dataset: Dataset, read: object) -> None:
    rows = read(str(dataset.out / "heldout" / "index" / "*.parquet"))  # type: ignore[operator]
    assert Counter(rows) == Counter(dataset.texts["heldout"])


def test_a_picture_is_had_from_its_shard_by_offset(dataset: Dataset) -> None:
    import hashlib

    import duckdb

    picked = duckdb.sql(
        f"SELECT shard, \"offset\", bytes, sha256 FROM '{glob_of(dataset)}' "
        "WHERE split = 'val' AND language = 'de' AND task = 'caption'"
    ).fetchall()
    assert len(picked) == dataset.counts("val")["caption", "de"]
    for shard, offset, num_bytes, sha256 in picked:
        with (dataset.out / shard).open("rb") as file:
            file.seek(offset)
            assert hashlib.sha256(file.read(num_bytes)).hexdigest() == sha256
