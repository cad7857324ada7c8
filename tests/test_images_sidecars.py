"""What img2dataset leaves beside a picture reaches the sample and the index: in JSON, or in columns of Parquet."""

import io
import json
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_examples import jpeg_of, key_of, published, recipe_for, write_ledger

from florenz.exports.index import read_index
from florenz.images import parquet_pages
from florenz.images.parquet_about import _text_columns
from florenz.images.references import ImageRef, Reject
from florenz.images.sidecars import NAMES, NOTHING, About, about_from, about_text, parse_sidecar
from florenz.images.sources import list_sources, read_about, read_image_bytes, read_source
from florenz.limits.table import SIDECAR_CHARS as MAX_CHARS
from florenz.limits.table import Limits
from florenz.shards.manifest import shard_path
from florenz.shards.reader import iter_samples

RECORD = {"url": "https://example.org/cat.jpg", "caption": "a cat\n on  a mat", "license": "CC-BY-4.0", "width": 3}
MAX_BYTES = Limits.sidecar_bytes
ABOUT = About(url="https://example.org/cat.jpg", licence="CC-BY-4.0", alt="a cat on a mat")


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def about_of(path: Path) -> list[About]:
    """Of each image of a source, in order."""
    found = [found for file in list_sources(str(path)) for found in read_source(file)]
    assert all(isinstance(one, ImageRef) for one in found), "what stands beside a picture is no reject"
    return [read_about(one) for one in found if isinstance(one, ImageRef)]


@pytest.mark.parametrize("order", [("jpg", "json", "txt"), ("json", "png", "txt"), ("txt", "json", "jpg")])
def test_a_sidecar_belongs_to_the_picture_of_its_name(tmp_path: Path, order: tuple[str, ...]) -> None:
    contents = {"jpg": jpeg_of(1), "png": jpeg_of(1), "txt": b"x", "json": json.dumps(RECORD).encode()}
    members = [("000.jpg", jpeg_of(0)), *((f"001.{kind}", contents[kind]) for kind in order), ("002.jpg", jpeg_of(2))]
    write_tar(tmp_path / "0.tar", members)
    assert about_of(tmp_path / "0.tar") == [NOTHING, ABOUT, NOTHING]


def test_a_tar_that_breaks_gives_what_stands_before_the_break(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", [("000.json", json.dumps(RECORD).encode()), ("000.jpg", jpeg_of(0))])
    content = (tmp_path / "0.tar").read_bytes()
    (tmp_path / "0.tar").write_bytes(content[: content.index(b"\xff\xd9") + 2 + 512])
    (file,) = list_sources(str(tmp_path / "0.tar"))
    first, broken = read_source(file)
    assert isinstance(first, ImageRef) and read_about(first) == ABOUT
    assert isinstance(broken, Reject) and broken.reason == "unreadable_source"


def test_a_folder_of_img2dataset_has_its_sidecars_beside_the_pictures(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg_of(number))
        (tmp_path / f"{number}.txt").write_text("alt")
    (tmp_path / "1.json").write_text(json.dumps(RECORD))
    assert about_of(tmp_path) == [NOTHING, ABOUT, NOTHING]
    (tmp_path / "notes.json").write_text("{}")
    assert [file.path for file in list_sources(str(tmp_path))][-1].endswith("notes.json"), "it belongs to no picture"


def test_a_changed_sidecar_makes_its_picture_a_changed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stamps() -> list[str]:
        return [file.stamp for file in list_sources(str(tmp_path))]

    (tmp_path / "0.jpg").write_bytes(jpeg_of(0))
    (tmp_path / "0.json").write_text("{}")
    assert stamps() == [""], "just written: no stamp"
    (tmp_path / "0.json").unlink()
    monkeypatch.setattr("florenz.images.folders.CLOCK_STEP_S", -1e9)
    alone = stamps()
    (tmp_path / "0.json").write_text(json.dumps(RECORD))
    with_sidecar = stamps()
    (tmp_path / "0.json").write_text(json.dumps({**RECORD, "license": "CC0"}))
    assert len({*alone, *with_sidecar, *stamps()}) == 3


def test_a_sidecar_that_is_gone_or_too_large_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(jpeg_of(0))
    (tmp_path / "0.json").write_text(json.dumps({**RECORD, "exif": "x" * MAX_BYTES}))
    assert about_of(tmp_path) == [NOTHING]
    (file,) = list_sources(str(tmp_path))
    (ref,) = read_source(file)
    assert isinstance(ref, ImageRef) and read_about(ref, Limits(sidecar_bytes=2 * MAX_BYTES)) == ABOUT
    (tmp_path / "0.json").unlink()
    assert isinstance(ref, ImageRef) and ref.sidecar and read_about(ref) == NOTHING


def test_a_table_gives_back_what_was_written() -> None:
    assert about_from(about_text(ABOUT)) == ABOUT and about_text(NOTHING) == ""
    assert about_from("") == about_from(None) == NOTHING


def test_only_known_words_are_taken_and_bounded() -> None:
    assert parse_sidecar(json.dumps({**RECORD, "url": "javascript:alert(1)"}).encode()).url == ""
    assert parse_sidecar(json.dumps({"caption": "x" * 9999}).encode()).alt == "x" * MAX_CHARS
    assert parse_sidecar(json.dumps({"caption": "a\u202e\x1b[2Jb", "url": 3}).encode()) == About(alt="a[2Jb")
    for damaged in (b"", b"{", b"[1]", b"\xff", b"[" * 50_000, b'{"url": "\\ud800"}'):
        assert parse_sidecar(damaged) == NOTHING


@given(st.binary(max_size=200))
def test_no_bytes_stop_a_run(content: bytes) -> None:
    assert isinstance(parse_sidecar(content), About)


TEXTS = {
    "url": ["https://example.org/cat.jpg", None, "file:///etc/passwd"],
    "caption": ["a cat\n on  a mat", "", "b"],
    "License": ["CC-BY-4.0", None, None],
}
KINDS = (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()))


