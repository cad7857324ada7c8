"""make bench-train-gpu on the CPU, in miniature: its figures belong to each other, and without a GPU it says so."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_examples import ROOT

from benchmarks.train_gpu import Found, Run, lines_of, main, measure, recipe_of
from florenz.train import building
from florenz.train.distributed import Place, find_place
from florenz.train.model.florenz import Florenz
from florenz.train.recipe import load_recipe
from florenz.train.settings.stages import Stage
from florenz.train.speed import Rates
from florenz.train.training import Training


def test_its_figures_belong_to_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    as_trained, stages = building.as_trained, []

    def noted(model: Florenz, this: Training, stage: Stage, image_px: int) -> None:
        stages.append(stage.name)
        as_trained(model, this, stage, image_px)

    monkeypatch.setattr(building, "as_trained", noted)
    run = Run(
        place=find_place("cpu"), peak=1e9, num_samples=48, picture_px=(96, 96), num_workers=0, num_micro_batches=2,
        num_warm=1, num_steps=2, batch_of_generation=2, new_tokens=16,
    )  # fmt: skip
    found = measure("playground", run)
    rates = found.rates
    assert rates.utilisation == pytest.approx(1e3 * rates.tflops_per_s, rel=0.01)  # the peak is a GFLOP/s
    assert rates.images_per_s > 0 and 10 < rates.tokens_per_s / rates.images_per_s < 97  # a text of each picture
    gflop_of_example = 1e3 * rates.tflops_per_s / rates.images_per_s
    assert 0.3 < gflop_of_example < 3  # of a playground's example, by hand between 0.5 and 1
    assert 0 < rates.data_wait < 1 and 0.1 < found.memory_gib < 32
    assert found.with_cache > 0 and found.without > 0
    assert stages == ["pretrain"]  # the model as a training has it


def test_a_gpu_is_measured_with_what_the_recipe_says(tmp_path: Path) -> None:
    """Frozen weights in bfloat16 above all: half of the memory of 3.5b is theirs."""
    place = Place(rank=0, world_size=1, device=torch.device("cuda", 0))
    shipped = load_recipe(str(ROOT / "configs" / "paper_3.5b.toml"))
    recipe = recipe_of("3.5b", str(tmp_path), Run(place=place, peak=1e9))
    assert recipe.compute == shipped.compute and recipe.compute.frozen_weights == "bfloat16"
    assert recipe.stages[0].micro_batch_size == shipped.stages[0].micro_batch_size
    on_cpu = recipe_of("3.5b", str(tmp_path), Run(place=find_place("cpu"), peak=1e9)).compute
    assert (on_cpu.precision, on_cpu.frozen_weights) == ("float32", "float32")


def test_it_says_what_it_found() -> None:
    rates = Rates(tokens_per_s=1000.0, images_per_s=20.5, tflops_per_s=400.0, utilisation=0.404, data_wait=0.013)
    said = "\n".join(lines_of("1.0b", Found(rates=rates, memory_gib=90.0, with_cache=900.0, without=300.0)))
    assert "1,000 tokens/s, 20.5 images/s" in said and "40.4% of the peak (goal 40% or more)" in said
    assert "90.0 GiB; data wait 1.3%" in said and "3.0 times (goal 3)" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_one_line() -> None:
    command = [sys.executable, "-m", "benchmarks.train_gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "florenz: no GPU that torch can use: this benchmark needs one\n"


@pytest.mark.parametrize(
    ("word", "said"), [("SIZE=1b", "SIZE is '1b': did you mean '1.0b'"), ("SIZ=1.0b", "unknown variable SIZ")]
)
def test_a_wrong_word_is_one_line(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
