"""A training reads shards of an object store as it reads those of a disk, and they are fetched before their turn."""

from pathlib import Path

import pytest
import torch
from shards_dataset import write_dataset

from benchmarks.stand_in_stores import StandInStore
from florenz.shards.manifest import read_manifest
from florenz.train.data.read_ahead import ReadAhead, fetch, order_of
from florenz.train.data.stream import Stream, TrainingExample
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError


def collate(examples: list[TrainingExample]) -> dict[str, torch.Tensor]:
    return {"keys": torch.tensor([int(example.key, 16) % 2**31 for example in examples])}


def stream(out: str, cache: Path, num_workers: int) -> Stream:
    return Stream(
        out,
        batch_size=2,
        seed=1,
        collate=collate,
        image_px=None,
        num_workers=num_workers,
        cache_folder=str(cache),
    )


def first_batches(one: Stream, count: int) -> list[list[int]]:
    batches = one.batches()
    try:
        return [next(batches)["keys"].tolist() for _ in range(count)]
    finally:
        batches.close()


@pytest.fixture
def url(s3_store: StandInStore, tmp_path: Path) -> str:
    write_dataset(f"{s3_store.bucket}/{tmp_path.name}")
    write_dataset(str(tmp_path / "data"))
    return f"{s3_store.bucket}/{tmp_path.name}"


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_batches_are_those_of_the_same_dataset_on_a_disk(url: str, tmp_path: Path, num_workers: int) -> None:
    here = first_batches(stream(str(tmp_path / "data"), tmp_path / "unused", 0), 6)
    assert first_batches(stream(url, tmp_path / "cache", num_workers), 6) == here
    train = [shard.sha256 for shard in read_manifest(url).shards_of("train")]
    assert {path.stem for path in (tmp_path / "cache").glob("*.tar")} <= set(train)


def test_shards_that_come_later_are_fetched_before_they_are_asked_for(url: str, tmp_path: Path) -> None:
    one = stream(url, tmp_path / "cache", 0)
    ahead = ReadAhead(one._sources[0].reading.files, one._sources[0].order, first=0, step=1, num_prefetched=0)
    with ahead:
        ahead.look(0)
        assert ahead._process and ahead._process.stdin
        ahead._process.stdin.close()
        assert ahead._process.wait(timeout=300) == 0
        ahead._process.stdin = None
    wanted = {shard.sha256 for shard in read_manifest(url).shards_of("train")}
    assert {path.stem for path in (tmp_path / "cache").glob("*.tar")} == wanted


def test_a_local_dataset_starts_no_process(tmp_path: Path) -> None:
    write_dataset(str(tmp_path / "data"))
    one = stream(str(tmp_path / "data"), tmp_path / "cache", 0)
    with ReadAhead(one._sources[0].reading.files, one._sources[0].order, first=0, step=1, num_prefetched=0) as ahead:
        ahead.look(0)
        assert ahead._process is None


def test_a_shard_with_other_bytes_than_the_manifest_says_is_told_by_name(
    url: str, s3_store: StandInStore, tmp_path: Path
) -> None:
    manifest = read_manifest(url)
    files = ShardFiles(url, manifest, "train", ShardCache(folder=str(tmp_path / "cache")))
    path, shard, cache = files.remote_shard(0)
    from object_stores import way_into

    content = way_into(s3_store).get(path)
    assert content is not None
    way_into(s3_store).put(path, content[:-1] + b"x")
    assert "SHA-256 is" in fetch(order_of(path, shard, cache))
    with pytest.raises(StreamError, match="SHA-256 is"):
        files.key(0, 0)
