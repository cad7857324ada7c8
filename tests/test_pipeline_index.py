"""The index: which pictures there are, whatever the order and the number of workers that looked."""

import io
import tarfile
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.portability import common_urns
from pipeline_examples import jpeg_of, key_of, recipe_for, rejects_of, write_pictures

from florenz.images import folders
from florenz.images.folders import list_sources
from florenz.pipeline.copies import Picture, unique
from florenz.pipeline.hashing import references
from florenz.pipeline.image_index import Index, part_path, parts_folder, read_index
from florenz.pipeline.image_settings import Images
from florenz.pipeline.index import build_index, expected_images
from florenz.pipeline.listing import listing_of, packed_files
from florenz.pipeline.packing import unpack
from florenz.pipeline.recipe import Recipe


def index_of(recipe: Recipe) -> Index:
    return build_index(recipe, listing_of(recipe), None)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures, a copy of the first under a name that sorts before it, an empty file and one that is no image."""
    folder = tmp_path / "pictures"
    write_pictures(folder, 5)
    (folder / "-copy.jpg").write_bytes(jpeg_of(0))
    (folder / "z" / "deep").mkdir(parents=True)
    (folder / "z" / "deep" / "copy.jpg").write_bytes(jpeg_of(1))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.md").write_text("no image")
    return folder


def test_every_picture_is_there_once_under_the_hash_of_its_bytes(tmp_path: Path, pictures: Path) -> None:
    index = index_of(recipe_for(tmp_path / "out", pictures))
    assert set(index.images) == {key_of(jpeg_of(number)) for number in range(5)}
    assert list(index.images) == sorted(index.images)
    assert index.images[key_of(jpeg_of(3))] == str(pictures / "003.jpg")


def test_of_two_copies_the_first_by_name_stays_and_the_other_is_a_reject(tmp_path: Path, pictures: Path) -> None:
    index = index_of(recipe_for(tmp_path / "out", pictures))
    first = key_of(jpeg_of(0))
    assert index.images[first] == str(pictures / "-copy.jpg")
    copies = {reject.source: reject for reject in rejects_of(index) if reject.reason == "duplicate_image"}
    assert set(copies) == {str(pictures / "000.jpg"), str(pictures / "z" / "deep" / "copy.jpg")}
    assert copies[str(pictures / "000.jpg")].key == first
    assert "-copy.jpg" in copies[str(pictures / "000.jpg")].detail


def test_what_is_no_image_is_a_reject_with_its_reason(tmp_path: Path, pictures: Path) -> None:
    index = index_of(recipe_for(tmp_path / "out", pictures))
    reasons = {Path(reject.source).name: reject.reason for reject in rejects_of(index)}
    assert reasons["empty.jpg"] == "empty_file" and reasons["notes.md"] == "not_an_image"
    assert index.num_found == 9 and len(rejects_of(index)) == 4


@pytest.mark.slow
def test_one_and_two_workers_make_the_same_index(tmp_path: Path, pictures: Path) -> None:
    contents = []
    for workers in (1, 2):
        recipe = recipe_for(tmp_path / f"out-{workers}", pictures, workers=workers)
        index_of(recipe)
        contents.append({path.name: path.read_bytes() for path in Path(parts_folder(recipe.out)).iterdir()})
    assert contents[0] == contents[1] and len(contents[0]) > 3


def test_the_first_count_images_are_taken_in_the_order_of_names(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 6)
    recipe = recipe_for(tmp_path / "out", images=Images(source=str(tmp_path / "pictures"), count=4))
    assert sorted(index_of(recipe).images.values()) == [str(tmp_path / "pictures" / f"{n:03d}.jpg") for n in range(4)]


def test_how_many_there_are_to_read_is_known_where_no_file_holds_several(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    assert expected_images(recipe, listing_of(recipe)) == index_of(recipe).num_found
    first_two = recipe_for(tmp_path / "out", images=Images(source=str(pictures), count=2))
    assert expected_images(first_two, listing_of(first_two)) == 2
    (pictures / "more.tar").touch()
    assert expected_images(recipe, listing_of(recipe)) is None


def test_a_member_of_a_tar_and_the_file_outside_are_one_picture(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write_pictures(folder, 2)
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for number in (1, 2):
            info = tarfile.TarInfo(f"{number:09d}.jpg")
            info.size = len(jpeg_of(number))
            tar.addfile(info, io.BytesIO(jpeg_of(number)))
    index = index_of(recipe_for(tmp_path / "out", folder))
    assert len(index.images) == 3
    (copy,) = rejects_of(index)
    assert copy.reason == "duplicate_image" and "member=" in copy.source


def test_the_in_process_runner_holds_no_row_by_itself(tmp_path: Path, held_by_beam: list[bytes]) -> None:
    """It holds all that goes from one stage to the next; a row would be some 300 bytes there, and so for each image."""
    folder, number = tmp_path / "pictures", 400
    folder.mkdir()
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for at in range(number):
            info = tarfile.TarInfo(f"{at:09d}.jpg")
            info.size = len(jpeg_of(at))
            tar.addfile(info, io.BytesIO(jpeg_of(at)))
    assert index_of(recipe_for(tmp_path / "out", folder)).num_found == number
    assert 10 * number < sum(map(len, held_by_beam)) < 200 * number
    assert not any(data.count(b"member=") > 1 for data in held_by_beam)


def test_the_members_of_one_tar_are_read_by_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker finds them, and hands them on, 64 together, to whoever is free: behind a shuffle of its own."""
    path, number = tmp_path / "pictures" / "all.tar", 150
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for one in range(number):
            info = tarfile.TarInfo(f"{one:03}.jpg")
            info.size = len(jpeg_of(one))
            tar.addfile(info, io.BytesIO(jpeg_of(one)))
    recipe = recipe_for(tmp_path / "out", path)
    (source,) = list_sources(str(path))
    packs = list(references(*packed_files([source]), count=None, limits=recipe.limits))
    assert [len(list(unpack([pack]))) for pack in packs] == [64, 64, 22]

    built: list[beam.Pipeline] = []
    run = beam.Pipeline.run

    def noted(pipeline: beam.Pipeline, *arguments: Any, **more: Any) -> Any:
        built.append(pipeline)
        return run(pipeline, *arguments, **more)

    monkeypatch.setattr(beam.Pipeline, "run", noted)
    assert index_of(recipe).num_images == number
    steps = [step for step in built[0].to_runner_api().components.transforms.values() if not step.subtransforms]
    made_by = {made: step for step in steps for made in set(step.outputs.values()) - set(step.inputs.values())}
    (reading,) = [step for step in steps if step.unique_name == "read"]
    kinds, waiting = set(), [step for step in steps if step.unique_name == "hash and prove"]
    while waiting:
        step = waiting.pop()
        kinds.add(step.spec.urn)
        if step != reading:
            waiting += [made_by[one] for name, one in step.inputs.items() if not name.startswith("side")]
    assert common_urns.primitives.GROUP_BY_KEY.urn in kinds


