"""Files that have not changed are not read again, and one that has changed is, however well that is hidden."""

import builtins
import io
import os
import shutil
import tarfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_stores import way_into
from pipeline_examples import jpeg_of, key_of, recipe_for, rejects_of, write_pictures

from benchmarks.stand_in_stores import StandInStore
from florenz.images import folders
from florenz.images import sources as images
from florenz.pipeline import index as index_module
from florenz.pipeline import known_sources
from florenz.pipeline.image_index import Index, index_path
from florenz.pipeline.image_settings import Images
from florenz.pipeline.index import build_index
from florenz.pipeline.listing import listing_of
from florenz.pipeline.recipe import Recipe


def index_of(recipe: Recipe) -> Index:
    return build_index(recipe, listing_of(recipe), None)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The references whose bytes were read, in the order in which they were."""
    seen: list[str] = []
    read = images.read_image_bytes

    def noted(ref: images.ImageRef, **limits: Any) -> bytes:
        seen.append(ref.uri)
        return read(ref, **limits)

    monkeypatch.setattr(images, "read_image_bytes", noted)
    return seen


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all files had been written long before they are listed: tests can't wait so long, nor set a ctime."""
    monkeypatch.setattr(folders, "CLOCK_STEP_S", -1e9)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    folder = tmp_path / "pictures"
    write_pictures(folder, 4)
    (folder / "copy.jpg").write_bytes(jpeg_of(0))
    (folder / "notes.md").write_text("no image")
    with tarfile.open(folder / "more.tar", "w") as tar:
        for number in (7, 8):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.size = len(jpeg_of(number))
            tar.addfile(info, io.BytesIO(jpeg_of(number)))
    with tarfile.open(folder / "nothing.tar", "w"):
        pass
    return recipe_for(tmp_path / "out", folder)


def fresh(recipe: Recipe) -> Index:
    """What a run finds that knows nothing."""
    other = replace(recipe, out=f"{recipe.out}-fresh")
    shutil.rmtree(other.out, ignore_errors=True)
    return index_of(other)


def test_an_unchanged_source_is_not_read_again_and_the_index_stays_as_it_is(
    recipe: Recipe, looked: list[str], _settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = index_of(recipe)
    content = Path(index_path(recipe.out)).read_bytes()
    assert len(looked) == 7
    looked.clear()
    monkeypatch.setattr(index_module, "graph", None)  # no graph, either
    assert index_of(recipe) == first and looked == [] and Path(index_path(recipe.out)).read_bytes() == content


def test_what_an_earlier_version_kept_in_one_file_is_believed(
    recipe: Recipe, looked: list[str], _settled: None
) -> None:
    first, ledger = index_of(recipe), Path(recipe.out) / "ledger"
    before = pa.concat_tables([pq.read_table(path) for path in sorted((ledger / "found").iterdir())])
    pq.write_table(before, ledger / "sources.parquet")
    shutil.rmtree(ledger / "found")
    shutil.rmtree(ledger / "images")
    looked.clear()
    assert index_of(recipe) == first and looked == []
    assert not (ledger / "sources.parquet").exists() and index_of(recipe) == first and looked == []


def test_only_what_changed_came_or_went_is_read(recipe: Recipe, looked: list[str], _settled: None) -> None:
    index_of(recipe)
    folder = Path(recipe.images.source)
    (folder / "001.jpg").write_bytes(jpeg_of(21))
    (folder / "new.jpg").write_bytes(jpeg_of(22))
    (folder / "000.jpg").unlink()
    looked.clear()
    index = index_of(recipe)
    assert sorted(Path(uri).name for uri in looked) == ["001.jpg", "new.jpg"]
    assert index == fresh(recipe)
    assert index.images[key_of(jpeg_of(0))].endswith("copy.jpg"), "the copy of what went is the image now"


def test_a_rewrite_in_place_of_the_same_size_is_seen_though_its_time_is_put_back(
    recipe: Recipe, _settled: None
) -> None:
    index_of(recipe)
    path = Path(recipe.images.source) / "002.jpg"
    before, other = path.stat(), jpeg_of(3)[:-2] + b"xx"
    other = other[: before.st_size].ljust(before.st_size, b"x")
    with path.open("r+b") as file:
        file.write(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert key_of(other) in index_of(recipe).images


@pytest.fixture
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_sources, "ROWS_AT_ONCE", 1)


def test_a_tar_with_more_in_it_than_is_held_at_once_is_known_like_any_other(
    recipe: Recipe, looked: list[str], _settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fresh(recipe)
    monkeypatch.setattr(known_sources, "ROWS_AT_ONCE", 1)
    assert index_of(recipe).parts == whole.parts
    kept = known_sources.kept_files(recipe.out)
    assert max(pq.ParquetFile(path).num_row_groups for path in kept) > 1, "one with several pieces"
    looked.clear()
    (Path(recipe.images.source) / "new.jpg").write_bytes(jpeg_of(22))
    assert len(index_of(recipe).images) == len(whole.images) + 1 and len(looked) == 1
    looked.clear()
    monkeypatch.setattr(known_sources, "ROWS_AT_ONCE", 1 << 16)
    (Path(recipe.images.source) / "new.jpg").unlink()
    assert index_of(recipe).parts == whole.parts and looked == []


@pytest.mark.usefixtures("_settled", "_few_at_once")
def test_a_tar_that_breaks_is_read_again_with_all_that_stands_before_the_break(
    recipe: Recipe, looked: list[str]
) -> None:
    """What was kept of it lies in several pieces, and the last of them says that it may pass."""
    path = Path(recipe.images.source) / "long.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(30, 37):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.size = len(jpeg_of(number))
            tar.addfile(info, io.BytesIO(jpeg_of(number)))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"36.jpg")])
    assert len(index_of(recipe).images) == 6 + 6
    looked.clear()
    index_of(recipe)
    assert sorted({Path(uri.partition("?")[0]).name for uri in looked}) == ["long.tar"] and len(looked) == 6


