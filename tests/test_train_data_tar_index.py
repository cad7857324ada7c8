import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards_dataset import edit_listing, edit_members, make_sample, members_of, shard_file, write_dataset

from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.tar import ShardError
from florenz.shards.writer import write_shard
from florenz.train.data import tar_index
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError, TarIndex, index_tar

SAMPLES = [make_sample(number) for number in range(4)]


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "train-000000.tar"
    write_shard(SAMPLES, str(path), "train")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_dataset(str(tmp_path / "out"))
    return tmp_path / "out"


def indexed(content: bytes, folder: Path) -> TarIndex:
    path = folder / "any.tar"
    path.write_bytes(content)
    with open(path, "rb") as file:
        return index_tar(str(path), file.fileno())


def files_of(out: str | Path, split: str = "train", cache: ShardCache | None = None) -> ShardFiles:
    return ShardFiles(str(out), read_manifest(str(out)), split, cache or ShardCache())


def everything(files: ShardFiles, sizes: list[int]) -> list[tuple[str, bytes, bytes]]:
    places = [(shard, index) for shard, size in enumerate(sizes) for index in range(size)]
    return [(files.key(*place), files.read(*place, "jpg"), files.read(*place, "json")) for place in places]


def test_every_file_of_every_sample_lies_where_tarfile_finds_it(shard: Path) -> None:
    tar = indexed(shard.read_bytes(), shard.parent)
    with tarfile.open(shard) as expected:
        spans = {info.name: (info.offset_data, info.size) for info in expected}
    assert tar.keys == tuple(sample.key for sample in SAMPLES)
    for index, key in enumerate(tar.keys):
        assert [tar.span(index, name) for name in ("jpg", "json")] == [
            spans[f"{key}.{name}"] for name in ("jpg", "json")
        ]