def test_a_rerun_forgets_pictures_that_are_gone(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 3)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    assert len(index_of(recipe).images) == 3
    (tmp_path / "pictures" / "001.jpg").unlink()
    assert len(index_of(recipe).images) == 2 == len(read_index(recipe.out).images)


def test_a_file_too_large_is_rejected_unread(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 2)
    (tmp_path / "pictures" / "huge.jpg").write_bytes(jpeg_of(0, size=(900, 900)) + bytes(20_000))
    images = Images(source=str(tmp_path / "pictures"), max_bytes=15_000)
    (reject,) = rejects_of(index_of(recipe_for(tmp_path / "out", images=images)))
    assert (reject.reason, Path(reject.source).name) == ("too_many_bytes", "huge.jpg")


def test_which_copy_is_first_does_not_depend_on_who_came_first() -> None:
    found = [Picture(uri=uri, damage="") for uri in ("b.jpg", "a.jpg", "c.jpg")]
    assert list(unique("k", found, "")) == list(unique("k", found[::-1], ""))
    assert next(unique("k", found, "")) == ("k", Picture(uri="a.jpg", damage=""))


@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_part_of_the_index_that_is_damaged_or_gone_is_made_anew(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(folders, "CLOCK_STEP_S", -1e9)  # all files have settled: nothing is read again
    recipe = recipe_for(tmp_path / "out", pictures)
    index = index_of(recipe)
    path = Path(part_path(recipe.out, index.parts[1].range))
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:50] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    assert index_of(recipe) == index and path.read_bytes() == content


def test_a_source_with_nothing_in_it_is_the_users_fault(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no images at"):
        index_of(recipe_for(tmp_path / "out", tmp_path / "empty"))


def test_rejects_of_reading_are_rejects_of_step_read(tmp_path: Path, pictures: Path) -> None:
    assert {reject.step for reject in rejects_of(index_of(recipe_for(tmp_path / "out", pictures)))} == {"read"}
