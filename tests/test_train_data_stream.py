import hashlib
import itertools
import json
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shards_dataset import (
    BUILD,
    COVERED,
    caption,
    edit_members,
    edit_samples,
    make_sample,
    members_of,
    shard_file,
    translation,
    write_dataset,
)

from florenz.shards.manifest import count_examples, read_manifest, shard_path, write_manifest
from florenz.shards.reader import iter_samples
from florenz.shards.schema import Example
from florenz.shards.writer import write_shard
from florenz.train.data import micro_batches
from florenz.train.data.examples import examples_of
from florenz.train.data.interrupts import interrupts_later
from florenz.train.data.mix import Mix
from florenz.train.data.pictures import decode_picture
from florenz.train.data.stream import Stream, StreamError, TrainingExample

ROOT = Path(__file__).resolve().parents[1]
NUM_IMAGES = 40
IMAGE_PX = 16
SHARD = "train-000000.tar"


def collate(examples: list[TrainingExample]) -> dict[str, torch.Tensor]:
    """Everything about the examples in tensors, so that two batches are the same if and only if these are."""
    facts = [
        f"{one.key} {one.task} {one.language} {one.style} {one.source_text} {one.text}".encode().ljust(400)
        for one in examples
    ]
    batch = {"facts": torch.tensor([list(fact) for fact in facts], dtype=torch.uint8)}
    if examples[0].picture_CHW is not None:
        batch["pixel_values"] = torch.stack([one.picture_CHW for one in examples if one.picture_CHW is not None])
    return batch


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Read only."""
    out = str(tmp_path_factory.mktemp("out"))
    write_dataset(out, NUM_IMAGES)
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """To be damaged."""
    write_dataset(str(tmp_path / "out"))
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    assert not multiprocessing.active_children()


def make_stream(out: str | Path, **changes: Any) -> Stream:
    given = {"batch_size": 4, "seed": 0, "collate": collate, "image_px": IMAGE_PX, "bucket_batches": 2}
    return Stream(str(out), **{**given, **changes})


def take(source: Stream, number: int, first: int = 0) -> list[dict[str, torch.Tensor]]:
    batches = source.batches(first)
    taken = list(itertools.islice(batches, number))
    batches.close()
    return taken


def one_epoch(source: Stream, epoch: int = 0) -> list[dict[str, torch.Tensor]]:
    return take(source, source.batches_per_epoch, epoch * source.batches_per_epoch)


def facts_of(batches: list[dict[str, torch.Tensor]]) -> list[list[str]]:
    return [[bytes(row.tolist()).decode().strip() for row in batch["facts"]] for batch in batches]


def keys_of(batches: list[dict[str, torch.Tensor]]) -> list[str]:
    return [fact.split()[0] for facts in facts_of(batches) for fact in facts]


def are_same(some: list[dict[str, torch.Tensor]], others: list[dict[str, torch.Tensor]]) -> bool:
    return len(some) == len(others) and all(
        one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        for one, other in zip(some, others, strict=True)
    )


def train_keys(out: str | Path) -> list[str]:
    shards = read_manifest(str(out)).shards_of("train")
    return [sample.key for info in shards for sample in iter_samples(str(shard_file(Path(out), info.path)))]


def broken(content: bytes) -> bytes:
    return content[: len(content) // 2]


def break_member(out: Path, place: int, shard: str = SHARD) -> tuple[str, int]:
    """Cut the file at this place of the shard in half; its sample's key and its offset in the tar."""
    members = members_of(out, shard)
    name, content = members[place]
    members[place] = name, broken(content)
    edit_members(out, shard, members)
    with tarfile.open(shard_file(out, shard)) as tar:
        return name.partition(".")[0], tar.getmember(name).offset_data


# ---- order


