"""Where a picture was taken: found, and left out without touching a pixel."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from pipeline_examples import key_of, published, recipe_for, write_ledger

from florenz.exports.index import num_positions, read_index
from florenz.images.exif import has_position, without_exif
from florenz.pipeline.recipe import load_recipe
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.reader import iter_samples

RECIPE = str(Path(__file__).resolve().parents[1] / "configs" / "playground.toml")


def jpeg(number: int = 0, *, with_position: bool = True) -> bytes:
    picture = Image.new("RGB", (32, 24), (number * 20 % 256, 90, 160))
    exif = Image.Exif()
    exif[0x010F] = "SecretMaker"
    if with_position:
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2)})
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, xmp=b"<x:xmpmeta>SecretPlace</x:xmpmeta>", comment=b"kept")
    return buffer.getvalue()


def test_a_position_is_found_and_only_that() -> None:
    assert has_position(jpeg()) and not has_position(jpeg(with_position=False))
    assert not has_position(b"") and not has_position(b"\xff\xd8 Exif\0\0 nonsense")


def test_exif_xmp_and_what_hides_behind_the_end_go_and_every_pixel_stays() -> None:
    before = jpeg()
    after = without_exif(before + jpeg(1))
    assert not has_position(after) and b"Secret" not in after and b"kept" in after
    assert after.count(b"\xff\xd8\xff") == 1
    first, second = (Image.open(io.BytesIO(data)) for data in (before, after))
    assert first.tobytes() == second.tobytes() and not second.getexif()


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_damage_is_no_position_and_no_error(cut: int) -> None:
    data = bytearray(jpeg())
    data[cut % len(data)] ^= 0xFF
    assert has_position(bytes(data)) in (True, False)
    assert has_position(bytes(data[:cut])) in (True, False)


def test_a_dataset_warns_strips_and_bears_its_licence(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    contents = [jpeg(number, with_position=number < 3) for number in range(6)]
    for number, content in enumerate(contents):
        (tmp_path / "pictures" / f"{number}.jpg").write_bytes(content)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures", languages=("de",), held_out=())
    write_ledger(recipe, [key_of(content) for content in contents])
    manifest = published(recipe)
    assert num_positions(recipe.out, manifest.build, manifest.shards) == 3

    stripped = replace(
        recipe,
        shards=replace(recipe.shards, strip_exif=True),
        images=replace(recipe.images, licence="CC-BY-4.0"),
    )
    again = published(stripped)
    assert again.build != manifest.build, "other bytes, so another name"
    assert num_positions(recipe.out, again.build, again.shards) == 0
    samples = [
        sample
        for shard in read_manifest(recipe.out).shards
        for sample in iter_samples(shard_path(recipe.out, again.build, shard.path))
    ]
    assert len(samples) == 6 and all(b"Secret" not in sample.jpeg for sample in samples)
    assert {sample.image for sample in samples} == {key_of(content) for content in contents}, (
        "keys are of the originals"
    )
    assert {sample.licence for sample in samples} == {"CC-BY-4.0"}
    assert set(read_index(recipe.out, again.build, again.shards).column("licence").to_pylist()) == {"CC-BY-4.0"}


def test_the_variables_reach_the_recipe() -> None:
    recipe = load_recipe(RECIPE, {"STRIP_EXIF": "1", "LICENCE": "CC0-1.0"})
    assert recipe.shards.strip_exif is True and recipe.images.licence == "CC0-1.0"
    assert load_recipe(RECIPE, {"STRIP_EXIF": "0"}).shards.strip_exif is False
    with pytest.raises(RecipeError, match="strip_exif"):
        load_recipe(RECIPE, {"STRIP_EXIF": "yes"})
