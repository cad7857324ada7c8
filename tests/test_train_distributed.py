"""Two ranks learn what one with as many micro-batches learns, by DDP and by FSDP2; either goes on from the other."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_examples import ROOT, build_once, metrics, recipe_in, write_recipe

from florenz.recipes.recipe_file import RecipeError
from florenz.train.distributed import find_place
from florenz.train.loop import train
from florenz.train.recipe import load_recipe

# Two stages of two steps, each of two micro-batches, and a checkpoint of every step.
CHANGES = (
    ("steps = 3\n", "steps = 2\n"),
    ("batch_size = 4\npeak", "batch_size = 4\nmicro_batch_size = 2\npeak"),
    ("checkpoint_every_steps = 2", "checkpoint_every_steps = 1\nkeep_checkpoints = 4"),
)


def run_in_two_ranks(recipe: Path, out: Path) -> str:
    """The command line under torchrun, on the CPU; what it prints."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, "-m", "train", str(recipe), f"OUT={out}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dataset, and a training in one rank below `one`."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        build_once(patch)
        train(recipe_in(folder, *CHANGES, OUT=str(folder / "one")), lambda text: None)
        yield folder


def forget_after(out: Path, step: int) -> None:
    """Remove the checkpoints of later steps."""
    for path in (out / "checkpoints").iterdir():
        if int(path.name.removeprefix("step-")) > step:
            shutil.rmtree(path)


def assert_alike(out: Path, wanted: Path) -> None:
    found, expected = metrics(out), metrics(wanted)
    assert len(found) == len(expected) == 4
    for line, other in zip(found, expected, strict=True):
        assert line == other | {
            "loss": pytest.approx(other["loss"], rel=1e-4),
            "gradient_norm": pytest.approx(other["gradient_norm"], rel=1e-3),
        }


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.slow
def test_two_ranks_go_on_as_one_with_two_micro_batches_would_and_one_goes_on_from_them(
    folder: Path, parallel: str
) -> None:
    """From the middle of a stage both times, so that optimizer states are split up and put together."""
    out = folder / parallel
    shutil.copytree(folder / "one", out)
    forget_after(out, step=1)
    recipe = write_recipe(folder, *CHANGES, ("cpu_threads = 1", f'cpu_threads = 1\nparallel = "{parallel}"'))
    said = run_in_two_ranks(recipe, out)
    assert said.count("stage vision") == 1  # the second rank says nothing
    assert_alike(out, folder / "one")
    forget_after(out, step=3)
    train(load_recipe(str(recipe), {"OUT": str(out)}), lambda text: None)
    assert_alike(out, folder / "one")


@pytest.mark.slow
def test_two_ranks_share_the_samples_of_a_single_micro_batch(tmp_path: Path) -> None:
    """README's torchrun command: a step has the tokens of one rank, and nearly its loss: dropout differs."""
    changes = ("steps = 3\n", "steps = 2\n"), ("micro_batch_size = 2\n", "")
    recipe = write_recipe(tmp_path, *changes)
    said = run_in_two_ranks(recipe, tmp_path / "two")
    assert said.count("scores in ") == 1 and (tmp_path / "two" / "evaluation.json").is_file()  # by both, told by one
    train(load_recipe(str(recipe), {"OUT": str(tmp_path / "one")}), lambda text: None)
    two, one = metrics(tmp_path / "two"), metrics(tmp_path / "one")
    assert [(line["tokens"], line["images"]) for line in two] == [(line["tokens"], line["images"]) for line in one]
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=0.05)


def test_micro_batches_that_do_not_divide_among_the_ranks_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(RecipeError) as caught:
        train(recipe_in(tmp_path, *CHANGES), pytest.fail)
    text, vision = caught.value.problems
    assert "[stages.text] a step has 2 micro-batches" in text and "[stages.vision]" in vision
    assert "3 ranks: set micro_batch_size to 1" in text
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for device in ("cuda", "cuda:0"):
        with pytest.raises(ValueError, match=f"device .DEVICE. is {device}, and there is none .* use DEVICE=cpu"):
            find_place(device)
    assert find_place("auto").device.type == find_place("cpu").device.type == "cpu"


def test_each_rank_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(find_place(device).device) for device in ("auto", "cuda", "cuda:1")] == ["cuda:0", "cuda:0", "cuda:1"]
    with pytest.raises(ValueError, match="cuda:2, and there are 2"):
        find_place("cuda:2")
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    place = find_place("auto")
    assert (place.rank, place.world_size, str(place.device), place.is_first) == (5, 8, "cuda:1", False)
    with pytest.raises(ValueError, match="one GPU for 8 ranks"):
        find_place("cuda:1")
    for local in ("0", "3"):  # the first rank says so too
        monkeypatch.setenv("LOCAL_RANK", local)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
        with pytest.raises(ValueError, match="4 ranks for 2 GPUs: set --nproc-per-node 2"):
            find_place("auto")