def test_every_sample_comes_once_per_epoch_and_epochs_differ(dataset: str) -> None:
    source = make_stream(dataset)
    epochs = [keys_of(one_epoch(source, epoch)) for epoch in range(3)]
    assert source.num_samples == len(train_keys(dataset)) and source.batches_per_epoch == -(-source.num_samples // 4)
    for keys in epochs:
        assert sorted(keys) == sorted(train_keys(dataset))
    assert epochs[0] != epochs[1] != epochs[2]


def test_another_seed_gives_another_order_and_the_same_seed_the_same(dataset: str) -> None:
    assert are_same(one_epoch(make_stream(dataset)), one_epoch(make_stream(dataset)))
    assert keys_of(one_epoch(make_stream(dataset))) != keys_of(one_epoch(make_stream(dataset, seed=1)))


@given(
    st.integers(1, 5), st.integers(1, 9), st.integers(0, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 99)
)
@settings(max_examples=30, deadline=None)
def test_any_ranks_workers_and_resume_point_give_the_one_sequence(
    dataset: str, world_size: int, num_workers: int, first: int, batch_size: int, bucket_batches: int, seed: int
) -> None:
    changes: dict[str, Any] = {"batch_size": batch_size, "bucket_batches": bucket_batches, "seed": seed}
    changes["image_px"] = None
    number = 3 * world_size * num_workers
    expected = facts_of(take(make_stream(dataset, **changes), first + number))[first:]
    found: dict[int, list[str]] = {}
    for rank in range(world_size):
        for worker in range(num_workers):
            source = make_stream(dataset, rank=rank, world_size=world_size, **changes)
            with pytest.MonkeyPatch.context() as patched:
                here = SimpleNamespace(id=worker, num_workers=num_workers)
                patched.setattr(micro_batches, "get_worker_info", lambda here=here: here)
                for turn, batch in enumerate(facts_of(take(source, 3, first))):
                    found[(turn * num_workers + worker) * world_size + rank] = batch
    assert [found[place] for place in range(number)] == expected


@pytest.mark.parametrize("num_workers", [1, 2, 9])
def test_worker_processes_give_the_same_batches_in_the_same_order(dataset: str, num_workers: int) -> None:
    assert num_workers < 9 or len(read_manifest(dataset).shards_of("train")) < 9  # fewer shards than workers
    expected = take(make_stream(dataset), 20, first=3)
    assert are_same(take(make_stream(dataset, num_workers=num_workers), 20, first=3), expected)


def test_ranks_with_workers_share_the_sequence_out(dataset: str) -> None:
    expected = take(make_stream(dataset), 12, first=5)
    ranks = [take(make_stream(dataset, rank=rank, world_size=3, num_workers=2), 4, first=5) for rank in range(3)]
    assert are_same([batch for turn in zip(*ranks, strict=True) for batch in turn], expected)


def test_going_on_with_other_workers_and_ranks_goes_on_with_the_sequence(dataset: str) -> None:
    expected = take(make_stream(dataset), 16)
    begun = take(make_stream(dataset, num_workers=2), 7)
    rest = [take(make_stream(dataset, rank=rank, world_size=3), 3, first=7) for rank in range(3)]
    assert are_same(begun + [batch for turn in zip(*rest, strict=True) for batch in turn], expected)


def test_batches_are_full_save_in_the_last_window(dataset: str) -> None:
    source = make_stream(dataset, batch_size=5)
    sizes = Counter(len(facts) for facts in facts_of(one_epoch(source)))
    assert source.num_samples % 5 == 1
    assert sizes == {5: source.num_samples // 5, 1: 1}
    sizes = Counter(len(facts) for facts in facts_of(one_epoch(make_stream(dataset, batch_size=5, bucket_batches=4))))
    assert sizes == {5: 4, 4: 2, 3: 1}


def test_the_stream_can_be_sent_to_a_worker_that_is_not_a_fork(dataset: str) -> None:
    source = pickle.loads(pickle.dumps(make_stream(dataset)))
    assert are_same(one_epoch(source), one_epoch(make_stream(dataset)))


def test_shards_in_an_object_store_give_the_same_batches(dataset: str, tmp_path: Path) -> None:
    write_dataset("memory://stream/out", NUM_IMAGES)
    remote = make_stream("memory://stream/out", num_workers=2, cache_folder=str(tmp_path))
    assert are_same(take(remote, 10), take(make_stream(dataset), 10))


# ---- examples


def test_an_example_carries_what_the_shard_says(dataset: str) -> None:
    sample = next(iter_samples(str(shard_file(Path(dataset), SHARD))))
    stated = {
        f"{sample.key} {one.task} {one.language} {one.style} {one.source_text or ''} {one.text}" for one in COVERED
    }
    source = make_stream(dataset)
    batches = [batch for epoch in range(40) for batch in one_epoch(source, epoch)]
    found = {fact for facts in facts_of(batches) for fact in facts if fact.startswith(sample.key)}
    assert found == stated
    pictures = dict(zip(keys_of(batches), torch.cat([batch["pixel_values"] for batch in batches]), strict=True))
    assert torch.equal(pictures[sample.key], decode_picture(sample.jpeg, IMAGE_PX))


def test_the_mix_decides_which_examples_come(dataset: str) -> None:
    mix = Mix(weights={"caption/de": 3, "translation/fr": 1})
    source = make_stream(dataset, mix=mix, image_px=None)
    facts = [fact for epoch in range(40) for batch in facts_of(one_epoch(source, epoch)) for fact in batch]
    pairs = Counter(tuple(fact.split()[1:3]) for fact in facts)
    assert pairs.keys() == {("caption", "de"), ("translation", "fr")}
    assert pairs["caption", "de"] / len(facts) == pytest.approx(0.75, abs=0.04)


def test_without_pictures_no_picture_is_read(out: Path) -> None:
    break_member(out, 0)
    batches = one_epoch(make_stream(out, image_px=None))
    assert sorted(keys_of(batches)) == sorted(train_keys(out))
    assert all("pixel_values" not in batch for batch in batches)


def write_texts(out: Path, examples: list[tuple[Example, ...]]) -> None:
    """A dataset of one train shard, an image for each tuple."""
    samples = [make_sample(number, one) for number, one in enumerate(examples)]
    info = write_shard(samples, shard_path(str(out), BUILD, SHARD), "train")
    assert info is not None
    shards = (info, *(shard for shard in read_manifest(str(out)).shards if shard.split != "train"))
    write_manifest(str(out), replace(read_manifest(str(out)), shards=shards, counts=count_examples(shards)))


def test_batches_hold_texts_of_like_length_in_an_order_that_is_not_by_length(out: Path) -> None:
    lengths = [1 + int(hashlib.sha256(str(number).encode()).hexdigest(), 16) % 200 for number in range(128)]
    write_texts(out, [(caption("en", "x" * length),) for length in lengths])

    def text_lengths(bucket_batches: int) -> list[list[int]]:
        source = make_stream(out, batch_size=8, image_px=None, bucket_batches=bucket_batches)
        return [[len(fact.split()[4]) for fact in facts] for facts in facts_of(one_epoch(source))]

    def padded_share(batches: list[list[int]]) -> float:
        return 1 - sum(map(sum, batches)) / sum(8 * max(batch) for batch in batches)

    unsorted, bucketed = text_lengths(1), text_lengths(16)
    assert padded_share(unsorted) > 0.3 and padded_share(bucketed) < 0.06
    assert sorted(sum(bucketed, [])) == sorted(lengths)
    longest = [max(batch) for batch in bucketed]
    assert longest != sorted(longest)


def test_of_texts_of_one_length_those_with_sources_of_like_length_come_together(out: Path) -> None:
    sources = ["x" * (1 + 7 * number % 40) for number in range(40)]
    write_texts(out, [(translation("de", "text", source),) for source in sources])
    source = make_stream(out, batch_size=8, image_px=None, bucket_batches=5)
    for facts in facts_of(one_epoch(source)):
        lengths = [len(fact.split()[4]) for fact in facts]
        assert max(lengths) - min(lengths) == 7


def test_images_without_any_example_of_the_mix_are_passed_over_and_no_batch_is_lost(out: Path) -> None:
    both, one = (caption("en", "A car."), caption("de", "Ein Auto.")), (caption("en", "A car."),)
    write_texts(out, [one if number % 4 == 0 else both for number in range(40)])
    source = make_stream(out, mix=Mix(weights={"caption/de": 1}), bucket_batches=5)
    batches = one_epoch(source)
    assert len(batches) == source.batches_per_epoch == 10
    assert Counter(keys_of(batches)) == Counter(key for n, key in enumerate(train_keys(out)) if n % 4)
    assert {len(facts) for facts in facts_of(batches)} <= {2, 3, 4}
    assert (source.passed_over, source.skipped) == (10, 0)
    again = make_stream(out, mix=Mix(weights={"caption/de": 1}), bucket_batches=5, num_workers=2)
    assert are_same(one_epoch(again), batches) and again.passed_over == 10


def test_too_few_images_with_the_pair_are_an_error_and_not_an_empty_batch(out: Path) -> None:
    write_texts(out, [(caption("en", "A car."),)] * 39 + [(caption("de", "Ein Auto."),)])
    with pytest.raises(StreamError, match=r"only 1 of 40 images .* example of caption/de, too few for 10 batches: add"):
        one_epoch(make_stream(out, mix=Mix(weights={"caption/de": 1}), bucket_batches=10))


# ---- what can't be read


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_broken_picture_stops_with_shard_offset_and_key(out: Path, num_workers: int) -> None:
    key, offset = break_member(out, 3)
    with pytest.raises(StreamError) as problem:
        one_epoch(make_stream(out, num_workers=num_workers))
    shard = shard_path(str(out), BUILD, SHARD)
    assert str(problem.value).startswith(f"{shard} at byte {offset}: sample {key}: not a readable image: ")
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_sample_that_breaks_the_schema_stops_with_shard_offset_and_key(out: Path, num_workers: int) -> None:
    key, offset = break_member(out, 4)
    with pytest.raises(StreamError, match=rf"{SHARD} at byte {offset}: sample {key} breaks the schema: .*not JSON"):
        one_epoch(make_stream(out, num_workers=num_workers))


@pytest.mark.parametrize("num_workers", [0, 3])
def test_allowed_skips_are_counted_named_and_cost_themselves_only(
    out: Path, num_workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = one_epoch(make_stream(out))
    bad = {break_member(out, 0)[0], break_member(out, 13)[0], break_member(out, 1, "train-000001.tar")[0]}
    source = make_stream(out, max_skips=3, num_workers=num_workers)
    with caplog.at_level(logging.WARNING, "florenz.train.data.stream"):
        batches = one_epoch(source)
    assert sorted(keys_of(batches)) == sorted(set(keys_of(whole)) - bad)
    assert source.skipped == 3 and len(batches) == len(whole)
    assert all(sum(key in line for line in caplog.messages) == 1 for key in bad)
    with pytest.raises(StreamError, match=r"\(3 skips are allowed\)"):
        one_epoch(source, 1)


def test_one_skip_more_than_allowed_stops(out: Path) -> None:
    break_member(out, 0)
    break_member(out, 6)
    source = make_stream(out, max_skips=1)
    with pytest.raises(StreamError, match=r"at byte \d+: sample .* \(1 skips are allowed\)"):
        one_epoch(source)
    assert source.skipped == 2


def test_a_batch_of_nothing_but_broken_samples_stops(out: Path) -> None:
    break_member(out, 0)
    with pytest.raises(StreamError, match="a whole batch cannot be read: .*not a readable image"):
        one_epoch(make_stream(out, batch_size=1, max_skips=5))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_damaged_shard_stops_whatever_is_allowed(out: Path, num_workers: int) -> None:
    path = shard_file(out, SHARD)
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    with pytest.raises(StreamError, match=rf"{SHARD} is damaged at byte 0: .*run make verify to see") as problem:
        one_epoch(make_stream(out, max_skips=100, num_workers=num_workers))
    assert "\n" not in str(problem.value)


def test_an_error_in_collate_keeps_its_traceback(dataset: str) -> None:
    with pytest.raises(KeyError, match="no such thing"):
        take(make_stream(dataset, collate=failing_collate, num_workers=1), 1)


def failing_collate(examples: list[TrainingExample]) -> dict[str, torch.Tensor]:
    raise KeyError("no such thing")


# ---- what the manifest tells


@pytest.mark.parametrize("read", [make_stream, lambda out: examples_of(str(out), "train", IMAGE_PX)])
def test_without_a_manifest_of_this_schema_nothing_starts(out: Path, read: Any) -> None:
    record = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**record, "schema_version": 99}))
    with pytest.raises(ValueError, match="has schema version 99, this program reads 1 and 2: use the program"):
        read(out)
    (out / "manifest.json").unlink()
    with pytest.raises(ValueError, match="manifest.json does not exist: give the OUT folder of a run"):
        read(out)


