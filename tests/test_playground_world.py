"""A world on disk: complete or drawn again, never half of one and half of another."""

import hashlib
import io
import os
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
from PIL import Image

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.draw import SIDE_PX
from florenz.playground.scene import concepts_of, is_unseen
from florenz.playground.world import TRUTH, draw_world, is_another_world, picture, read_truth

LONG_AGO_NS = 10**18


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def make_old(folder: Path) -> None:
    for path in folder.iterdir():
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def newly_written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != LONG_AGO_NS}


def names(count: int) -> set[str]:
    return {f"scene-{number:06d}.jpg" for number in range(count)}


class Killed(Exception):
    """Stands for the end of the process in the middle of drawing."""


def draw_until(folder: Path, pictures: int, *, count: int, seed: int) -> None:
    """Draws a world and is killed after so many pictures."""
    drawn = 0

    def advance(more: int) -> None:
        nonlocal drawn
        drawn += more
        if drawn == pictures:
            raise Killed

    with pytest.raises(Killed):
        draw_world(str(folder), count=count, seed=seed, advance=advance)


def test_a_world_is_exactly_its_pictures_and_their_truth(tmp_path: Path) -> None:
    told: list[int] = []
    assert draw_world(str(tmp_path / "deep" / "world"), count=5, seed=1, advance=told.append)
    files = contents(tmp_path / "deep" / "world")
    assert set(files) == names(5) | {TRUTH} and sum(told) == 5
    for name in names(5):
        image = Image.open(io.BytesIO(files[name]))
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (SIDE_PX, SIDE_PX))


def test_the_same_world_has_the_same_bytes_anywhere(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        draw_world(str(tmp_path / folder), count=4, seed=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_larger_world_of_the_same_seed_begins_with_the_smaller_one(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=3, seed=3)
    small = contents(tmp_path)
    draw_world(str(tmp_path), count=5, seed=3)
    large = contents(tmp_path)
    assert all(large[name] == small[name] for name in names(3))


def test_a_complete_world_is_not_drawn_again(tmp_path: Path) -> None:
    told: list[int] = []
    draw_world(str(tmp_path), count=4, seed=1)
    make_old(tmp_path)
    assert not draw_world(str(tmp_path), count=4, seed=1, advance=told.append)
    assert not told and not newly_written(tmp_path)


@pytest.mark.parametrize(("count", "seed"), [(2, 1), (6, 1), (4, 2)])
def test_another_count_or_seed_draws_another_world_and_leaves_nothing_of_the_first(
    tmp_path: Path, count: int, seed: int
) -> None:
    draw_world(str(tmp_path / "world"), count=4, seed=1)
    assert draw_world(str(tmp_path / "world"), count=count, seed=seed)
    draw_world(str(tmp_path / "fresh"), count=count, seed=seed)
    assert contents(tmp_path / "world") == contents(tmp_path / "fresh")


def test_files_that_the_world_did_not_draw_stay(tmp_path: Path) -> None:
    for name in ("holiday.jpg", "notes.txt", "scene-holiday.jpg"):
        (tmp_path / name).write_text("mine")
    draw_world(str(tmp_path), count=2, seed=1)
    draw_world(str(tmp_path), count=1, seed=2)
    assert set(contents(tmp_path)) == names(1) | {TRUTH, "holiday.jpg", "notes.txt", "scene-holiday.jpg"}
    assert (tmp_path / "holiday.jpg").read_text() == "mine"


def test_a_folder_whose_name_looks_like_a_pattern_is_emptied_too(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]b"
    draw_world(str(folder), count=4, seed=1)
    draw_world(str(folder), count=2, seed=1)
    assert set(contents(folder)) == names(2) | {TRUTH}


def test_a_damaged_truth_has_the_world_drawn_again(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=2, seed=1)
    (tmp_path / TRUTH).write_bytes(b"PAR1 damaged")
    assert draw_world(str(tmp_path), count=2, seed=1)
    assert len(read_truth(str(tmp_path))) == 2


@pytest.mark.parametrize("before", ["nothing", "another world"])
def test_a_world_that_was_interrupted_is_completed(tmp_path: Path, before: str) -> None:
    world, whole = tmp_path / "world", tmp_path / "whole"
    if before == "another world":
        draw_world(str(world), count=6, seed=9)
    draw_until(world, 2, count=4, seed=1)
    assert TRUTH not in contents(world)
    assert draw_world(str(world), count=4, seed=1)
    draw_world(str(whole), count=4, seed=1)
    assert contents(world) == contents(whole)


def test_an_interrupted_world_does_not_pass_for_the_one_that_was_there_before(tmp_path: Path) -> None:
    draw_world(str(tmp_path / "world"), count=3, seed=1)
    before = contents(tmp_path / "world")
    draw_until(tmp_path / "world", 1, count=3, seed=2)
    assert draw_world(str(tmp_path / "world"), count=3, seed=1)
    assert contents(tmp_path / "world") == before


def test_truth_comes_back_as_the_scenes_that_were_drawn(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=6, seed=4)
    truth = read_truth(str(tmp_path))
    assert list(truth) == sorted(names(6))
    for number, (name, scene) in enumerate(truth.items()):
        assert picture(4, number) == (name, (tmp_path / name).read_bytes(), scene)


def test_the_truth_of_another_version_is_refused_and_the_world_drawn_again(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=2, seed=1)
    table = pq.read_table(tmp_path / TRUTH)
    pq.write_table(table.replace_schema_metadata({"version": "1", "count": "2", "seed": "1"}), tmp_path / TRUTH)
    with pytest.raises(ValueError, match="version 1"):
        read_truth(str(tmp_path))
    assert is_another_world(str(tmp_path), 1), "of the same seed, and other scenes"
    assert draw_world(str(tmp_path), count=2, seed=1) and len(read_truth(str(tmp_path))) == 2
    assert not is_another_world(str(tmp_path), 1) and is_another_world(str(tmp_path), 2)
    assert not is_another_world(str(tmp_path / "nothing"), 1)


def test_a_row_has_the_key_of_the_bytes_and_the_right_captions(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=5, seed=4)
    truth = read_truth(str(tmp_path))
    for row in pq.read_table(tmp_path / TRUTH).to_pylist():
        scene = truth[row["file"]]
        assert row["key"] == hashlib.sha256((tmp_path / row["file"]).read_bytes()).hexdigest()[:32]
        assert row["is_ambiguous"] is scene.is_ambiguous and row["concepts"] == concepts_of(scene)
        for language in LANGUAGES:
            assert [row[f"{language}_{style}"] for style in STYLES] == [state(scene, language, s) for s in STYLES]


def test_scenes_of_a_world_are_unseen_ones(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=12, seed=5)
    assert all(is_unseen(scene) for scene in read_truth(str(tmp_path)).values())


def test_a_world_may_lie_in_an_object_store() -> None:
    folder = "memory://playground-test/world"
    try:
        assert draw_world(folder, count=2, seed=1)
        assert not draw_world(folder, count=2, seed=1)
        assert draw_world(folder, count=1, seed=1)
        assert list(read_truth(folder)) == sorted(names(1))
    finally:
        fsspec.filesystem("memory").rm("/playground-test", recursive=True)
