"""What holds pictures and may be a bomb: folders without end, long names in tars, Parquet pages that unpack to much."""

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from florenz.images import parquet, parquet_pages
from florenz.images.bad_image import BadImage
from florenz.images.sources import ImageRef, Reject, list_sources, read_image_bytes, read_source
from florenz.limits.errors import TooLarge
from florenz.limits.table import Limits

JPEG = b"\xff\xd8\xff\xe0 a stand-in, reading never decodes "


def found_in(path: Path, limits: Limits) -> list[ImageRef | Reject]:
    (file,) = list_sources(str(path))
    return list(read_source(file, limits))


def says_all(said: str, key: str) -> bool:
    """What was too large, by how much, and what raises the limit."""
    return "more than the limit of" in said and f"(raise [limits] {key} in the recipe if it is sound)" in said


def tar_with(path: Path, *names: str, format: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(JPEG)
            tar.addfile(info, io.BytesIO(JPEG))
    return path


def test_a_member_with_a_name_beyond_the_limit_is_a_reject_and_its_neighbours_stay(tmp_path: Path) -> None:
    path = tar_with(tmp_path / "a.tar", "a.jpg", "n" * 300 + ".jpg", "b.jpg")
    first, long, last = found_in(path, Limits(name_bytes=200))
    assert isinstance(first, ImageRef) and isinstance(last, ImageRef)
    assert isinstance(long, Reject) and long.reason == "name_too_long" and says_all(long.detail, "name_bytes")
    assert "304 bytes, 104 more" in long.detail and len(long.uri) < 1000
    assert all(isinstance(one, ImageRef) for one in found_in(path, Limits(name_bytes=400)))


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_header_beyond_the_limit_ends_the_tar_unread(tmp_path: Path, format: int) -> None:
    path = tar_with(tmp_path / "a.tar", "a.jpg", "n" * 5000 + ".jpg", "b.jpg", format=format)
    found = found_in(path, Limits(tar_header_bytes=1000, name_bytes=10_000))
    assert isinstance(found[0], ImageRef) and len(found) == 2
    assert isinstance(found[1], Reject) and says_all(found[1].detail, "tar_header_bytes")
    assert len(found_in(path, Limits(tar_header_bytes=10_000, name_bytes=10_000))) == 3


def test_folders_within_each_other_beyond_the_limit_are_one_line(tmp_path: Path) -> None:
    inner = tmp_path.joinpath(*"abcde")
    inner.mkdir(parents=True)
    (inner / "deep.jpg").write_bytes(JPEG)
    assert len(list_sources(str(tmp_path), Limits(folder_depth=5))) == 1
    with pytest.raises(TooLarge) as caught:
        list_sources(str(tmp_path), Limits(folder_depth=4))
    assert says_all(str(caught.value), "folder_depth") and "\n" not in str(caught.value)


def bomb(path: Path, *, rows: int, row_bytes: int, use_dictionary: bool) -> Path:
    """Zeros: some bytes that unpack to many."""
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=use_dictionary, store_schema=False,
                          dictionary_pagesize_limit=1 << 30) as writer:  # fmt: skip
        writer.write_table(pa.table({"image": [bytes(row_bytes)] * rows}, schema=schema))
    return path


def refusal(path: Path, limits: Limits) -> str:
    """Of each image in it, when it is read; the file's own listing reads no pages."""
    details = set()
    for ref in found_in(path, limits):
        assert isinstance(ref, ImageRef)
        with pytest.raises(BadImage) as caught:
            read_image_bytes(ref, max_bytes=1 << 40, limits=limits)
        assert caught.value.reason == "unreadable_source"
        details.add(caught.value.detail)
    (detail,) = details
    return detail


def test_a_page_beyond_the_limit_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = bomb(tmp_path / "a.parquet", rows=2, row_bytes=40_000_000, use_dictionary=False)
    assert path.stat().st_size < 20_000
    before = pa.default_memory_pool().max_memory()
    assert says_all(refusal(path, Limits(parquet_page_bytes=1_000_000)), "parquet_page_bytes")
    assert pa.default_memory_pool().max_memory() <= before, "nothing was unpacked"


def test_a_chunk_that_unpacks_to_many_times_its_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are packed already. What is small is left alone, so that a test has to lower what counts as small."""
    path = bomb(tmp_path / "a.parquet", rows=2, row_bytes=3_000_000, use_dictionary=False)
    monkeypatch.setattr(parquet_pages, "FREE_BYTES", 100_000)
    assert says_all(refusal(path, Limits()), "parquet_ratio")
    raised = Limits(parquet_ratio=100_000)
    refs = [ref for ref in found_in(path, raised) if isinstance(ref, ImageRef)]
    assert [len(read_image_bytes(ref, max_bytes=1 << 40, limits=raised)) for ref in refs] == [3_000_000] * 2


def test_a_dictionary_of_one_value_is_unpacked_once_and_not_for_each_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 rows that name one value of 4 MB would be 160 MB; Arrow's own reader makes them so."""
    monkeypatch.setattr(parquet, "REPEATED_BYTES", 10_000_000)
    path = bomb(tmp_path / "a.parquet", rows=40, row_bytes=4_000_000, use_dictionary=True)
    assert path.stat().st_size < 5_000
    refs = [ref for ref in found_in(path, Limits()) if isinstance(ref, ImageRef)]
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    assert {len(read_image_bytes(ref, max_bytes=1 << 40)) for ref in refs} == {4_000_000} and len(refs) == 40
    assert pool.bytes_allocated() - before < 20_000_000


def test_a_page_whose_header_is_lists_within_lists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [bytes(100_000)]}), path, compression="none", use_dictionary=False)
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 50_000] = b"\x19" * 50_000
    path.write_bytes(content)
    assert refusal(path, Limits())


def test_lists_within_lists_in_a_header_end_the_reading_of_it() -> None:
    """A list that holds a list, as long as a header may be: each byte is one more."""
    with pytest.raises(parquet_pages.NotThrift, match="too deep"):
        parquet_pages.read_struct(b"\x19" * 100_000, 0)