def test_a_split_that_is_unknown_or_empty_is_refused(out: Path) -> None:
    with pytest.raises(ValueError, match="there is no split 'test': choose one of train, choose, val, heldout"):
        make_stream(out, split="test")
    manifest = read_manifest(str(out))
    shards = tuple(shard for shard in manifest.shards if shard.split == "train")
    write_manifest(str(out), replace(manifest, shards=shards))
    for read in (lambda: make_stream(out, split="val"), lambda: examples_of(str(out), "val", IMAGE_PX)):
        with pytest.raises(ValueError, match="has no samples in val, it has train"):
            read()


def test_a_pair_that_the_dataset_lacks_is_refused_before_anything_is_read(dataset: str) -> None:
    with pytest.raises(ValueError, match="train has no example of caption/fr: its captioning is held out"):
        make_stream(dataset, mix=Mix(weights={"caption/fr": 1}))


def test_a_manifest_that_does_not_match_its_shards_is_an_error(out: Path) -> None:
    edit_samples(out, SHARD, lambda samples: samples[:-1])
    manifest = read_manifest(str(out))
    shards = tuple(replace(info, samples=5) if info.path == SHARD else info for info in manifest.shards)
    write_manifest(str(out), replace(manifest, shards=shards))
    with pytest.raises(StreamError, match="the manifest does not match its shards: .* has 4 samples, not 5"):
        one_epoch(make_stream(out))


