"""[filters.images]: pictures that are too small or too long are rejects of step 1, by sizes that are kept."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image
from pipeline_examples import (
    index_of,
    jpeg_of,
    key_of,
    name_of,
    published,
    recipe_for,
    rejects_of,
    samples_of,
    write_ledger,
)

from florenz.filters.image_size import ImageRules, check_image_size
from florenz.filters.settings import FilterSettings
from florenz.images import folders
from florenz.images import sources as images
from florenz.images.size import UNREADABLE, sides_of, size_of
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.recipe import Recipe, RecipeError, load_recipe
from florenz.shards.verify import verify

PLAYGROUND = Path(__file__).resolve().parents[1] / "configs" / "playground.toml"
SIZES = {
    "good": (64, 48),
    "edge": (40, 40),
    "small": (100, 39),
    "long": (161, 40),
    "high": (40, 161),
    "wide": (160, 40),
}


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((40, 40), ""), ((39, 100), "small_image"), ((100, 39), "small_image"), ((160, 40), ""),
        ((161, 40), "narrow_image"), ((40, 161), "narrow_image"), ((400, 39), "small_image"),
    ],
)  # fmt: skip
def test_sides_decide_whichever_is_the_longer(size: tuple[int, int], reason: str) -> None:
    verdict = check_image_size(*size, ImageRules(min_side_px=40, max_side_ratio=4.0))
    assert verdict.reason == reason and (f"{size[0]}x{size[1]} px" in verdict.detail) is bool(reason)


def test_each_key_alone_decides_alone() -> None:
    assert check_image_size(1000, 41, ImageRules(min_side_px=40)).keep
    assert check_image_size(1, 1, ImageRules(max_side_ratio=1)).keep


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"])
def test_the_size_comes_from_the_header_of_every_format(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (70, 50)).save(buffer, format)
    if format != "AVIF":  # whose plugin asks its decoder
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    assert size_of(buffer.getvalue()) == "70x50" and sides_of("70x50") == (70, 50)


@pytest.mark.parametrize("data", [b"", b"no image", jpeg_of(1)[:12]])
def test_where_the_header_says_nothing_nothing_is_said(data: bytes) -> None:
    assert size_of(data) == UNREADABLE and sides_of(UNREADABLE) is None


# -- the recipe -------------------------------------------------------------------------------------------------------


def recipe_with(tmp_path: Path, lines: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(PLAYGROUND.read_text() + "\n" + lines)
    return load_recipe(str(path), {"OUT": str(tmp_path / "out"), "LANGS": "de"})


def test_the_recipe_holds_the_rules(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, "[filters.images]\nmin_side_px = 64\nmax_side_ratio = 3\n")
    assert recipe.filters.images == ImageRules(min_side_px=64, max_side_ratio=3.0)
    told = {"min_side_px": 64, "max_side_ratio": 3.0, "max_hash_distance": None}
    assert recipe.to_dict()["filters"]["images"] == told


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "it says nothing: give min_side_px, max_side_ratio or max_hash_distance"),
        ("min_side_px = 0", "min_side_px is 0: choose at least 1"),
        ("max_side_ratio = 0.5", "max_side_ratio is 0.5: choose 1 or more"),
        ("max_side_ratio = nan", "expected a finite number"),
        ("max_hash_distance = 32", "max_hash_distance is 32: choose 0 to 31"),
        ("min_side_px = 'x'", "expected a whole number"),
        ("min_side = 3", "unknown key 'min_side': did you mean 'min_side_px'"),
    ],
)
def test_the_recipe_says_what_is_wrong(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        recipe_with(tmp_path, f"[filters.images]\n{lines}\n")
    assert len(caught.value.problems) == 1


# -- the index and the assembly ---------------------------------------------------------------------------------------


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The references whose bytes were read; files count as written long ago, so that they can be known."""
    seen: list[str] = []
    read = images.read_image_bytes

    def noted(ref: images.ImageRef, **limits: Any) -> bytes:
        seen.append(Path(ref.uri).name)
        return read(ref, **limits)

    monkeypatch.setattr(images, "read_image_bytes", noted)
    monkeypatch.setattr(folders, "CLOCK_STEP_S", -1e9)
    return seen


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Pictures of all sizes, one of them with a copy, and a file that is no image; without rules."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (name, size) in enumerate(SIZES.items()):
        (folder / f"{name}.jpg").write_bytes(jpeg_of(number, size))
    (folder / "small-copy.jpg").write_bytes((folder / "small.jpg").read_bytes())
    (folder / "notes.md").write_text("no image")
    return recipe_for(tmp_path / "out", folder)


def with_rules(recipe: Recipe, **rules: Any) -> Recipe:
    return replace(recipe, filters=FilterSettings(images=ImageRules(**rules)))