def test_a_piece_that_is_damaged_makes_all_of_its_files_unknown(
    recipe: Recipe, looked: list[str], _settled: None, _few_at_once: None
) -> None:
    first = index_of(recipe)
    for path in map(Path, known_sources.kept_files(recipe.out)):
        file = pq.ParquetFile(path)
        column = file.metadata.row_group(file.num_row_groups - 1).column(0)
        content = bytearray(path.read_bytes())
        at, size = column.dictionary_page_offset or column.data_page_offset, column.total_compressed_size
        content[at : at + size] = bytes(size)
        path.write_bytes(content)
    looked.clear()
    (Path(recipe.images.source) / "new.md").write_text("no image either")  # or nothing would be looked at
    assert index_of(recipe).num_images == first.num_images and len(looked) == 7


def test_what_is_held_of_a_tar_does_not_grow_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_sources, "ROWS_AT_ONCE", 500)

    def peak_of(number: int) -> int:
        def rows() -> Iterator[known_sources.Row]:
            for one in range(number):
                yield "a.tar", "stamp", f"a.tar?member={one:06}", f"{one:032x}", "", "", "about" * 20, "", ""

        tracemalloc.start()
        try:
            assert known_sources.write_found(str(tmp_path), "0", rows(), "readers") == number
            written = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            assert sum(1 for _ in known_sources.read_found(str(tmp_path), "0")) == number
            return max(written, tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    assert peak_of(10_000) < 2 * peak_of(1_000)


def test_a_file_that_was_written_just_now_is_read_by_the_next_run_too(recipe: Recipe, looked: list[str]) -> None:
    """Another writing within the same step of its clock, of the same size, would have the same stamp."""
    index_of(recipe)
    looked.clear()
    index_of(recipe)
    assert len(looked) == 7


@pytest.mark.parametrize("change", ["limit", "code", "damage", "removed"])
def test_what_was_found_under_other_rules_is_not_taken_over(
    recipe: Recipe, looked: list[str], _settled: None, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    index_of(recipe)
    looked.clear()
    known = sorted((Path(recipe.out) / "ledger" / "found").iterdir())
    if change == "limit":
        recipe = replace(recipe, images=Images(source=recipe.images.source, max_bytes=1 << 20))
    elif change == "code":
        monkeypatch.setattr("florenz.pipeline.known_sources.code_checksum", lambda entries: "mended")
    else:
        Path(index_path(recipe.out)).unlink()
        for path in known:
            path.unlink() if change == "removed" else path.write_bytes(b"PAR1 no more")
    assert index_of(recipe) == fresh(recipe) and len(looked) >= 7


def test_what_could_not_be_read_is_tried_again(recipe: Recipe, _settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(recipe.images.source) / "003.jpg"
    opened = builtins.open

    def broken(file: object, *arguments: object, **options: object) -> object:
        if str(file) == str(path):
            raise OSError(5, "Input/output error", str(file))
        return opened(file, *arguments, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", broken)
        assert [reject.source for reject in rejects_of(index_of(recipe)) if reject.reason == "unreadable_file"] == [
            str(path)
        ]
    assert key_of(jpeg_of(3)) in index_of(recipe).images


def test_the_first_count_images_are_looked_for_anew(recipe: Recipe, _settled: None) -> None:
    whole = index_of(recipe)
    two = replace(recipe, images=Images(source=recipe.images.source, count=2))
    assert len(index_of(two).images) == 2
    assert index_of(recipe) == whole


@pytest.mark.slow
@settings(max_examples=6)
@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=6))
def test_after_any_history_the_index_is_that_of_a_run_that_knows_nothing(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """0: remove; else write picture n. Files settle at once, as they would in 10 s."""
    root = tmp_path_factory.mktemp("history")
    folder = root / "pictures"
    write_pictures(folder, 1)
    recipe = recipe_for(root / "out", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "CLOCK_STEP_S", -1e9)
        for name, number in steps:
            path = folder / f"{name}.jpg"
            path.unlink(missing_ok=True)
            if number:
                path.write_bytes(jpeg_of(number))
            index = index_of(recipe)
        assert index == fresh(recipe)


def test_objects_that_have_not_changed_are_listed_and_not_read(
    object_store: StandInStore, tmp_path: Path, _settled: None
) -> None:
    way, source = way_into(object_store), f"{object_store.bucket}/known-{tmp_path.name}"
    for number in range(5):
        way.put(f"{source}/{number}.jpg", jpeg_of(number))
    recipe = recipe_for(tmp_path / "out", source)
    first = index_of(recipe)
    object_store.order()
    assert index_of(recipe) == first and len(first.images) == 5
    assert object_store.seen().total() <= 3
    way.put(f"{source}/3.jpg", jpeg_of(9))
    object_store.order()
    assert set(index_of(recipe).images) == {key_of(jpeg_of(number)) for number in (0, 1, 2, 4, 9)}
    assert object_store.seen()["GET"] <= 4
