"""Damage at rest: a bit flipped anywhere in what a run has written is found, named, and mended by the next run."""

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pipeline_examples import (
    answers_for,
    assemble,
    bytes_of,
    makers_for,
    name_of,
    published_pictures,
)

from florenz.pipeline.assemble.build import assembly_of, damage_of, is_assembled, publish, read_summary
from florenz.pipeline.assemble.graph import rejects_path, summary_path
from florenz.pipeline.index import build_index
from florenz.pipeline.listing import listing_of
from florenz.pipeline.recipe import Recipe
from florenz.shards.manifest import ManifestError, read_manifest
from florenz.shards.verify import main as verify_main
from florenz.stores.seals import BrokenSeal, check_seal, sealed, sha256s_of
from florenz.train.checkpoint import Position, newest_checkpoint, save_checkpoint
from florenz.train.data.stream import Batch, Stream, StreamError, TrainingExample

NUM_PICTURES = 12
POINTS = 24  # places at which a file is damaged: its regions, evenly, and its ends


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(bytes(content))


def points(path: Path) -> list[tuple[int, int]]:
    """(offset, bit) all over the file."""
    size, rng = path.stat().st_size, random.Random(path.name)
    places = {0, size - 1, *(size * number // POINTS for number in range(POINTS))}
    return [(at, rng.randrange(8)) for at in sorted(places)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return published_pictures(tmp_path_factory.mktemp("rest"), NUM_PICTURES)


@pytest.fixture
def out(made: Recipe) -> Path:
    """OUT as it was written; whatever a test does to it is undone."""
    folder = Path(made.out)
    copy = folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    yield folder
    shutil.rmtree(folder)
    copy.rename(folder)


def said_by_verify(out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    code = verify_main([str(out)])
    captured = capsys.readouterr()
    assert code in (1, 2), "the damage was not found"
    return captured.out + captured.err


def stream_to_its_end(out: Path) -> None:
    def collate(examples: list[TrainingExample]) -> Batch:
        return {"n": torch.tensor(len(examples))}

    stream = Stream(str(out), batch_size=2, seed=0, collate=collate, image_px=8)
    batches = stream.batches()
    for _ in range(stream.batches_per_epoch):
        next(batches)
    batches.close()


def test_all_is_well_before(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_main([str(out)]) == 0
    stream_to_its_end(out)


def test_a_shard_damaged_anywhere_is_found_by_verify_and_stream_and_written_again(
    made: Recipe, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest(str(out))
    shard = next(one for one in manifest.shards if one.split == "train")
    path = out / "shards" / manifest.build / shard.path
    whole = path.read_bytes()
    for at, bit in points(path):
        flip(path, at, bit)
        said = said_by_verify(out, capsys)
        assert shard.path in said and "make dataset with the same OUT" in said
        with pytest.raises(StreamError, match=r"make verify .* make dataset with the same OUT") as caught:
            stream_to_its_end(out)
        assert str(path) in str(caught.value)
        assert damage_of(str(out), manifest.build) == [f"{path} is damaged or gone"]
        path.write_bytes(whole)
    flip(path, len(whole) // 2)
    before = {**bytes_of(out), str(path.relative_to(out)): whole}
    assert assemble(made)[0] == manifest.build
    assert bytes_of(out) == before and damage_of(str(out), manifest.build) == []


def test_of_several_files_each_that_is_damaged_or_gone_is_named_and_no_other(out: Path) -> None:
    """They are hashed several at once."""
    manifest = read_manifest(str(out))
    shards = [out / "shards" / manifest.build / one.path for one in manifest.shards if one.split != "heldout"]
    rejects = Path(rejects_path(str(out), manifest.build))
    assert len(shards) >= 2
    flip(shards[0], 600)
    assert damage_of(str(out), manifest.build) == [f"{shards[0]} is damaged or gone"]
    rejects.unlink()
    assert damage_of(str(out), manifest.build) == [f"{path} is damaged or gone" for path in (shards[0], rejects)]
    shards[1].unlink()
    assert damage_of(str(out), manifest.build) == [f"{path} is damaged or gone" for path in (*shards[:2], rejects)]


def test_many_files_are_hashed_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(40)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * (1 << (20 if number % 7 == 0 else 3)))  # large ones take longer
    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    paths[5].unlink()
    assert list(sha256s_of(map(str, paths))) == [*expected[:5], None, *expected[6:]]


def test_a_manifest_damaged_anywhere_is_refused_by_all_readers_and_published_anew(
    made: Recipe, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = out / "manifest.json"
    whole, build = path.read_bytes(), read_manifest(str(out)).build
    for at, bit in [*points(path), *((at, 1) for at in range(0, len(whole), 97))]:
        flip(path, at, bit)
        if path.read_bytes().split() == whole.split():
            continue  # another white space
        with pytest.raises(ManifestError, match=r"manifest.json.*make dataset with the same OUT"):
            read_manifest(str(out))
        path.write_bytes(whole)
    flip(path, len(whole) // 2)
    assert "manifest.json" in said_by_verify(out, capsys)
    with pytest.raises(ManifestError):
        stream_to_its_end(out)
    index = build_index(made, listing_of(made), None)
    publish(made, build, read_summary(made.out, build), index, {})
    assert path.read_bytes() == whole


def test_a_ledger_part_damaged_anywhere_is_named_and_its_answers_are_missing_not_wrong(
    made: Recipe, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path, *_) = sorted((out / "ledger" / "translations").rglob("part-*.parquet"))
    whole = path.read_bytes()
    for at, bit in points(path):
        flip(path, at, bit)
        assert path.name in said_by_verify(out, capsys)
        answers = answers_for(made)
        answers.translations(path.parts[-3])
        (line,) = answers._ledger.damaged
        assert path.name in line and "its answers are asked again" in line and not path.exists()
        path.write_bytes(whole)


@pytest.mark.parametrize("name", [rejects_path, summary_path])
def test_rejects_and_summary_damaged_anywhere_are_found_and_written_again(
    made: Recipe, out: Path, capsys: pytest.CaptureFixture[str], name: Callable[[str, str], str]
) -> None:
    build = read_manifest(str(out)).build
    path = Path(name(str(out), build))
    whole = path.read_bytes()
    for at, bit in points(path):
        flip(path, at, bit)
        (line,) = damage_of(str(out), build)
        assert str(path) in line
        if name is rejects_path:
            assert path.name in said_by_verify(out, capsys)
        else:
            assert not is_assembled(str(out), build)
        path.write_bytes(whole)
    flip(path, len(whole) // 2)
    assert assemble(made)[0] == build == name_of(made, build_index(made, listing_of(made), None))
    assert path.read_bytes() == whole and assembly_of(made, makers_for(made)).out == made.out


def test_a_checkpoint_damaged_anywhere_is_named_and_passed_over(tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(
            str(tmp_path), position=Position(step=step, stage_step=step, micro_batch=step), identity={"size": "s"},
            weights={"w": torch.arange(50.0)}, optimizer_state={"m": torch.ones(50)}, keep=2,
        )  # fmt: skip
    folder = tmp_path / "checkpoints" / "step-00000002"
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for at, bit in points(path):
            flip(path, at, bit)
            warnings: list[str] = []
            found = newest_checkpoint(str(tmp_path), warnings.append)
            assert found is not None and found.position.step == 1, (path.name, at, bit)
            assert str(folder) in warnings[0] and "make train goes on from there" in warnings[0]
            path.write_bytes(whole)
    found = newest_checkpoint(str(tmp_path), warnings.append)
    assert found is not None and found.position.step == 2


def test_a_record_of_before_there_were_seals_passes_and_a_wrong_one_does_not() -> None:
    check_seal({"a": 1})
    check_seal(sealed({"a": 1, "b": [{"c": "ü"}]}))
    with pytest.raises(BrokenSeal):
        check_seal({**sealed({"a": 1}), "a": 2})
