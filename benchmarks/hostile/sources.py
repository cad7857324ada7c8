"""What holds pictures: Parquet files and tars that are bombs, folders without end."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hostile.damaged_jpegs import photo_like
from benchmarks.hostile.place import Done, Place, case, fault, reasons


@case
def dictionary_of_one_value(place: Place) -> Iterator[tuple[Done, str]]:
    """2 KB that unpack to 2.4 GiB."""
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(place.images / "bomb.parquet", schema, compression="zstd", store_schema=False,
                          dictionary_pagesize_limit=1 << 30) as writer:  # fmt: skip
        writer.write_table(pa.table({"image": [bytes(64_000_000)] * 40}, schema=schema))
    done = place.run()
    yield done, reasons(done)


@case
def page_of_two_gigabytes(place: Place) -> Iterator[tuple[Done, str]]:
    """200 KB of zstd, in a single page."""
    column = pa.array([bytes(1_000_000_000)], pa.binary())
    pq.write_table(pa.table({"image": column}), place.images / "page.parquet", compression="zstd", use_dictionary=False)
    del column
    done = place.run()
    yield done, reasons(done, ("page.parquet", "unreadable_source"))


@case
def a_text_that_all_rows_repeat(place: Place) -> Iterator[tuple[Done, str]]:
    """A column of alt texts beside the pictures, 2.4 GiB in a few KB; the pictures stay."""
    jpeg = photo_like(random.Random(7))
    columns = {"jpg": [jpeg] * 40, "caption": ["a" * 64_000_000] * 40}
    schema = pa.schema([("jpg", pa.binary()), ("caption", pa.string())])
    with pq.ParquetWriter(place.images / "texts.parquet", schema, compression="zstd", store_schema=False,
                          dictionary_pagesize_limit=1 << 30) as writer:  # fmt: skip
        writer.write_table(pa.table(columns, schema=schema))
    del columns
    done = place.run()
    found = [source for source in done.pictures() if "texts.parquet" in source] if done.code == 0 else []
    yield done, fault(done, 0) or ("" if found else "its pictures are not in a shard")


@case
def lists_within_lists_in_a_page(place: Place) -> Iterator[tuple[Done, str]]:
    """A page's header in which each byte is a list within the one before."""
    path = place.images / "lists.parquet"
    pq.write_table(pa.table({"jpg": [os.urandom(100_000)]}), path, compression="none", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[column.data_page_offset : column.data_page_offset + 50_000] = b"\x19" * 50_000
    path.write_bytes(content)
    done = place.run()
    yield done, reasons(done, ("lists.parquet", "unreadable_source"))


@case
def long_names_in_a_tar(place: Place) -> Iterator[tuple[Done, str]]:
    """A thousand members whose names have a megabyte each."""
    jpeg = next(place.images.glob("*.jpg")).read_bytes()
    with tarfile.open(place.images / "names.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for number in range(1000):
            info = tarfile.TarInfo(f"{number:04d}" + "n" * ((1 << 20) - 10) + ".jpg")
            info.size = len(jpeg)
            tar.addfile(info, io.BytesIO(jpeg))
    done = place.run()
    yield done, reasons(done, ("names.tar", "name_too_long"))


@case
def deep_folder(place: Place) -> Iterator[tuple[Done, str]]:
    """1,500 folders in each other, as a package of strangers' files may bring along."""
    before = os.getcwd()
    try:
        os.chdir(place.images)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("deep.jpg").write_bytes(photo_like(random.Random(1)))
    finally:
        os.chdir(before)
    done = place.run()
    yield done, fault(done, 2, "folder_depth")
    subprocess.run(["rm", "-rf", str(place.images / "d")], check=False)
