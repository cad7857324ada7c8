"""A stage may name its own data: it learns from that, its build decides, and what is wrong with it is one line."""

import dataclasses
from pathlib import Path

import pytest
from shards_dataset import BUILD, write_dataset
from training_examples import recipe_in, train_quietly

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest, write_manifest
from florenz.train import loop, preflight
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.data.stream import Stream
from florenz.train.following import Feed
from florenz.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_build")


def with_own_data(folder: Path, more: str = "", **variables: str) -> Recipe:
    """The second stage learns from a dataset of twenty pictures, of another build."""
    other = folder / "other"
    if not other.exists():
        write_dataset(str(other), 20)
        name_build(other, "fedcba9876543210")
    changes = ('name = "vision"\n', f'name = "vision"\ndata = "{other}"\n{more}')
    return recipe_in(folder, changes, **variables)


def name_build(folder: Path, name: str) -> None:
    """As a dataset that was made apart would be named."""
    for kind in ("shards", "heldout"):
        (folder / kind / BUILD).rename(folder / kind / name)
    write_manifest(str(folder), dataclasses.replace(read_manifest(str(folder)), build=name))


def test_each_stage_reads_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streams: list[Stream] = []
    begin = Feed.__init__

    def note(feed: Feed, *arguments: object) -> None:
        begin(feed, *arguments)  # type: ignore[arg-type]
        streams.append(feed.stream)

    monkeypatch.setattr(Feed, "__init__", note)
    recipe = with_own_data(tmp_path)
    train_quietly(recipe)
    text, vision = streams
    assert vision.num_samples > text.num_samples > 0
    found = newest_checkpoint(recipe.out, pytest.fail)
    assert found is not None and found.identity["vision.dataset"] != found.identity["dataset"]
    assert "vision.data" not in found.identity
    assert train_quietly(recipe) == []  # it is finished, and knows itself again


def test_a_recipe_without_has_the_identity_that_it_had(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path)
    manifest, _ = preflight.check(recipe)
    assert not [key for key in preflight.identity_of(recipe, manifest) if key.endswith((".data", ".dataset"))]


def test_languages_of_a_stage_get_tokens_too(tmp_path: Path) -> None:
    recipe = with_own_data(tmp_path)
    other = str(tmp_path / "other")
    write_manifest(other, dataclasses.replace(read_manifest(other), languages=("de", "es")))
    assert preflight.check(recipe)[0].languages == ("de", "fr", "es")


@pytest.mark.parametrize(
    ("more", "variables", "words"),
    [
        ("data_weights = [1.0, 2.0]\n", {}, "data_weights is 1.0, 2.0 for 1 datasets"),
        ('mix = { "caption/ru" = 1.0 }\n', {}, "[stages.vision]"),
        ("", {"FOLLOW": "1"}, "[stages.vision] data is its own, and follow (FOLLOW)"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    tmp_path: Path, more: str, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        train_quietly(with_own_data(tmp_path, more, **variables))
    (line,) = caught.value.problems
    assert words in line and not (tmp_path / "out").exists()


def test_data_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    absent = recipe_in(tmp_path, ('name = "vision"\n', f'name = "vision"\ndata = "{tmp_path / "nowhere"}"\n'))
    with pytest.raises(RecipeError) as caught:
        loop.train(absent, pytest.fail)
    (line,) = caught.value.problems
    assert line.startswith("[stages.vision]") and "nowhere" in line


def test_weights_without_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="it names none: add data"):
        recipe_in(tmp_path, ('name = "vision"\n', 'name = "vision"\ndata_weights = [1.0]\n'))
