"""A slip of the keyboard must not cost a dataset: what may take over from the build in OUT, and what is refused."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_examples import (
    MODELS,
    assemble,
    instant_answer,
    jpeg_of,
    key_of,
    published_pictures,
    write_pictures,
)

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline import scenes
from florenz.pipeline.__main__ import main
from florenz.pipeline.assemble import replacement
from florenz.pipeline.assemble.build import EmptyBuild, publish, read_summary
from florenz.pipeline.image_settings import Images
from florenz.pipeline.recipe import Recipe
from florenz.playground import world as world_module
from florenz.playground.world import draw_world
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest

NUM_PICTURES = 9


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe of a published build of nine pictures, only to be read."""
    return published_pictures(tmp_path_factory.mktemp("built"), NUM_PICTURES)


def keys(numbers: range) -> list[str]:
    return [key_of(jpeg_of(number)) for number in numbers]


def test_half_of_the_images_or_more_may_take_over(built: Recipe) -> None:
    for count in (5, 9, 30):
        replacement.check_images(built, keys(range(count)))


@pytest.mark.parametrize(("numbers", "words"), [(range(4), "which 4 images"), (range(50, 90), "which 40 other images")])
def test_fewer_or_other_images_have_to_be_asked_for(built: Recipe, numbers: range, words: str) -> None:
    with pytest.raises(RecipeError) as refused:
        replacement.check_images(built, keys(numbers))
    (line,) = refused.value.problems
    assert f"holds a build of 9 images, {words} would replace: choose another OUT, or give REPLACE=1" in line


def test_where_nothing_was_published_anything_may_come(tmp_path: Path, built: Recipe) -> None:
    empty = replace(built, out=str(tmp_path))
    replacement.check_images(empty, keys(range(1)))
    replacement.check_world(replace(empty, images=Images(source="playground", count=1)), is_another=True)


def test_a_damaged_shard_does_not_speak_for_the_others(tmp_path: Path, built: Recipe) -> None:
    copy = replace(built, out=str(shutil.copytree(built.out, tmp_path / "out")))
    manifest = read_manifest(copy.out)
    (Path(copy.out) / "shards" / manifest.build / manifest.shards[0].path).write_bytes(b"damaged")
    replacement.check_images(copy, keys(range(NUM_PICTURES)))
    with pytest.raises(RecipeError):
        replacement.check_images(copy, keys(range(50, 90)))


def test_a_smaller_or_another_world_is_refused_before_it_is_drawn(
    tmp_path: Path, built: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(built.out, tmp_path / "out")
    draw_world(str(out / "images"), count=9, seed=0)
    world = replace(built, out=str(out), images=Images(source="playground", count=9))
    before = sorted(path.name for path in (out / "images").iterdir())
    scenes.draw(world, None, may_replace=False)
    for slip in (replace(world, images=Images(source="playground", count=4)), replace(world, seed=1)):
        with pytest.raises(RecipeError, match="REPLACE=1"):
            scenes.draw(slip, None, may_replace=False)
    monkeypatch.setattr(world_module, "VERSION", world_module.VERSION + 1)  # the same seed draws other scenes
    with pytest.raises(RecipeError, match="REPLACE=1"):
        scenes.draw(world, None, may_replace=False)
    assert sorted(path.name for path in (out / "images").iterdir()) == before


def test_a_build_without_a_sample_is_never_published(tmp_path: Path, built: Recipe) -> None:
    copy = replace(built, out=str(shutil.copytree(built.out, tmp_path / "out")), seed=1)
    build, index = assemble(copy)
    summary = replace(read_summary(copy.out, build), shards=())
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    with pytest.raises(EmptyBuild, match=f"nothing is published, what lies in OUT stays \\(rejects/{build}.parquet"):
        publish(copy, build, summary, index, {})
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
def translator() -> Iterator[StandInServer]:
    with StandInServer("playground/models/translator", lambda prompt: instant_answer(prompt) + prompt[-9:]) as server:
        yield server


def dataset(out: Path, translator: StandInServer, *more: str) -> int:
    variables = [f"OUT={out}", f"ENDPOINT={translator.endpoint}", "LANGS=de,fr", *more]
    return main([str(MODELS.parents[1] / "configs" / "playground.toml"), *variables])


def published_bytes(out: Path) -> dict[str, bytes]:
    """The manifest, all that it names, and every answer."""
    paths = [out / "manifest.json", *sorted((out / "shards").rglob("*.tar")), *sorted((out / "images").iterdir())]
    paths += sorted((out / "ledger").rglob("part-*.parquet"))
    return {str(path): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_a_run_that_would_lose_images_changes_nothing_until_it_is_asked_for(
    tmp_path: Path, translator: StandInServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out, others, no_images = tmp_path / "out", tmp_path / "others", tmp_path / "none"
    assert dataset(out, translator, "COUNT=8") == 0
    before = published_bytes(out)
    assert read_manifest(str(out)).rejected["filter"], "so that there is something to forget"
    write_pictures(others, 20)
    no_images.mkdir()
    (no_images / "notes.txt").write_text("no image")
    num_prompts = len(translator.asked)
    for slip, words in (
        (["COUNT=3"], "which 3 images would replace"),
        (["COUNT=3", "RETRY=all"], "which 3 images would replace"),
        (["SEED=5"], "which 4,000 other images would replace"),
        ([f"IMAGES={others}"], "which 20 other images would replace"),
        ([f"IMAGES={no_images}"], "none of the 1 files there can be used (not_an_image)"),
    ):
        capsys.readouterr()
        assert dataset(out, translator, *slip) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, error
        assert published_bytes(out) == before
    assert len(translator.asked) == num_prompts, "no model was asked"
    assert dataset(out, translator, f"IMAGES={no_images}", "REPLACE=1") == 2, "an empty build never takes over"
    assert dataset(out, translator, "COUNT=3", "REPLACE=yes") == 2
    assert published_bytes(out) == before
    assert dataset(out, translator, "COUNT=3", "REPLACE=1") == 0
    assert sum(shard.samples for shard in read_manifest(str(out)).shards if shard.split != "heldout") == 3


@pytest.mark.slow
def test_all_texts_rejected_keeps_the_build_that_was_there(
    tmp_path: Path, translator: StandInServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check of images passes here: that nothing comes out shows only when all has been asked."""
    out = tmp_path / "out"
    assert dataset(out, translator, "COUNT=4") == 0
    before = published_bytes(out)
    recipe = tmp_path / "cut.toml"
    text = (MODELS.parents[1] / "configs" / "playground.toml").read_text()
    assert text.count('styles = ["short", "detailed"]') == 1
    recipe.write_text(
        text.replace('styles = ["short", "detailed"]', 'styles = ["short"]\nmax_new_tokens = 2').replace(
            'context = "detailed"', ""
        )
    )
    assert main([str(recipe), f"OUT={out}", f"ENDPOINT={translator.endpoint}", "LANGS=de,fr", "COUNT=4"]) == 1
    assert "every image was rejected: nothing is published" in capsys.readouterr().err
    assert published_bytes(out).items() >= before.items(), "answers were added, and nothing else changed"