def outcome(recipe: Recipe) -> tuple[list[str], dict[str, str]]:
    """Names of the images of the run; of each reject its reason."""
    index = index_of(recipe)
    rejected = {Path(one.source).name: one.reason for one in rejects_of(index)}
    assert index.num_found == len(SIZES) + 2 == index.num_images + len(rejected)
    return sorted(Path(uri).stem for uri in index.images.values()), rejected


DUPLICATE, NOTHING = {"small.jpg": "duplicate_image"}, {"notes.md": "not_an_image"}
RULED = {"small-copy.jpg": "small_image", "long.jpg": "narrow_image", "high.jpg": "narrow_image"}


def test_what_the_rules_exclude_is_a_reject_of_step_1_and_copies_stay_copies(recipe: Recipe) -> None:
    assert outcome(recipe)[1] == DUPLICATE | NOTHING
    found, rejected = outcome(with_rules(recipe, min_side_px=40, max_side_ratio=4.0))
    assert found == ["edge", "good", "wide"] and rejected == RULED | DUPLICATE | NOTHING


def test_files_are_read_once_for_their_sizes_and_other_rules_read_nothing(recipe: Recipe, looked: list[str]) -> None:
    outcome(recipe)
    ruled = with_rules(recipe, min_side_px=40, max_side_ratio=4.0)
    looked.clear()
    outcome(ruled)
    assert len(looked) == len(SIZES) + 1, "a dataset that was made without rules"
    looked.clear()
    assert outcome(with_rules(recipe, min_side_px=49))[0] == []
    assert outcome(with_rules(recipe, max_side_ratio=1.0))[0] == ["edge"]
    assert outcome(recipe)[1] == DUPLICATE | NOTHING and outcome(ruled)[1] == RULED | DUPLICATE | NOTHING
    assert looked == []


def test_what_an_earlier_version_kept_is_believed_where_no_size_is_wanted(recipe: Recipe, looked: list[str]) -> None:
    first = outcome(recipe)
    for path in (Path(recipe.out) / "ledger" / "found").iterdir():
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["size"]), path)
    (Path(recipe.out) / "ledger" / "images" / "parts.json").unlink()
    looked.clear()
    assert outcome(recipe) == first and looked == []
    assert outcome(with_rules(recipe, max_side_ratio=4.0))[1].keys() == {"long.jpg", "high.jpg"} | {
        "notes.md",
        "small.jpg",
    }
    assert len(looked) == len(SIZES) + 1


def test_without_rules_the_index_is_named_as_it_always_was(recipe: Recipe, looked: list[str]) -> None:
    """Its digest stands for all that decides it; OUT of an earlier version is then not even looked through."""
    import json

    index_of(recipe)
    record = json.loads((Path(recipe.out) / "ledger" / "images" / "parts.json").read_bytes())
    assert bytes.fromhex(record["listing"]).decode().endswith(f" False {recipe.image_source}")


def test_the_rules_are_in_the_builds_rejects_and_not_in_its_shards(recipe: Recipe) -> None:
    keys = [key_of(jpeg_of(number, size)) for number, size in enumerate(SIZES.values())]
    write_ledger(recipe, keys)
    every = published(recipe)
    ruled = with_rules(recipe, min_side_px=40, max_side_ratio=4.0)
    manifest = published(ruled)
    assert manifest.build != every.build
    read = [one for one in read_rejects(rejects_path(recipe.out, manifest.build)) if one.step == "read"]
    assert {Path(one.source).name: one.reason for one in read} == RULED | DUPLICATE | NOTHING
    assert {one.detail for one in read if one.reason == "small_image"} == {
        "100x39 px: the shorter side has 39 px, at least 40 wanted"
    }
    wanted = {key_of(jpeg_of(list(SIZES).index(name), SIZES[name])) for name in ("good", "edge", "wide")}
    assert {key for split in ("train", "choose", "val") for key in samples_of(Path(recipe.out), split)} == wanted
    assert verify(recipe.out).problems == ()
    assert published(recipe).build == every.build, "and back"


def test_rules_that_exclude_nothing_give_the_same_build(recipe: Recipe) -> None:
    write_ledger(recipe, [key_of(jpeg_of(number, size)) for number, size in enumerate(SIZES.values())])
    build = name_of(recipe, index_of(recipe))
    generous = with_rules(recipe, min_side_px=1)
    assert name_of(generous, index_of(generous)) == build
    assert name_of(with_rules(recipe, min_side_px=40), index_of(with_rules(recipe, min_side_px=40))) != build


@pytest.mark.slow
def test_one_and_two_workers_reject_the_same(recipe: Recipe, tmp_path: Path) -> None:
    ruled = with_rules(recipe, min_side_px=40, max_side_ratio=4.0)
    assert outcome(ruled) == outcome(replace(ruled, out=str(tmp_path / "two"), workers=2))
