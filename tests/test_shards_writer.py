import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shards_dataset import COVERED, WITHHELD, caption, key_of, make_sample

from florenz.shards.schema import Caption, Sample
from florenz.shards.writer import tar_header, write_shard
from florenz.stores import files


def write(folder: Path, samples: list[Sample], name: str = "train-000000.tar") -> Path:
    write_shard(samples, str(folder / name), "train")
    return folder / name


def test_a_shard_is_the_tar_that_tarfile_reads(tmp_path: Path) -> None:
    samples = [make_sample(number) for number in range(3)]
    with tarfile.open(write(tmp_path, samples)) as tar:
        read = [(info.name, content.read()) for info in tar if (content := tar.extractfile(info))]
    assert read == [member for sample in samples for member in sample.members()]


def test_what_is_told_of_a_shard_is_what_lies_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "val-000003.tar"
    info = write_shard([make_sample(0), make_sample(1, WITHHELD)], str(path), "val")
    assert info is not None
    content = path.read_bytes()
    assert (info.path, info.split, info.samples) == ("val-000003.tar", "val", 2)
    assert (info.bytes, info.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert info.counts == {"caption/de": 1, "caption/en": 1, "caption/fr": 1, "translation/de": 1, "translation/fr": 1}
    assert list(info.counts) == sorted(info.counts)


def test_the_same_samples_give_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    samples = [make_sample(number) for number in range(3)]
    one = write(tmp_path / "one", samples)
    files.remove(str(one))
    again, elsewhere = write(tmp_path / "one", samples), write(tmp_path / "two", samples, "train-000009.tar")
    assert again.read_bytes() == elsewhere.read_bytes()


def test_the_headers_tell_nothing_of_who_wrote_and_when(tmp_path: Path) -> None:
    with tarfile.open(write(tmp_path, [make_sample()])) as tar:
        for info in tar:
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode) == (0, 0, 0, "", "", 0o644)
            assert info.isreg()


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
        lambda name: len(name.encode()) <= 100 and not name.endswith("/")
    ),
    st.integers(0, 8**11 - 1),
)
def test_the_header_is_the_same_as_the_one_of_tarfile(name: str, num_bytes: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = num_bytes, 0o644, 0
    assert tar_header(name, num_bytes) == info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def test_what_does_not_fit_a_plain_tar_is_refused() -> None:
    with pytest.raises(ValueError, match="fit a plain tar"):
        tar_header("a" * 101, 1)
    with pytest.raises(ValueError, match="fit a plain tar"):
        tar_header("a", 8**11)


def test_a_tar_ends_on_a_whole_record(tmp_path: Path) -> None:
    path = write(tmp_path, [make_sample()])
    assert path.stat().st_size % 10240 == 0
    assert path.read_bytes().endswith(bytes(1024))


def test_no_samples_make_no_file(tmp_path: Path) -> None:
    assert write_shard([], str(tmp_path / "train-000000.tar"), "train") is None
    assert os.listdir(tmp_path) == []


def test_an_error_among_the_samples_leaves_no_shard(tmp_path: Path) -> None:
    def samples() -> Iterator[Sample]:
        yield make_sample()
        raise OSError("the image is gone")

    with pytest.raises(OSError, match="the image is gone"):
        write_shard(samples(), str(tmp_path / "train-000000.tar"), "train")
    assert os.listdir(tmp_path) == []


def test_samples_are_written_as_they_come(tmp_path: Path) -> None:
    alive, most = 0, 0

    class Counted(bytes):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def samples() -> Iterator[Sample]:
        nonlocal alive, most
        for number in range(20):
            alive += 1
            most = max(most, alive)
            yield Sample(
                key=key_of(number),
                jpeg=Counted(b"jpeg"),
                width=1,
                height=1,
                source="x",
                captions=(Caption(style="short", text="a"),),
                examples=COVERED,
            )

    write_shard(samples(), str(tmp_path / "train-000000.tar"), "train")
    assert most <= 3  # the first, the one being written, the one being made


def test_a_shard_can_be_written_to_an_object_store() -> None:
    path = "memory://bucket/shards/train-000000.tar"
    info = write_shard([make_sample(0, (caption("zh", "一辆车"),))], path, "train")
    assert info is not None
    assert hashlib.sha256(files.read_bytes(path)).hexdigest() == info.sha256
