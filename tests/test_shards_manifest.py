import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shards_dataset import BUILD, write_dataset

from florenz.shards.manifest import ManifestError, count_examples, read_manifest, shard_path, write_manifest
from florenz.shards.settings import ShardSettings
from florenz.shards.writer import ShardInfo
from florenz.stores import files


def change(out: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    record = json.loads((out / "manifest.json").read_bytes())
    edit(record)
    record.pop("checksum")  # as one that was written before there were any
    (out / "manifest.json").write_text(json.dumps(record))


@pytest.mark.parametrize("store", ["local", "memory"])
def test_a_manifest_comes_back_as_it_was_written(store: str, tmp_path: Path) -> None:
    out = str(tmp_path) if store == "local" else "memory://manifest"
    manifest = write_dataset(out)
    assert read_manifest(out) == manifest


def test_the_file_has_the_documented_fields_and_paths_below_out(tmp_path: Path) -> None:
    manifest = write_dataset(str(tmp_path))
    record = json.loads((tmp_path / "manifest.json").read_bytes())
    assert set(record) == {
        "schema_version",
        "build",
        "languages",
        "held_out",
        "shards",
        "counts",
        "rejected",
        "inputs",
        "recipe",
        "models",
        "filters",
        "checksum",
    }
    assert record["schema_version"] == 2
    assert record["counts"]["train"]["caption"] == {"de": 9, "en": 9}
    assert record["shards"][0]["path"] == f"shards/{BUILD}/train-000000.tar"
    assert all((tmp_path / shard["path"]).stat().st_size == shard["bytes"] for shard in record["shards"])
    assert shard_path(str(tmp_path), BUILD, manifest.shards[0].path) == str(tmp_path / record["shards"][0]["path"])


def test_the_shards_to_train_on_are_not_those_of_validation(tmp_path: Path) -> None:
    manifest = write_dataset(str(tmp_path))
    assert [shard.path for shard in manifest.shards_of("train")] == ["train-000000.tar", "train-000001.tar"]
    assert [shard.path for shard in manifest.shards_of("val")] == ["val-000000.tar"]
    assert [shard.path for shard in manifest.shards_of("heldout")] == ["heldout-000000.tar"]


def test_what_is_withheld_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    paths = {shard["split"]: shard["path"] for shard in json.loads((tmp_path / "manifest.json").read_text())["shards"]}
    assert paths["heldout"] == f"heldout/{BUILD}/heldout-000000.tar" and (tmp_path / paths["heldout"]).is_file()
    assert not list((tmp_path / "shards").rglob("*heldout*"))


def test_a_manifest_of_version_1_is_read_with_the_splits_of_today() -> None:
    manifest = read_manifest(str(Path(__file__).parent / "data" / "version_1"))
    assert manifest.schema_version == 1
    assert {shard.split for shard in manifest.shards} == {"train", "val", "heldout"} == manifest.counts.keys()
    for shard in manifest.shards:
        path = shard_path(str(Path(__file__).parent / "data" / "version_1"), manifest.build, shard.path)
        assert Path(path).stat().st_size == shard.bytes


def test_a_dataset_of_an_earlier_version_is_never_written(tmp_path: Path) -> None:
    manifest = write_dataset(str(tmp_path))
    with pytest.raises(AssertionError, match="earlier version"):
        write_manifest(str(tmp_path), replace(manifest, schema_version=1))


def test_counts_add_up_over_shards_and_do_not_mix_splits() -> None:
    def info(split: str, counts: dict[str, int]) -> ShardInfo:
        return ShardInfo(path="x", split=split, samples=1, bytes=1, sha256="", counts=counts)

    shards = [
        info("val", {"caption/de": 1}),
        info("train", {"translation/fr": 2, "caption/de": 3}),
        info("train", {"caption/de": 4}),
    ]
    assert count_examples(shards) == {
        "train": {"caption": {"de": 7}, "translation": {"fr": 2}},
        "val": {"caption": {"de": 1}},
    }


def test_a_failed_write_keeps_the_manifest_before_it(tmp_path: Path) -> None:
    manifest = write_dataset(str(tmp_path))
    with pytest.raises(TypeError):
        write_manifest(str(tmp_path), replace(manifest, recipe={"a": object()}))
    assert read_manifest(str(tmp_path)) == manifest
    assert sorted(os.listdir(tmp_path)) == ["heldout", "manifest.json", "shards"]


def test_no_manifest_says_what_to_do(tmp_path: Path) -> None:
    for out in (str(tmp_path), str(tmp_path / "none"), "memory://nothing"):
        with pytest.raises(ManifestError, match="manifest.json does not exist: give the OUT folder of a run that has"):
            read_manifest(out)


def test_an_unknown_schema_version_names_both_versions(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    change(tmp_path, lambda record: record.update(schema_version=3))
    with pytest.raises(ManifestError, match="has schema version 3, this program reads 1 and 2: "):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda record: record.pop("held_out"), "field 'held_out' is missing"),
        (lambda record: record.update(held_out="fr"), "field 'held_out' is a str, expected a list"),
        (lambda record: record.update(languages=[1]), "field 'languages' holds something else than strings"),
        (lambda record: record.update(counts={"train": {"caption": {"de": "9"}}}), "field 'de' is a str"),
        (lambda record: record.update(rejected=[]), "field 'rejected' is a list"),
        (lambda record: record["shards"].append("x"), "shards holds a str"),
        (lambda record: record["shards"][0].update(samples=True), "field 'samples' is a bool"),
        (lambda record: record["shards"][0].update(path="../train-000000.tar"), "is not that of a shard of"),
        (lambda record: record["shards"][0].update(path=f"shards/{BUILD}/a.tar"), "is not that of a shard of"),
        (lambda record: record.update(build="../.."), "is not the name of a folder"),
    ],
)
def test_a_manifest_with_a_wrong_field_names_it(tmp_path: Path, edit: Callable[..., Any], message: str) -> None:
    write_dataset(str(tmp_path))
    change(tmp_path, edit)
    with pytest.raises(ManifestError, match="assemble the dataset again") as problem:
        read_manifest(str(tmp_path))
    assert message in str(problem.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"null"])
def test_a_manifest_that_is_no_json_object_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ManifestError) as problem:
        read_manifest(str(tmp_path))
    assert "\n" not in str(problem.value)


def test_a_store_that_cannot_be_opened_is_not_taken_for_a_bad_manifest() -> None:
    with pytest.raises(files.StoreError, match="cannot open nowhere://out"):
        read_manifest("nowhere://out")


def test_settings_that_make_no_sense_are_all_named() -> None:
    assert ShardSettings().images_per_shard == 1000
    with pytest.raises(ValueError) as problem:
        ShardSettings(images_per_shard=0, val_fraction=0.0, jpeg_quality=101, max_side_px=0)
    assert [line.split(" ")[0] for line in str(problem.value).splitlines()] == [
        "images_per_shard",
        "val_fraction",
        "jpeg_quality",
        "max_side_px",
    ]
