"""What the playground trained it goes on training: identities and first losses of shipped recipes, as pinned."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from shards_dataset import write_dataset
from training_examples import ROOT, metrics

from florenz.train import loop
from florenz.train.recipe import Recipe, load_recipe

# Of the version before recipes of the paper came: checkpoints that were made then go on.
IDENTITIES = {
    ("before", "playground"): "f2fed700b39ccd22",
    ("before", "playground-gemma"): "a3cdfbbfff5ad503",
    ("train_both", "playground"): "b8f40809867eafb1",
    ("train_both", "playground-gemma"): "ba2a9250ecf3e817",
    ("train_staged", "playground"): "73a22688b561fa90",
    ("train_staged", "playground-gemma"): "99108fa3219a64cc",
}
LOSSES = {
    ("before", "playground"): [8.693224, 11.614607, 7.689628],
    ("train_both", "playground-gemma"): [7.427901, 6.984869, 6.711269],
}


@pytest.mark.parametrize(("name", "size"), IDENTITIES)
def test_a_checkpoint_from_before_fits_the_shipped_recipe(name: str, size: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(text_of(name))
    identity = load_recipe(str(tmp_path / "recipe.toml"), {"SIZE": size}).identity()
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    assert digest[:16] == IDENTITIES[name, size]


def text_of(name: str) -> str:
    """Of a shipped recipe; "before" is train.toml when the encoder read the word "caption" alone, and whole texts,
    none of them English, for 2,000 steps."""
    if name != "before":
        return (ROOT / "configs" / f"{name}.toml").read_text()
    lines = (ROOT / "configs" / "train.toml").read_text().splitlines(keepends=True)
    later = [line for line in lines if line.startswith(("caption = ", "source_dropout = ", "copy_english = "))]
    assert len(later) == 3
    assert sum(line.startswith("steps = ") for line in lines) == 1
    steps = ("steps = 2000\n" if line.startswith("steps = ") else line for line in lines if line not in later)
    return "".join(steps)


def shipped(name: str, size: str, folder: Path) -> Recipe:
    write_dataset(str(folder / "data"), 40)
    text = text_of(name).replace('precision = "auto"', 'precision = "float32"')
    (folder / "recipe.toml").write_text(text)
    variables = {"DATA": str(folder / "data"), "OUT": str(folder / "out"), "STEPS": "3", "DEVICE": "cpu"}
    recipe = load_recipe(str(folder / "recipe.toml"), {**variables, "WORKERS": "0", "SIZE": size})
    return dataclasses.replace(
        recipe, records=dataclasses.replace(recipe.records, log_every_steps=1, tensorboard=False)
    )


@pytest.mark.parametrize(("name", "size"), LOSSES)
def test_the_shipped_recipe_learns_what_it_learned(name: str, size: str, tmp_path: Path) -> None:
    loop.train(shipped(name, size, tmp_path), lambda text: None)
    steps = [line for line in metrics(tmp_path / "out") if "loss" in line]
    assert [line["loss"] for line in steps] == pytest.approx(LOSSES[name, size], rel=1e-4)
