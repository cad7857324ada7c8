"""[filters.images] max_hash_distance: of pictures that look alike one stays, whoever compares, in whatever order."""

import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pipeline_examples import index_of, key_of, published, recipe_for, rejects_of, samples_of, write_ledger

from florenz.filters.image_size import ImageRules
from florenz.filters.near_duplicate import MAX_DISTANCE, NEAR, bands_of, near_duplicates
from florenz.filters.settings import FilterSettings
from florenz.images import folders
from florenz.images.likeness import NO_LIKENESS, likeness_of
from florenz.pipeline import hashing
from florenz.pipeline.recipe import Recipe
from florenz.shards.verify import verify

LIMITS = {"max_pixels": 10**8, "max_side_ratio": 50.0}


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Blotches of all sizes, the large ones strongest, as in photographs: PDQ looks at 16 x 16 frequencies."""
    draw = np.random.default_rng(seed)
    whole = np.zeros((size[1], size[0], 3))
    for octave in range(2, 8):
        blotches = Image.fromarray(draw.integers(0, 255, (2**octave, 2**octave, 3), dtype=np.uint8))
        whole += np.asarray(blotches.resize(size, Image.Resampling.BICUBIC)) / 2.0 ** (octave - 1)
    return Image.fromarray(np.clip(whole, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


# -- likeness ---------------------------------------------------------------------------------------------------------


def test_size_compression_format_and_turns_by_exif_change_few_bits_and_another_picture_half() -> None:
    first = likeness_of(encoded(scene(1)), **LIMITS)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned = scene(1).transpose(Image.Transpose.ROTATE_90)
    for data in (
        encoded(scene(1), quality=30),
        encoded(scene(1).resize((900, 675))),
        encoded(scene(1), "PNG"),
        encoded(turned, exif=exif),
    ):
        assert distance(first, likeness_of(data, **LIMITS)) <= MAX_DISTANCE
    assert 90 < distance(first, likeness_of(encoded(scene(2)), **LIMITS)) < 166


def test_a_plain_surface_and_what_is_no_picture_look_like_nothing() -> None:
    assert likeness_of(encoded(Image.new("RGB", (200, 200), (9, 90, 9))), **LIMITS) == NO_LIKENESS
    assert likeness_of(encoded(scene(1))[:90], **LIMITS) == NO_LIKENESS
    assert likeness_of(encoded(scene(1)), max_pixels=100, max_side_ratio=50.0) == NO_LIKENESS


# -- comparing --------------------------------------------------------------------------------------------------------


def made(seed: int, number: int = 700) -> dict[str, str]:
    """Keys and hashes: clusters, chains in which neighbours are alike, equal ones, and strangers."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    last = draw.getrandbits(256)
    for _ in range(number):
        kind = draw.random()
        if kind < 0.4:
            last = draw.getrandbits(256)
        elif kind < 0.9:
            for place in draw.sample(range(256), draw.randint(0, 40)):
                last ^= 1 << place
        found[f"{draw.getrandbits(128):032x}"] = f"{last:064x}"
    return found


def dropped_by_bands(likenesses: dict[str, str], max_distance: int) -> dict[str, tuple[str, int]]:
    """As the graph does it: groups by band, then the smallest key that anyone found."""
    groups: dict[str, dict[str, str]] = {}
    for key, likeness in likenesses.items():
        for band in bands_of(likeness):
            groups.setdefault(band, {})[key] = likeness
    found: dict[str, tuple[str, int]] = {}
    for group in groups.values():
        for key, other, bits in near_duplicates(group, max_distance):
            found[key] = min(found.get(key, (other, bits)), (other, bits))
    return found


@pytest.mark.parametrize("max_distance", [0, 7, 31])
def test_bands_miss_no_pair_that_a_comparison_of_all_finds(max_distance: int) -> None:
    likenesses = made(max_distance)
    numbers = {key: int(likeness, 16) for key, likeness in sorted(likenesses.items())}
    wanted = {}
    for key, number in numbers.items():
        alike = [(one, (number ^ other).bit_count()) for one, other in numbers.items() if one < key]
        alike = [(one, bits) for one, bits in alike if bits <= max_distance]
        if alike:
            wanted[key] = min(alike)
    assert dropped_by_bands(likenesses, max_distance) == wanted and 50 < len(wanted) < 650
    assert {key: (other, bits) for key, other, bits in near_duplicates(likenesses, max_distance)} == wanted


