"""Under FSDP2 no rank loads the whole model: it begins, goes on and ends with pieces, and learns the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from model_examples import miniature, picture
from safetensors.torch import load_file, save_file
from test_train_distributed import CHANGES, forget_after
from training_examples import ROOT, metrics, recipe_in, train_quietly, write_recipe

from florenz.shards.manifest import Manifest, read_manifest
from florenz.train import split
from florenz.train.distributed import Place
from florenz.train.model.meta import is_without_weights
from florenz.train.recipe import Recipe
from florenz.train.split import able_to_look, apart
from florenz.train.state import weights_of
from florenz.train.tensor_files import TensorFile
from florenz.train.training import Training


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, and a training in one rank below `one`."""
    folder = tmp_path_factory.mktemp("split")
    train_quietly(recipe_in(folder, *CHANGES, OUT=str(folder / "one")))
    return folder


def run(folder: Path, out: Path) -> None:
    recipe = write_recipe(folder, *CHANGES, ("cpu_threads = 1", 'cpu_threads = 1\nparallel = "fsdp"'))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, "tests/split_memory.py", str(recipe), str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr


def assert_moved_alike(out: Path, wanted: Path) -> None:
    """From the first step on, each weight took the same way, to a thousandth of its length. Adam makes whole steps of
    gradients that are nothing but rounding, so single numbers differ by more, and so do biases of keys, whose gradient
    is zero: softmax does not see what all keys share.
    """
    found, expected = (load_file(folder / "model" / "model.safetensors") for folder in (out, wanted))
    start = load_file(wanted / "checkpoints" / "step-00000001" / "model.safetensors")
    assert found.keys() == expected.keys() == start.keys()
    for name, tensor in expected.items():
        moved = 0.1 if name.endswith("k_proj.bias") else float((tensor - start[name]).norm())
        assert float((found[name] - tensor).norm()) <= 1e-3 * moved, name
    assert sum(not torch.equal(expected[name], start[name]) for name in expected) > 20


@pytest.mark.slow
def test_no_rank_loads_the_whole_model_and_the_losses_are_those_of_one_process(one: Path) -> None:
    """From nothing, so that the start is made apart; then from the middle of a stage, so that pieces are read."""
    out = one / "two"
    run(one, out)
    saved = one / "one" / "checkpoints" / "step-00000004"
    whole = sum(tensor.nbytes for tensor in load_file(saved / "model.safetensors").values())
    for attempt in range(2):
        for wanted, found in zip(metrics(one / "one"), metrics(out), strict=True):
            assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
        assert_moved_alike(out, one / "one")
        for rank in range(2):
            found = json.loads((out / f"memory-{rank}.json").read_text())
            assert 0 < found["held"] < 0.6 * whole and found["whole_files"] == 0, (attempt, rank, found, whole)
        if not attempt:
            forget_after(out, step=3)
            run(one, out)
    assert not list((out / "checkpoints").glob(".*"))


def fails(text: str) -> None:
    raise ValueError(text)


def test_what_goes_wrong_apart_is_said_here() -> None:
    assert apart(fails, "no such weights") == "no such weights"
    assert apart(print, "") == ""
    assert "died with code 7" in apart(os._exit, 7)


def test_a_model_without_memory_looks_at_pictures_as_a_whole_one_does(tmp_path: Path) -> None:
    model, _ = miniature("florence")
    save_file({name: one.detach().contiguous() for name, one in weights_of(model).items()}, tmp_path / "file")
    with torch.device("meta"):
        empty = type(model)(model.config).eval()
    with able_to_look(empty, TensorFile(tmp_path / "file")), torch.no_grad():
        assert torch.equal(empty.encoder.look(picture()[None]), model.encoder.look(picture()[None]))
        assert empty.lm_head.weight.device.type == "meta"
    assert is_without_weights(empty) and all(one.device.type == "meta" for one in empty.parameters())


def test_the_start_stays_until_the_slowest_rank_has_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two ranks, which is done before the other one. Told alone, it would remove what that one reads."""
    recipe = recipe_in(tmp_path)
    place = Place(rank=0, world_size=2, device=torch.device("cpu"))
    this = Training(recipe=recipe, manifest=read_manifest(recipe.data), place=place, log=None, say=print)
    start = Path(recipe.out) / split.START

    def make(_: object, recipe: Recipe, manifest: Manifest, folder: Path) -> str:
        folder.mkdir(parents=True)
        save_file({"one": torch.ones(2)}, folder / "model.safetensors")
        return ""

    waits: list[bool] = []

    def reduced(box: torch.Tensor, op: object = None) -> None:
        waits.append(start.exists())

    monkeypatch.setattr(split, "apart", make)
    monkeypatch.setattr(torch.distributed, "broadcast", lambda box, src: None)  # which the first one need not wait for
    monkeypatch.setattr(torch.distributed, "all_reduce", reduced)
    with split.weights_file(this, None) as file:
        assert list(file) == ["one"] and not waits
    assert waits == [True] and not start.exists()