def write_parquet(path: Path, columns: dict[str, object], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = pa.array([jpeg_of(number) for number in range(3)], pa.binary())
    pq.write_table(pa.table({"jpg": pictures, **columns}), path, **options)
    return path


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("keeps_schema", [True, False])
def test_columns_beside_the_image_bytes_are_read_like_a_sidecar(
    tmp_path: Path, kind: pa.DataType, keeps_schema: bool
) -> None:
    columns: dict[str, object] = {name: pa.array(cells, pa.string()).cast(kind) for name, cells in TEXTS.items()}
    path = write_parquet(tmp_path / "a.parquet", columns, row_group_size=2, store_schema=keeps_schema)
    assert about_of(path) == [ABOUT, NOTHING, About(alt="b")]


def test_columns_of_other_kinds_and_names_say_nothing(tmp_path: Path) -> None:
    columns: dict[str, object] = {"url": [1, 2, 3], "caption": [["a"], ["b"], ["c"]], "exif": ["GPS"] * 3}
    assert about_of(write_parquet(tmp_path / "a.parquet", columns)) == [NOTHING] * 3
    same = pa.table([[jpeg_of(0)], ["a"], ["b"]], names=["jpg", "caption", "caption"])
    pq.write_table(same, tmp_path / "b.parquet")
    assert about_of(tmp_path / "b.parquet") == [NOTHING], "which of both is meant?"


def test_a_long_cell_is_cut_and_one_that_is_no_utf8_says_nothing(tmp_path: Path) -> None:
    wild = pa.array(["\u00e9" * MAX_BYTES, b"caf\xe9", "x"], pa.binary()).cast(pa.string(), safe=False)
    path = write_parquet(tmp_path / "a.parquet", {"caption": wild})
    assert about_of(path) == [About(alt="\u00e9" * MAX_CHARS), NOTHING, About(alt="x")]


def test_columns_beyond_a_limit_say_nothing_and_cost_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_pages, "FREE_BYTES", 0)
    path = write_parquet(tmp_path / "a.parquet", {"caption": ["x" * 3_000_000] * 3}, use_dictionary=False)
    assert about_of(path) == [NOTHING] * 3
    refs = [ref for ref in read_source(list_sources(str(path))[0]) if isinstance(ref, ImageRef)]
    assert [read_image_bytes(ref, max_bytes=1 << 20) for ref in refs] == [jpeg_of(number) for number in range(3)]
    assert read_about(refs[0], Limits(parquet_ratio=1 << 30)).alt == "x" * MAX_CHARS


def test_a_text_that_all_rows_repeat_is_in_memory_once(tmp_path: Path) -> None:
    """300 rows of 4 MB would be 1.2 GB."""
    table = pa.table({"jpg": [jpeg_of(0)] * 300, "caption": ["y" * 4_000_000] * 300})
    whole = {"compression": "zstd", "store_schema": False, "dictionary_pagesize_limit": 1 << 30}
    pq.write_table(table, tmp_path / "a.parquet", **whole)
    before = pa.total_allocated_bytes()
    assert about_of(tmp_path / "a.parquet") == [About(alt="y" * MAX_CHARS)] * 300
    assert pa.total_allocated_bytes() - before < 20_000_000


def test_columns_without_number_are_looked_at_once_and_those_of_one_name_say_nothing(tmp_path: Path) -> None:
    names = ["jpg", *(["url"] * 30_000), "URL", "caption"]
    table = pa.table([[jpeg_of(0)], *[["https://a.example/"]] * 30_001, ["a cat"]], names=names)
    pq.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False)
    started = time.process_time()
    assert _text_columns(table.schema, "jpg") == ["caption"]
    assert time.process_time() - started < 5, "comparing each with each would take a minute"