def test_a_sample_that_stands_there_twice_in_a_row_is_two_samples(tmp_path: Path) -> None:
    write_shard([SAMPLES[0], SAMPLES[0]], str(tmp_path / "twice.tar"), "train")
    assert indexed((tmp_path / "twice.tar").read_bytes(), tmp_path).keys == (SAMPLES[0].key,) * 2


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_shard_that_was_cut_off_anywhere_is_never_taken_for_a_shorter_one(shard: Path, data: st.DataObject) -> None:
    content = shard.read_bytes()
    end = len(content.rstrip(b"\0")) + 511
    length = data.draw(st.integers(0, end // 512 * 512 + 1023))  # one byte less than with its end mark
    with pytest.raises(ShardError):
        indexed(content[:length], shard.parent)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_give_a_named_error_or_all_samples(shard: Path, data: st.DataObject) -> None:
    content = bytearray(shard.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=600))
        content[start : start + len(patch)] = patch[: len(content) - start]
    try:
        tar = indexed(bytes(content), shard.parent)
    except ShardError:
        return
    assert len(tar.keys) == len(SAMPLES)


def test_one_flipped_bit_in_a_header_is_damage_at_that_header(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    with tarfile.open(shard) as tar:
        offset = tar.getmembers()[3].offset
    content[offset + 3] ^= 1
    with pytest.raises(ShardError, match=f"damaged at byte {offset}: .* checksum is wrong"):
        indexed(bytes(content), shard.parent)


def test_something_after_the_end_is_damage(shard: Path) -> None:
    with pytest.raises(ShardError, match="neither a file nor the end"):
        indexed(shard.read_bytes() + bytes(2 << 20) + b"more", shard.parent)


def test_a_link_in_a_shard_is_damage(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("a.jpg")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(info)
    with pytest.raises(ShardError, match="a.jpg is not a regular file"):
        indexed(buffer.getvalue(), tmp_path)


@pytest.mark.parametrize("place", [0, 1, 4, 12, 13])
def test_a_sample_without_its_image_or_json_is_named_with_its_offset(out: Path, place: int) -> None:
    members = members_of(out, "train-000000.tar")
    (name, _), key = members.pop(place), members[place][0].partition(".")[0]
    edit_members(out, "train-000000.tar", members)
    with pytest.raises(StreamError, match=rf"train-000000.tar is damaged at byte \d+: sample {key} has no {name}"):
        files_of(out).key(0, 0)


def test_all_samples_of_a_split_are_read(out: Path) -> None:
    numbers = read_manifest(str(out)).shards_of("train")
    assert [info.samples for info in numbers] == [5, 4]
    expected = [
        (jpg[0].partition(".")[0], jpg[1], record[1])
        for info in numbers
        for jpg, record, _ in zip(*[iter(members_of(out, info.path))] * 3, strict=True)
    ]
    assert everything(files_of(out), [5, 4]) == expected


def test_a_manifest_with_another_number_of_samples_does_not_match(out: Path) -> None:
    edit_listing(out, "train-000001.tar", lambda info: replace(info, samples=9))
    files = files_of(out)
    assert files.key(0, 0)
    with pytest.raises(
        StreamError, match="manifest does not match its shards: .*train-000001.tar has 4 samples, not 9"
    ):
        files.key(1, 0)


def test_a_manifest_with_another_size_does_not_match(out: Path) -> None:
    edit_listing(out, "train-000001.tar", lambda info: replace(info, bytes=512))
    with pytest.raises(StreamError, match=r"manifest does not match its shards: .* bytes, not 512: run make verify"):
        files_of(out).key(1, 0)


def test_a_shard_that_is_gone_is_named(out: Path) -> None:
    shard_file(out, "train-000001.tar").unlink()
    with pytest.raises(StreamError, match="train-000001.tar is listed in the manifest but not there"):
        files_of(out).read(1, 0, "jpg")


def test_a_folder_may_be_given_as_a_file_url(out: Path) -> None:
    assert everything(files_of(f"file://{out}"), [5, 4]) == everything(files_of(out), [5, 4])


def test_no_more_shards_stay_open_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_index, "MAX_OPEN_SHARDS", 2)
    sizes = [info.samples for info in write_dataset(str(tmp_path), 40).shards_of("train")]
    files = files_of(tmp_path)
    num_open = len(os.listdir("/proc/self/fd"))
    once = everything(files, sizes)
    assert len(sizes) > 4 and len(os.listdir("/proc/self/fd")) == num_open + 2
    assert everything(files, sizes) == once
    files.close()
    assert len(os.listdir("/proc/self/fd")) == num_open


@pytest.fixture
def remote() -> str:
    write_dataset("memory://tar-index/out")
    return "memory://tar-index/out"


def test_remote_shards_read_like_local_ones(out: Path, remote: str, tmp_path: Path) -> None:
    files = files_of(remote, cache=ShardCache(folder=str(tmp_path / "cache")))
    assert everything(files, [5, 4]) == everything(files_of(out), [5, 4])


def test_a_remote_shard_is_fetched_once(remote: str, tmp_path: Path) -> None:
    cache = ShardCache(folder=str(tmp_path / "cache"))
    files_of(remote, cache=cache).key(0, 0)
    fsspec.filesystem("memory").rm(shard_path("/tar-index/out", "0123456789abcdef", "train-000000.tar"))
    assert files_of(remote, cache=cache).read(0, 0, "jpg")
    with pytest.raises(StreamError, match="train-000000.tar is listed in the manifest but not there"):
        files_of(remote, cache=ShardCache(folder=str(tmp_path / "other"))).key(0, 0)


def test_a_remote_shard_with_other_bytes_is_refused_and_not_kept(remote: str, tmp_path: Path) -> None:
    path = shard_path("/tar-index/out", "0123456789abcdef", "train-000000.tar")
    store = fsspec.filesystem("memory")
    store.pipe(path, store.cat(path)[:-1] + b"x")
    with pytest.raises(StreamError, match="train-000000.tar: SHA-256 is .*, the manifest says"):
        files_of(remote, cache=ShardCache(folder=str(tmp_path / "cache"))).key(0, 0)
    assert os.listdir(tmp_path / "cache") == ["lock"]


def test_the_cache_keeps_below_its_size_and_what_is_open_stays_readable(remote: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    infos = read_manifest(remote).shards_of("train")
    files = files_of(remote, cache=ShardCache(folder=str(folder), max_bytes=infos[0].bytes + 1))
    first = files.read(0, 0, "jpg")
    assert files.read(1, 0, "jpg")
    assert sorted(os.listdir(folder)) == sorted(["lock", f"{infos[1].sha256}.tar"])
    assert files.read(0, 0, "jpg") == first


def test_the_shard_that_was_opened_longest_ago_makes_room(tmp_path: Path) -> None:
    infos = write_dataset("memory://room/out", 40).shards_of("train")
    folder, largest = tmp_path / "cache", max(info.bytes for info in infos)

    def open_shard(number: int) -> None:
        cache = ShardCache(folder=str(folder), max_bytes=2 * largest)
        files_of("memory://room/out", cache=cache).key(number, 0)

    for age, number in enumerate((0, 1)):
        open_shard(number)
        os.utime(folder / f"{infos[number].sha256}.tar", (age, age))
    open_shard(0)  # the older one is now the newer one
    open_shard(2)
    kept = {name.removesuffix(".tar") for name in os.listdir(folder)} - {"lock"}
    assert kept == {infos[0].sha256, infos[2].sha256}


def test_without_a_folder_copies_go_to_one_of_the_users_own(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files_of(remote).key(0, 0)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700 and len(list(folder.glob("*.tar"))) == 1