# ---- evaluation


def test_evaluation_sees_every_example_of_every_image_in_the_order_of_the_shards(dataset: str) -> None:
    for split in ("val", "heldout"):
        shards = read_manifest(dataset).shards_of(split)
        samples = [sample for info in shards for sample in iter_samples(str(shard_file(Path(dataset), info.path)))]
        found = list(examples_of(dataset, split, IMAGE_PX))
        assert [(one.key, one.task, one.language, one.style, one.source_text, one.text) for one in found] == [
            (sample.key, one.task, one.language, one.style, one.source_text or "", one.text)
            for sample in samples
            for one in sample.examples
        ]
        expected = {sample.key: decode_picture(sample.jpeg, IMAGE_PX) for sample in samples}
        assert all(one.picture_CHW is not None and torch.equal(one.picture_CHW, expected[one.key]) for one in found)


def test_evaluation_decodes_a_picture_once(dataset: str) -> None:
    found = list(examples_of(dataset, "val", IMAGE_PX))
    assert len({id(one.picture_CHW) for one in found}) == len({one.key for one in found}) < len(found)
    assert all(one.picture_CHW is None for one in examples_of(dataset, "val", None))


def test_evaluation_stops_at_a_broken_picture_with_its_place(out: Path) -> None:
    key, offset = break_member(out, 0, "val-000000.tar")
    with pytest.raises(StreamError, match=rf"val-000000.tar at byte {offset}: sample {key}: not a readable image"):
        list(examples_of(str(out), "val", IMAGE_PX))


