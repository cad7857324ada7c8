"""Ranges hold every key once, and packs lose nothing on their way."""

import hashlib
import secrets
from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from florenz.pipeline.packing import LayDown, PackByKey, pack, unpack
from florenz.pipeline.ranges import MAX_IMAGES, digits_for, overlap, range_of, ranges_of
from florenz.pipeline.workers.waiting_packs import laid_down, packs_folder, picked_up, remove_packs
from florenz.stores import files


@pytest.mark.parametrize(("images", "digits"), [(0, 1), (65_536, 1), (65_537, 2), (10**6, 2), (10**8, 4), (10**11, 7)])
def test_a_range_holds_no_more_than_a_worker_can(images: int, digits: int) -> None:
    assert digits_for(images) == digits and images <= MAX_IMAGES * 16**digits


def test_every_key_and_every_other_name_has_one_range() -> None:
    names = [hashlib.sha256(bytes([number])).hexdigest()[:32] for number in range(200)] + ["a/b.jpg", "", "z" * 32]
    assert ranges_of(2) == sorted(ranges_of(2)) and len(ranges_of(2)) == 256
    assert Counter(range_of(name, 2) in ranges_of(2) for name in names) == {True: len(names)}
    assert range_of("3f" + "0" * 30, 2) == "3f"


def test_ranges_overlap_where_one_begins_as_the_other() -> None:
    assert overlap("", "3f") and overlap("3f", "3") and overlap("3f", "3f") and not overlap("3f", "3a")


def test_packs_hold_their_rows_also_what_is_no_text() -> None:
    rows = [["a", 1, "\udce4"], ["b", 2, ""]]
    assert list(unpack([pack(rows[:1]), pack(rows[1:])])) == rows


@pytest.mark.parametrize("waits", [False, True])
def test_many_rows_of_few_keys_become_few_elements(tmp_path: Path, waits: bool) -> None:
    folder = packs_folder(str(tmp_path)) if waits else ""
    with TestPipeline() as pipeline:
        packed = (
            pipeline
            | beam.Create([(number % 3, number) for number in range(100)], reshuffle=False)
            | beam.ParDo(PackByKey(folder, max_rows=40))
            | beam.GroupByKey()
            | beam.MapTuple(lambda key, packs: (key, sorted(unpack(packs, folder))))
        )
        assert_that(packed, equal_to([(key, list(range(key, 100, 3))) for key in range(3)]))
    assert len(files.list_files(packs_folder(str(tmp_path)))) == (2 if waits else 0)


@pytest.mark.parametrize("waits", [False, True])
def test_packs_that_are_spread_wait_too(tmp_path: Path, held_by_beam: list[bytes], waits: bool) -> None:
    folder, packs = packs_folder(str(tmp_path)) if waits else "", [pack([secrets.token_hex(500)]) for _ in range(50)]
    held_before = len(held_by_beam)
    with TestPipeline() as pipeline:
        spread = (
            pipeline
            | beam.Create([packs], reshuffle=False)
            | beam.FlatMap(iter)
            | beam.ParDo(LayDown(folder, max_bytes=sum(map(len, packs[:20]))))
            | beam.Reshuffle()
            | beam.FlatMap(lambda one: unpack([one], folder))
        )
        assert_that(spread, equal_to(list(unpack(packs))))
    held = b"".join(held_by_beam[held_before:])
    assert len(files.list_files(packs_folder(str(tmp_path)))) == (2 if waits else 0)
    assert (packs[0] in held) == (not waits) and packs[-1] in held, "the last ones of a bundle travel themselves"


def test_what_says_where_a_pack_lies_is_short_whatever_the_pack(tmp_path: Path) -> None:
    folder = packs_folder(str(tmp_path))
    packs = [pack([secrets.token_hex(1000)]) for _ in range(100)]
    where = laid_down(packs, folder)
    assert [picked_up(one, folder) for one in where] == packs
    assert max(map(len, where)) < 32 and picked_up(packs[0], folder) == packs[0]
    remove_packs(str(tmp_path))
    assert not list(tmp_path.rglob("*.*")) and not files.list_files(str(tmp_path))