def test_all_columns_together_lie_within_the_limit(tmp_path: Path) -> None:
    names = [name for group in NAMES.values() for name in group]
    columns: dict[str, object] = {name: ["x" * 1000] * 3 for name in names}
    path = write_parquet(tmp_path / "a.parquet", columns, use_dictionary=False)
    (file,) = list_sources(str(path))
    ref = next(ref for ref in read_source(file) if isinstance(ref, ImageRef))
    assert read_about(ref, Limits(parquet_page_bytes=3100)) == NOTHING, "each alone has 3,000 bytes"
    assert read_about(ref, Limits(parquet_page_bytes=40_000)).alt == "x" * 1000


def test_a_file_that_has_gone_says_nothing(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", dict(TEXTS))
    refs = [ref for ref in read_source(list_sources(str(path))[0]) if isinstance(ref, ImageRef)]
    path.unlink()
    assert [read_about(ref) for ref in refs] == [NOTHING] * 3


def test_a_damaged_column_of_texts_costs_no_picture_and_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{number}".zfill(3000) for number in range(3)]
    path = write_parquet(tmp_path / "a.parquet", {"caption": texts}, compression="zstd", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    content = bytearray(path.read_bytes())
    start = column.data_page_offset
    content[start + 40 : start + column.total_compressed_size] = bytes(column.total_compressed_size - 40)
    path.write_bytes(content)
    refs = [ref for ref in read_source(list_sources(str(path))[0]) if isinstance(ref, ImageRef)]
    opened = []
    monkeypatch.setattr("florenz.images.parquet_about.open_file", lambda name: opened.append(name) or path.open("rb"))
    assert [read_about(ref) for ref in refs] == [NOTHING] * 3 and len(opened) == 1
    assert [read_image_bytes(ref, max_bytes=1 << 20) for ref in refs] == [jpeg_of(number) for number in range(3)]


def test_columns_of_parquet_reach_sample_and_index(tmp_path: Path) -> None:
    columns: dict[str, object] = dict(TEXTS)
    write_parquet(tmp_path / "images" / "0.parquet", columns)
    recipe = recipe_for(tmp_path / "out", tmp_path / "images", languages=("de",), held_out=())
    write_ledger(recipe, [key_of(jpeg_of(number)) for number in range(3)])
    manifest = published(replace(recipe, images=replace(recipe.images, licence="MIT")))
    rows = read_index(recipe.out, manifest.build, manifest.shards).to_pylist()
    found = {(row["image"], row["url"], row["licence"], row["image_notes"]) for row in rows}
    assert found == {
        (key_of(jpeg_of(0)), ABOUT.url, ABOUT.licence, "alt text: a cat on a mat"),
        (key_of(jpeg_of(1)), "", "MIT", ""),
        (key_of(jpeg_of(2)), "", "MIT", "alt text: b"),
    }


def test_licence_url_and_alt_text_reach_sample_and_index(tmp_path: Path) -> None:
    members = [("0.jpg", jpeg_of(0)), ("0.json", json.dumps(RECORD).encode())]
    members += [(f"{number}.jpg", jpeg_of(number)) for number in range(1, 4)]
    write_tar(tmp_path / "tars" / "0.tar", members)
    recipe = recipe_for(tmp_path / "out", tmp_path / "tars", languages=("de",), held_out=())
    write_ledger(recipe, [key_of(jpeg_of(number)) for number in range(4)])
    manifest = published(recipe)
    samples = {
        sample.key: sample
        for shard in manifest.shards
        for sample in iter_samples(shard_path(recipe.out, manifest.build, shard.path))
    }
    first = samples.pop(key_of(jpeg_of(0)))
    assert (first.url, first.licence) == (ABOUT.url, ABOUT.licence) and first.notes == "alt text: a cat on a mat"
    assert all((one.url, one.licence, one.notes) == ("", "", "") for one in samples.values())
    rows = read_index(recipe.out, manifest.build, manifest.shards).to_pylist()
    assert {row["url"] for row in rows if row["image"] == first.image} == {ABOUT.url}

    members[1] = ("0.json", json.dumps({**RECORD, "license": "CC0-1.0"}).encode())
    write_tar(tmp_path / "tars" / "0.tar", members)
    again = published(replace(recipe, images=replace(recipe.images, licence="MIT")))
    licences = {row["image"]: row["licence"] for row in read_index(recipe.out, again.build, again.shards).to_pylist()}
    assert again.build != manifest.build, "another licence, another build"
    assert licences.pop(first.image) == "CC0-1.0" and set(licences.values()) == {"MIT"}, "LICENCE is for all others"