# ---- processes


def test_workers_end_when_the_iterator_is_dropped(dataset: str) -> None:
    batches = make_stream(dataset, num_workers=2).batches()
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    del batches
    assert not multiprocessing.active_children()


def test_workers_leave_ctrl_c_to_the_trainer(dataset: str) -> None:
    batches = make_stream(dataset, num_workers=2).batches()
    next(batches)
    for worker in multiprocessing.active_children():
        status = Path(f"/proc/{worker.pid}/status").read_text()
        blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
        assert blocked >> (signal.SIGINT - 1) & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_ctrl_c_waits_for_the_batch_and_a_second_one_does_not() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_later():
        signal.raise_signal(signal.SIGINT)
        done.append("first")
    with pytest.raises(KeyboardInterrupt), interrupts_later():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("second")
    assert done == ["first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_starting_workers_leaves_the_environment_as_it_was(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for before in ("true", None):
        monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
        if before:
            monkeypatch.setenv("TOKENIZERS_PARALLELISM", before)
        take(make_stream(dataset, num_workers=1), 1)
        assert os.environ.get("TOKENIZERS_PARALLELISM") == before


def test_a_stream_that_is_not_read_any_more_holds_no_file_open(dataset: str) -> None:
    source = make_stream(dataset)
    take(source, 2)
    num_open = len(os.listdir("/proc/self/fd"))
    batches = source.batches()
    next(batches)
    assert len(os.listdir("/proc/self/fd")) > num_open
    batches.close()
    assert len(os.listdir("/proc/self/fd")) == num_open


def test_planned_windows_are_dropped_after_their_turn(dataset: str) -> None:
    source = make_stream(dataset, image_px=None)
    for epoch in range(3):
        one_epoch(source, epoch)
    assert 0 < len(source._sources[0].windows._planned) <= source._sources[0].order.num_lanes


SCRIPT = """
import sys
from test_train_data_stream import make_stream
batches = make_stream(sys.argv[1], num_workers=2).batches()
for number, _ in enumerate(batches):
    if number == 3:
        print("running", flush=True)
        if sys.argv[2] == "leave":
            break
"""


def start_script(dataset: str, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), dataset, what],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def group_is_gone(process: subprocess.Popen[str]) -> bool:
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_they_print_nothing(dataset: str) -> None:
    process = start_script(dataset, "go on")
    assert process.stdout is not None and process.stdout.readline() == "running\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the trainer and to its workers
    _, errors = process.communicate(timeout=600)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    assert group_is_gone(process)


