"""The index: every text once, where its picture lies, what is withheld apart, made and removed with its build."""

import gc
import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipeline_examples import published, published_pictures
from shards_dataset import BUILD, edit_listing, write_dataset

from florenz.exports import card, index, licences
from florenz.exports.index import SCHEMA, IndexFile, WrongCount, index_files, read_file, read_index, write_index
from florenz.pipeline.answers import each_range
from florenz.pipeline.assemble.build import read_summary
from florenz.pipeline.assemble.indexing import index_shards
from florenz.shards.manifest import Manifest, read_manifest, shard_path
from florenz.shards.plan import SPLITS
from florenz.shards.reader import iter_samples


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    found = write_dataset(str(tmp_path))
    write_index(str(tmp_path), BUILD, found.shards)
    return found


def rows_below(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def expected(out: Path, manifest: Manifest, splits: tuple[str, ...]) -> list[tuple]:
    return [
        (sample.key, split, example.task, example.language, example.style, example.text, example.source_text)
        for split in splits
        for shard in manifest.shards_of(split)
        for sample in iter_samples(shard_path(str(out), manifest.build, shard.path))
        for example in sample.examples
    ]


def told(rows: list[dict]) -> list[tuple]:
    names = ("key", "split", "task", "language", "style", "text", "source_text")
    return [tuple(row[name] for name in names) for row in rows]


def test_every_text_has_one_row_and_what_is_withheld_stands_apart(tmp_path: Path, manifest: Manifest) -> None:
    learned = tuple(split for split in SPLITS if split != "heldout")
    assert told(rows_below(tmp_path / "index")) == expected(tmp_path, manifest, learned)
    withheld = rows_below(tmp_path / "heldout" / "index")
    assert told(withheld) == expected(tmp_path, manifest, ("heldout",)) != []
    assert {row["image"] + "-heldout" for row in withheld} == {row["key"] for row in withheld}


def test_offset_and_bytes_are_those_of_the_picture(tmp_path: Path, manifest: Manifest) -> None:
    for row in rows_below(tmp_path / "index") + rows_below(tmp_path / "heldout" / "index"):
        with (tmp_path / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            picture = file.read(row["bytes"])
        assert picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9"
        assert hashlib.sha256(picture).hexdigest() == row["sha256"]


def test_the_same_shards_give_the_same_bytes_and_what_is_there_is_left_alone(
    tmp_path: Path, manifest: Manifest
) -> None:
    paths = [Path(file.path) for file in index_files(str(tmp_path), BUILD, manifest.shards)]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    paths[1].unlink()
    paths[2].write_bytes(before[paths[2]][0][:100])
    assert write_index(str(tmp_path), BUILD, manifest.shards) == 2
    assert paths[2].read_bytes() == before[paths[2]][0]
    assert paths[1].read_bytes() == before[paths[1]][0]
    assert all(path.stat().st_mtime_ns == before[path][1] for path in paths if path not in paths[1:3])


def test_of_the_texts_of_a_build_one_shard_s_are_in_memory_at_a_time(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is published, and when its pictures' places are counted."""
    tables: list[weakref.ref[pa.Table]] = []

    def watched(file: IndexFile, columns: Sequence[str] | None = None) -> pa.Table:
        gc.collect()
        held = sum(one() is not None for one in tables)
        assert held <= 2, "the one before, until this one takes its name, and the last of the count before"
        table = read_file(file, columns)
        tables.append(weakref.ref(table))
        return table

    for module in (card, index, licences):
        monkeypatch.setattr(module, "read_file", watched)
    monkeypatch.setattr(index, "_may_have_position", lambda file: True)
    facts = card.facts_of(str(tmp_path), manifest)
    assert sum(facts.makers.values()) == sum(sum(shard.counts.values()) for shard in manifest.shards)
    assert len(tables) > 2 * len(manifest.shards)


def test_a_shard_with_other_texts_than_it_counts_gets_no_index(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    edit_listing(tmp_path, "train-000000.tar", lambda info: replace(info, counts={"caption/de": 1}))
    with pytest.raises(WrongCount, match="train-000000.tar holds 20 texts, the build counts 1"):
        write_index(str(tmp_path), BUILD, read_manifest(str(tmp_path)).shards)
    assert not list((tmp_path / "index").glob("*"))


def test_an_empty_table_has_the_columns(tmp_path: Path) -> None:
    assert read_index(str(tmp_path), BUILD, ()).schema == SCHEMA


def test_an_engine_indexes_shards_as_the_launcher_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (published_pictures(tmp_path, 12, out) for out in ("here", "there"))
    summary = read_summary(there.out, read_manifest(there.out).build)
    for path in Path(there.out).glob("**/index/*.parquet"):
        path.unlink()
    monkeypatch.setattr(each_range, "FEW", 0)
    index_shards(there, read_manifest(there.out).build, summary.shards)
    contents = [
        {path.relative_to(out): path.read_bytes() for path in Path(out).glob("**/index/*.parquet")}
        for out in (here.out, there.out)
    ]
    assert contents[0] == contents[1] and len(contents[0]) > 1
    assert not list((Path(there.out) / "ledger").glob("*.new.json"))
    for path in Path(there.out).glob("index/*.parquet"):
        path.unlink()
    wrong = [replace(shard, counts={**shard.counts, "caption/en": 99}) for shard in summary.shards]
    with pytest.raises(WrongCount, match="run make verify"):
        index_shards(there, read_manifest(there.out).build, wrong)
    assert not list(Path(there.out).glob("index/*.parquet"))


def test_a_build_comes_and_goes_with_its_index(tmp_path: Path) -> None:
    recipe = published_pictures(tmp_path, 12)
    out = tmp_path / "out"
    first = read_manifest(str(out))
    assert len(rows_below(out / "index")) == sum(
        number for split, tasks in first.counts.items() if split != "heldout"
        for languages in tasks.values() for number in languages.values()
    )  # fmt: skip
    second = published(replace(recipe, seed=1))
    assert second.build != first.build
    assert {row["build"] for row in rows_below(out / "index")} == {second.build}
    assert {row["build"] for row in rows_below(out / "heldout" / "index")} == {second.build}
    third = published(replace(recipe, seed=2, keep_builds=1))
    assert {row["build"] for row in rows_below(out / "index")} == {second.build, third.build}
    assert not list(out.rglob("*.partial"))
