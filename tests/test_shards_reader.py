import io
import json
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from shards_dataset import make_sample

from florenz.shards.reader import iter_members, iter_samples
from florenz.shards.schema import SchemaError
from florenz.shards.tar import ShardError
from florenz.shards.writer import write_shard

SAMPLES = [make_sample(number) for number in range(4)]


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "train-000000.tar"
    write_shard(SAMPLES, str(path), "train")
    return path


def rewritten(path: Path, content: bytes) -> str:
    damaged = path.with_name("damaged.tar")
    damaged.write_bytes(content)
    return str(damaged)


def test_samples_come_back_as_they_were_written(shard: Path) -> None:
    assert list(iter_samples(str(shard))) == SAMPLES


def test_webdataset_reads_the_same_samples(shard: Path) -> None:
    dataset = webdataset.WebDataset([str(shard)], shardshuffle=False)
    read = [(row["__key__"], row["jpg"], row["txt"].decode(), json.loads(row["json"])["examples"]) for row in dataset]
    assert read == [
        (sample.key, sample.jpeg, sample.text, [asdict(example) for example in sample.examples]) for sample in SAMPLES
    ]


def test_webdataset_decodes_image_text_and_json_without_being_told(shard: Path) -> None:
    row = next(iter(webdataset.WebDataset([str(shard)], shardshuffle=False).decode("pil")))
    assert row["jpg"].size == (32, 24)
    assert row["txt"] == SAMPLES[0].text
    assert row["json"]["key"] == SAMPLES[0].key


def test_a_shard_repacked_with_another_tar_format_reads_the_same(shard: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(shard) as old, tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as new:
        for info in old:
            info.mtime, info.uname = 1.5, "somebody"  # type: ignore[assignment]
            new.addfile(info, old.extractfile(info))
    assert list(iter_samples(rewritten(shard, buffer.getvalue()))) == SAMPLES


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_shard_that_was_cut_off_anywhere_is_never_taken_for_a_shorter_one(shard: Path, data: st.DataObject) -> None:
    content = shard.read_bytes()
    end = len(content.rstrip(b"\0")) + 511
    length = data.draw(st.integers(0, end // 512 * 512 + 1023))  # one byte less than with its end mark
    with pytest.raises(ShardError):
        list(iter_samples(rewritten(shard, content[:length])))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_give_a_named_error_or_samples_but_never_fewer(shard: Path, data: st.DataObject) -> None:
    content = bytearray(shard.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=600))
        content[start : start + len(patch)] = patch[: len(content) - start]
    try:
        num_files = sum(len(members) for _, members in iter_members(rewritten(shard, bytes(content))))
        list(iter_samples(rewritten(shard, bytes(content))))
    except (ShardError, SchemaError):
        return
    assert num_files == 3 * len(SAMPLES)


def test_a_zeroed_header_in_the_middle_is_not_the_end(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    with tarfile.open(shard) as tar:
        offset = tar.getmembers()[3].offset
    content[offset : offset + 512] = bytes(512)
    with pytest.raises(ShardError, match=f"damaged at byte {offset}: neither a file nor the end") as problem:
        list(iter_samples(rewritten(shard, bytes(content))))
    assert (problem.value.offset, problem.value.path[-11:]) == (offset, "damaged.tar")


def test_what_stands_before_the_damage_is_read(shard: Path) -> None:
    with tarfile.open(shard) as tar:
        start_of_third = tar.getmembers()[6].offset
    samples = iter_samples(rewritten(shard, shard.read_bytes()[: start_of_third + 700]))
    assert next(samples) == SAMPLES[0]
    with pytest.raises(ShardError, match="cut off"):
        next(samples)


def test_something_after_the_end_is_damage(shard: Path) -> None:
    content = shard.read_bytes() + bytes(2 << 20) + b"more"
    with pytest.raises(ShardError, match="neither a file nor the end"):
        list(iter_samples(rewritten(shard, content)))


def test_a_link_in_a_shard_is_damage(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        info = tarfile.TarInfo("a.jpg")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(info)
    with pytest.raises(ShardError, match="a.jpg is not a regular file"):
        list(iter_members(str(tmp_path / "link.tar")))


def test_an_empty_file_is_damage_and_a_missing_one_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").touch()
    with pytest.raises(ShardError):
        list(iter_samples(str(tmp_path / "empty.tar")))
    with pytest.raises(FileNotFoundError):
        list(iter_samples(str(tmp_path / "none.tar")))


def test_a_sample_that_stands_there_twice_in_a_row_is_yielded_twice(tmp_path: Path) -> None:
    path = str(tmp_path / "train-000000.tar")
    write_shard([SAMPLES[0], SAMPLES[0]], path, "train")
    assert [key for key, _ in iter_members(path)] == [SAMPLES[0].key] * 2


def test_shards_are_read_from_an_object_store() -> None:
    write_shard(SAMPLES, "memory://reader/train-000000.tar", "train")
    assert list(iter_samples("memory://reader/train-000000.tar")) == SAMPLES