@pytest.mark.slow
def test_a_trainer_that_leaves_early_exits_cleanly(dataset: str) -> None:
    process = start_script(dataset, "leave")
    _, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (0, "")
    assert group_is_gone(process)


def test_only_the_first_images_are_used(dataset: str) -> None:
    keys = {max_images: set(keys_of(one_epoch(make_stream(dataset, max_images=max_images)))) for max_images in (3, 12)}
    assert {number: len(found) for number, found in keys.items()} == {3: 3, 12: 12} and keys[3] < keys[12]
    assert make_stream(dataset, max_images=12).batches_per_epoch == 3
    everything = make_stream(dataset)
    more = make_stream(dataset, max_images=10**6)
    assert more.num_samples == everything.num_samples and are_same(one_epoch(more), one_epoch(everything))


def test_a_batch_names_its_pictures_alike_in_every_process(dataset: str) -> None:
    named = make_stream(dataset, name_pictures=True)
    names = dict(named.pictures())
    assert len(names) == named.num_samples
    batches = one_epoch(named)
    assert are_same(batches, one_epoch(make_stream(dataset, name_pictures=True, num_workers=2)))
    for batch in batches:
        for name, picture_CHW in zip(batch["picture_ids"].tolist(), batch["pixel_values"], strict=True):
            assert torch.equal(names[name], picture_CHW)
    assert "picture_ids" not in one_epoch(make_stream(dataset))[0]
    assert "picture_ids" not in one_epoch(make_stream(dataset, image_px=None, name_pictures=True))[0]


def test_shuffled_pictures_are_always_the_same_wrong_ones(dataset: str) -> None:
    plain, shuffled = (
        make_stream(dataset, name_pictures=True),
        make_stream(dataset, name_pictures=True, shuffle_pictures=True),
    )

    def picture_of_texts(source: Stream, epoch: int) -> dict[str, int]:
        batches = one_epoch(source, epoch)
        return {
            key: name
            for facts, batch in zip(facts_of(batches), batches, strict=True)
            for key, name in zip((fact.split()[0] for fact in facts), batch["picture_ids"].tolist(), strict=True)
        }

    own, others = picture_of_texts(plain, 0), picture_of_texts(shuffled, 0)
    assert sorted(own.values()) == sorted(others.values())  # each picture is shown once in an epoch
    assert own.keys() == others.keys() and all(own[key] != others[key] for key in own)
    assert others == picture_of_texts(shuffled, 1)


def test_source_texts_lose_words_and_nothing_else_does(dataset: str) -> None:
    """In every language, and the same words with any number of workers."""
    lossy = Mix(source_dropout=0.4)
    changed = set()
    for epoch in range(4):
        before, after = (
            {
                fact.split()[0]: fact.split()
                for facts in facts_of(one_epoch(make_stream(dataset, mix=mix), epoch))
                for fact in facts
            }
            for mix in (Mix(), lossy)
        )
        assert before.keys() == after.keys()
        for key, words in before.items():
            assert [one for one in after[key] if one != "the"] == [
                one for one, left in zip(words, after[key], strict=True) if left != "the"
            ]
            changed |= {tuple(words[1:3])} if words != after[key] else set()
    assert changed == {("translation", language) for language in ("de", "fr")}
    assert facts_of(one_epoch(make_stream(dataset, mix=lossy, num_workers=2))) == facts_of(
        one_epoch(make_stream(dataset, mix=lossy))
    )


def test_texts_of_other_styles_are_left_out_and_copies_come_in(dataset: str) -> None:
    english = [fact for fact in facts_of(take(make_stream(dataset, mix=Mix(copy_english=True)), 40))]
    assert any(" translation en " in fact for facts in english for fact in facts)
    with pytest.raises(ValueError, match="no examples in the style detailed"):
        make_stream(dataset, mix=Mix(styles=("detailed",)))
