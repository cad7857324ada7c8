"""A build takes over from the one before: complete first, and the old one goes, or stays where it was asked to."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_examples import (
    bytes_of,
    published,
    published_pictures,
)

from florenz.pipeline.assemble import build as build_module
from florenz.pipeline.assemble.build import is_assembled, kept_manifest_path, published_builds
from florenz.pipeline.assemble.graph import rejects_path, summary_path
from florenz.pipeline.recipe import Recipe
from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.verify import verify

NUM_PICTURES = 6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe of a published build, only to be read."""
    return published_pictures(tmp_path_factory.mktemp("built"), NUM_PICTURES)


@pytest.fixture
def recipe(tmp_path: Path, built: Recipe) -> Recipe:
    return replace(built, out=str(shutil.copytree(built.out, tmp_path / "out")))


def builds_in(recipe: Recipe) -> set[str]:
    return {path.name for path in (Path(recipe.out) / "shards").iterdir()}


def test_a_build_is_assembled_when_all_its_files_are_there_at_their_size(recipe: Recipe) -> None:
    manifest = read_manifest(recipe.out)
    out, build = recipe.out, manifest.build
    assert is_assembled(out, build) and not is_assembled(out, "f" * 16)
    shard = Path(shard_path(out, build, manifest.shards[0].path))
    for path in (shard, Path(rejects_path(out, build)), Path(summary_path(out, build))):
        content = path.read_bytes()
        path.unlink()
        assert not is_assembled(out, build)
        path.write_bytes(content)
        assert is_assembled(out, build)
    shard.write_bytes(shard.read_bytes()[:-1])
    assert not is_assembled(out, build)


@pytest.mark.slow
def test_the_builds_asked_for_stay_and_their_manifests_with_them(recipe: Recipe) -> None:
    seeds = [replace(recipe, seed=seed, keep_builds=2) for seed in (1, 2, 3)]
    manifests = [read_manifest(recipe.out), *map(published, seeds)]
    names = [manifest.build for manifest in manifests]
    assert published_builds(recipe.out) == names[1:] and builds_in(recipe) == set(names[1:])
    old = Path(kept_manifest_path(recipe.out, names[2]))
    Path(recipe.out, "manifest.json").write_bytes(old.read_bytes())
    assert read_manifest(recipe.out) == manifests[2] and verify(recipe.out).problems == ()


def test_without_keep_builds_only_the_current_one_stays(recipe: Recipe) -> None:
    published(replace(recipe, seed=1, keep_builds=5))
    assert len(builds_in(recipe)) == 2
    current = published(replace(recipe, seed=2)).build
    assert builds_in(recipe) == {current} and published_builds(recipe.out) == [current]
    assert {name.split("/")[1].split(".")[0] for name in bytes_of(Path(recipe.out))} == {current}


@pytest.mark.slow
def test_going_back_to_a_kept_build_makes_it_the_last_that_goes(recipe: Recipe) -> None:
    first = read_manifest(recipe.out).build
    second = published(replace(recipe, seed=1, keep_builds=1)).build
    assert published(replace(recipe, keep_builds=1)).build == first
    assert published_builds(recipe.out) == [second, first]


@pytest.mark.slow
def test_a_kill_between_the_swap_and_the_removal_leaves_nothing_behind(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_manifest(recipe.out).build
    changed = replace(recipe, seed=1)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build_module, "_remove_builds_but", killed)
        with pytest.raises(KeyboardInterrupt):
            published(changed)
    assert builds_in(recipe) == {first, read_manifest(recipe.out).build}
    current = published(changed).build
    assert builds_in(recipe) == {current} != {first}
    assert verify(recipe.out).problems == ()


def test_an_old_build_that_is_damaged_is_not_kept(recipe: Recipe) -> None:
    manifest = read_manifest(recipe.out)
    Path(shard_path(recipe.out, manifest.build, manifest.shards[0].path)).unlink()
    current = published(replace(recipe, seed=1, keep_builds=1)).build
    assert published_builds(recipe.out) == [current] and builds_in(recipe) == {current}