def test_thirty_one_bits_in_as_many_bytes_are_found_and_thirty_two_are_not() -> None:
    near = sum(1 << 8 * byte for byte in range(31))
    for bits, is_found in ((near, True), (near | 1 << 248, False)):
        assert bool(dropped_by_bands({"a": f"{0:064x}", "b": f"{bits:064x}"}, MAX_DISTANCE)) is is_found


def test_blocks_of_any_size_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    likenesses = made(5)
    whole = list(near_duplicates(likenesses, 31))
    monkeypatch.setattr("florenz.filters.near_duplicate._ROWS", 7)
    monkeypatch.setattr("florenz.filters.near_duplicate._COLUMNS", 11)
    assert sorted(near_duplicates(dict(reversed(likenesses.items())), 31)) == sorted(whole)


@pytest.mark.parametrize("given", [-1, 32])
def test_a_distance_that_the_groups_would_miss_is_refused(given: int) -> None:
    with pytest.raises(ValueError, match=f"max_hash_distance is {given}: choose 0 to 31"):
        ImageRules(max_hash_distance=given)


# -- the index and the assembly ---------------------------------------------------------------------------------------


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Three scenes, the first in four files of which one is too small; two plain surfaces; files settled long ago."""
    monkeypatch.setattr(folders, "CLOCK_STEP_S", -1e9)
    folder = tmp_path / "pictures"
    folder.mkdir()
    contents = {
        "one": encoded(scene(1)), "one-again": encoded(scene(1), quality=40), "two": encoded(scene(2)),
        "one-large": encoded(scene(1).resize((640, 480))), "one-tiny": encoded(scene(1).resize((96, 72))),
        "three": encoded(scene(3)), "green": encoded(Image.new("RGB", (200, 150), (9, 90, 9))),
        "red": encoded(Image.new("RGB", (200, 150), (90, 9, 9))),
    }  # fmt: skip
    for name, data in contents.items():
        (folder / f"{name}.jpg").write_bytes(data)
    made = recipe_for(tmp_path / "out", folder)
    write_ledger(made, [key_of(data) for data in contents.values()])
    return made


def with_rules(recipe: Recipe, **rules: int) -> Recipe:
    return replace(recipe, filters=FilterSettings(images=ImageRules(**rules)))


def key_in(recipe: Recipe, name: str) -> str:
    return key_of((Path(recipe.images.source) / f"{name}.jpg").read_bytes())


def test_of_the_pictures_that_look_alike_the_smallest_key_stays(recipe: Recipe) -> None:
    alike = with_rules(recipe, max_hash_distance=31)
    index = index_of(alike)
    first, *others = sorted(key_in(recipe, name) for name in ("one", "one-again", "one-large", "one-tiny"))
    gone = {one.key: one for one in rejects_of(index)}
    assert set(gone) == set(others) and {one.reason for one in gone.values()} == {NEAR}
    assert all(one.detail.startswith(f"looks like {first}: ") for one in gone.values())
    assert {first, *(key_in(recipe, name) for name in ("two", "three", "green", "red"))} == set(index.images)
    manifest = published(alike)
    assert {key for split in ("train", "choose", "val") for key in samples_of(Path(recipe.out), split)} == set(
        index.images
    )
    assert manifest.rejected["read"][NEAR] == {"": 3} and verify(recipe.out).problems == ()


def test_no_picture_goes_for_one_that_is_too_small_itself(recipe: Recipe) -> None:
    index = index_of(with_rules(recipe, max_hash_distance=31, min_side_px=100))
    reasons = {one.key: one.reason for one in rejects_of(index)}
    first, *others = sorted(key_in(recipe, name) for name in ("one", "one-again", "one-large"))
    assert reasons == {key_in(recipe, "one-tiny"): "small_image"} | dict.fromkeys(others, NEAR)
    assert first in index.images


def test_hashes_are_made_once_and_old_datasets_get_theirs(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    made, hashed = likeness_of, []
    monkeypatch.setattr(hashing, "likeness_of", lambda data, **limits: hashed.append(data) or made(data, **limits))
    every = index_of(recipe)
    assert not hashed and every.num_images == 8
    alike = index_of(with_rules(recipe, max_hash_distance=31))
    assert len(hashed) == 8
    assert index_of(with_rules(recipe, max_hash_distance=0)).num_images >= alike.num_images == 5
    assert index_of(recipe) == every and index_of(with_rules(recipe, max_hash_distance=31)) == alike
    assert len(hashed) == 8


def test_one_and_two_workers_drop_the_same(recipe: Recipe, tmp_path: Path) -> None:
    alike = with_rules(recipe, max_hash_distance=31)
    two = replace(alike, out=str(tmp_path / "two"), workers=2)
    assert rejects_of(index_of(alike)) == rejects_of(index_of(two)) != []
