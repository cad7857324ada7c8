"""A model is filled from a checkpoint without weights of its own: the same weights, the same answers, nothing twice."""

import dataclasses
from pathlib import Path

import pytest
import torch
from model_examples import Asked, picture, save_florence, save_gemma
from training_examples import recipe_in, train_quietly

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import Manifest
from florenz.train import building, preflight
from florenz.train.checkpoint import Checkpoint, newest_checkpoint
from florenz.train.model import loading
from florenz.train.model.loading import build
from florenz.train.model.meta import fill, is_without_weights
from florenz.train.recipe import Recipe
from florenz.train.state import weights_of

Batch = dict[str, torch.Tensor]


@pytest.mark.parametrize("size", ["1.0b", "3.5b"])
@pytest.mark.parametrize("prefix", ["token", "words"])
def test_a_skeleton_filled_is_the_model_that_was_built(
    size: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both decoders, with tokens of languages and without; buffers that no checkpoint holds count too."""
    save_florence(tmp_path / "florence")
    save_gemma(tmp_path / "gemma")
    options = {
        "florence": str(tmp_path / "florence"), "gemma": str(tmp_path / "gemma") if size == "3.5b" else None,
        "tokenizer": str(tmp_path / "gemma"), "image_px": 32, "prefix": prefix, "num_latents": 2,
    }  # fmt: skip
    torch.manual_seed(5)
    built, processor = build(size, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(loading, "_load", lambda *_: pytest.fail("weights were read"))
    empty, _ = build(size, **options, with_weights=False)  # type: ignore[arg-type]
    assert is_without_weights(empty) and all(one.device.type == "meta" for one in empty.parameters())
    kept = {name: tensor.detach().clone() for name, tensor in weights_of(built).items()}
    fill(empty, kept)
    assert not is_without_weights(empty) and empty.lm_head.weight is empty.decoder.embed_tokens.weight
    wanted, found = dict(built.named_parameters()), dict(empty.named_parameters())
    assert wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)
    buffers = dict(empty.named_buffers())
    assert all(torch.equal(tensor, buffers[name]) for name, tensor in built.named_buffers())
    batch = processor.collate([Asked(picture_CHW=picture())])
    with torch.no_grad():
        assert torch.equal(built.eval()(**batch).logits, empty.eval()(**batch).logits)
    assert found["lm_head.weight" if "lm_head.weight" in found else "decoder.embed_tokens.weight"].requires_grad


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_florence(tmp_path)
    save_gemma(tmp_path / "gemma")
    empty, _ = build(
        "1.0b",
        florence=str(tmp_path),
        tokenizer=str(tmp_path / "gemma"),
        image_px=32,
        prefix="words",
        with_weights=False,
    )
    with pytest.raises(ValueError, match="does not fit the model"):
        fill(empty, {})


def trained(folder: Path) -> tuple[Recipe, Manifest, Checkpoint]:
    """A training that is done, its dataset and its last checkpoint."""
    recipe = recipe_in(folder)
    train_quietly(recipe)
    manifest, _ = preflight.check(recipe)
    checkpoint = newest_checkpoint(recipe.out, pytest.fail)
    assert checkpoint is not None
    return recipe, manifest, checkpoint


def test_a_training_that_began_with_other_models_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the playground's tiny models were trained anew, in another shape, between two sessions."""
    recipe, manifest, checkpoint = trained(tmp_path)
    kept = checkpoint.weights()
    name = next(name for name in kept if "vision" in name and kept[name].ndim == 4)
    monkeypatch.setattr(type(checkpoint), "weights", lambda _: kept | {name: torch.zeros(7, *kept[name].shape[1:])})
    with pytest.raises(RecipeError) as refused:
        building.load_model(recipe, manifest, checkpoint)
    (line,) = refused.value.problems
    assert line.startswith(f"OUT {recipe.out!r} holds") and name in line and "choose another OUT" in line


def test_a_training_that_goes_on_reads_no_weights_but_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, manifest, checkpoint = trained(tmp_path)
    monkeypatch.setattr(loading, "_load", lambda *_: pytest.fail("weights were read"))
    model, _ = building.load_model(recipe, manifest, checkpoint)
    kept = checkpoint.weights()
    own = weights_of(model)
    assert own.keys() == kept.keys() and all(torch.equal(own[name], kept[name]) for name in kept)
    with pytest.raises(pytest.fail.Exception):
        building.load_model(dataclasses.replace(recipe, seed=1), manifest, None)
