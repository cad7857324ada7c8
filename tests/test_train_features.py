"""What a frozen vision tower sees is kept: the same results, fewer looks."""

import dataclasses
from pathlib import Path

import pytest
import torch
from model_examples import miniature, picture
from training_examples import losses, recipe_in, train_quietly

from florenz.train import features
from florenz.train.features import PictureCache
from florenz.train.model.florenz import Florenz
from florenz.train.model.loading import load
from florenz.train.model.parts import set_modes, train_only
from florenz.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_build")

VISION_STAGE = 'parts = ["projector", "latents"]'


@pytest.fixture(scope="module")
def frozen() -> Florenz:
    model, _ = miniature("florence")
    train_only(model, ["projector", "decoder"])
    set_modes(model)
    return model


def batch_of(*numbers: int) -> dict[str, torch.Tensor]:
    pixels_BCHW = torch.stack([picture(number) for number in numbers])
    return {"input_ids": torch.tensor([[0, 2]] * len(numbers)), "pixel_values": pixels_BCHW} | {
        "picture_ids": torch.tensor(numbers)
    }


def count_looks(model: Florenz, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures the tower is shown, call by call."""
    looks: list[int] = []
    look = model.encoder.look

    def counted(pixels_BCHW: torch.Tensor) -> torch.Tensor:
        looks.append(len(pixels_BCHW))
        return look(pixels_BCHW)

    monkeypatch.setattr(model.encoder, "look", counted)
    return looks


def test_what_was_kept_is_what_the_tower_sees(frozen: Florenz, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PictureCache(frozen.encoder)
    cache.fill((number, picture(number)) for number in range(3))
    looks = count_looks(frozen, monkeypatch)
    seen = cache.seen(batch_of(2, 0, 2))
    assert looks == [] and set(seen) == {"input_ids", "picture_features"}
    with torch.no_grad():
        wanted = frozen.encoder(**{name: batch_of(2, 0, 2)[name] for name in ("input_ids", "pixel_values")})
        found = frozen.encoder(**seen)
    assert torch.allclose(found[0], wanted[0], atol=1e-5)


def test_pictures_without_room_are_looked_at_each_time(frozen: Florenz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "BATCH_SIZE", 2)
    with torch.no_grad():
        num_bytes = frozen.encoder.look(picture()[None]).nbytes
    cache = PictureCache(frozen.encoder, max_bytes=5 * num_bytes)
    cache.fill((number, picture(number)) for number in range(10))
    assert len(cache) == 4
    looks = count_looks(frozen, monkeypatch)
    seen = cache.seen(batch_of(9, 1, 8))["picture_features"]
    assert looks == [2]
    with torch.no_grad():
        assert torch.allclose(seen, frozen.encoder.look(batch_of(9, 1, 8)["pixel_values"]), atol=1e-5)


def test_a_batch_without_pictures_is_left_as_it_is(frozen: Florenz) -> None:
    batch = {"input_ids": torch.tensor([[0, 2]])}
    assert PictureCache(frozen.encoder).seen(batch) is batch


def test_a_tower_that_trains_has_no_cache(frozen: Florenz) -> None:
    model, _ = miniature("florence")
    train_only(model, ["vision"])
    with pytest.raises(AssertionError):
        PictureCache(model.encoder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    recipe = recipe_in(tmp_path_factory.mktemp("plain"))
    recipe = dataclasses.replace(recipe, stages=recipe.stages[1:])
    train_quietly(recipe)
    return recipe


@pytest.mark.parametrize("gib", [1.0, 1e-9])
def test_a_training_with_a_cache_ends_like_one_without(plain: Recipe, tmp_path: Path, gib: float) -> None:
    compute = dataclasses.replace(plain.compute, picture_cache_gib=gib)
    recipe = dataclasses.replace(plain, out=str(tmp_path / "out"), compute=compute)
    train_quietly(recipe)
    assert losses(recipe.out) == pytest.approx(losses(plain.out), rel=1e-5)
    weights = [load(str(Path(one.out) / "model"))[0].state_dict() for one in (recipe, plain)]
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-4) for name in weights[1])


def test_a_stage_that_trains_the_tower_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PictureCache, "fill", lambda *_: pytest.fail("filled"))
    recipe = recipe_in(
        tmp_path, (VISION_STAGE, 'parts = ["vision"]'), ("cpu_threads = 1", "cpu_threads = 1\npicture_cache_gib = 1.0")
    )
    train_quietly(dataclasses.replace(recipe, stages=recipe.stages[1:]))
