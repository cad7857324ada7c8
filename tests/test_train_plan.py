"""make plan-train: memory and hours from a model without memory; and the recipes of the paper."""

from dataclasses import replace
from pathlib import Path

import pytest
from training_examples import ROOT

from florenz.train import preflight
from florenz.train.data.prompts import PAPER_WORDS
from florenz.train.distributed import find_place
from florenz.train.plan import GPUS, Work, main, need_of, work_of
from florenz.train.recipe import load_recipe
from florenz.train.schedule import learning_rate

PRETRAINING = {"0.4b": "ddp", "1.0b": "ddp", "3.5b": "ddp", "11.2b": "fsdp"}
WORK = Work(parameters=10 * 2**30, trained=2**30, flops=10**12, kept_bytes=2**28, logits=16 * 2**30 // 14)


def path_of(name: str) -> str:
    return str(ROOT / "configs" / f"paper_{name}.toml")


@pytest.mark.parametrize("size", PRETRAINING)
def test_pre_training_is_the_papers(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(path_of(size))
    (stage,) = recipe.stages
    assert (recipe.model.size, stage.steps, stage.batch_size, stage.peak_rate) == (size, 10_000, 1024, 1e-4)
    assert learning_rate(99, steps=stage.steps, peak=1e-4, warmup=stage.warmup) == 1e-4  # 100 steps of warm-up
    assert recipe.optimizer.weight_decay == 0.01 and recipe.compute.parallel == PRETRAINING[size]
    assert set(stage.mix.values()) == {1.0} and len(stage.mix) == 7
    assert {pair for pair in stage.mix if pair.startswith("caption/")} == {"caption/en", "caption/de"}
    assert "vision" not in stage.parts and ("decoder" in stage.parts) == (size in ("0.4b", "1.0b"))
    prompts = recipe.prompts.prompts(recipe.words)
    assert prompts.words_of("fr") == PAPER_WORDS["fr"] and prompts.caption.startswith("The target language is")
    for num_ranks in (1, 8, 16, 32):
        monkeypatch.setenv("WORLD_SIZE", str(num_ranks))
        assert list(preflight._ranks(recipe, find_place("cpu"))) == []
    assert load_recipe(path_of(size), {"STEPS": "500"}).total_steps == 500


def test_fine_tuning_is_the_papers() -> None:
    recipe = load_recipe(path_of("finetune"), {"SIZE": "3.5b", "INIT": "some/model"})
    (stage,) = recipe.stages
    assert (recipe.model.init, stage.image_px, stage.weight_decay) == ("some/model", 768, 0.05)
    assert (stage.steps, stage.batch_size, stage.peak_rate) == (5_000, 256, 5e-5) and len(stage.mix) == 11


def test_arithmetic_is_counted_as_by_hand() -> None:
    """A trained matrix costs two operations a token forward and four backward; attention and pictures come on top."""
    recipe = load_recipe(path_of("0.4b"))
    stage = recipe.stages[0]
    blind = replace(stage, images=False)
    work, without = work_of(recipe, stage), work_of(recipe, blind)
    assert work.parameters == pytest.approx(0.43e9, rel=0.02) and work.trained < work.parameters
    assert work.flops > without.flops and work.kept_bytes > without.kept_bytes
    tokens, texts = 128, 128
    layer = 4 * 768 * 768 + 2 * 768 * 3072
    matrices = 6 * layer * tokens + 6 * (layer + 4 * 768 * 768) * texts + 256_000 * 768 * texts
    again = 2 * 256_000 * 768 * texts  # the loss projects once more
    assert without.flops == pytest.approx(6 * matrices + again, rel=0.1) and without.logits == 256_000 * texts


def test_memory_falls_with_fsdp_and_hours_with_gpus() -> None:
    recipe = load_recipe(path_of("3.5b"))
    stage = recipe.stages[0]
    one, eight = (need_of(recipe, stage, WORK, num_gpus=n, peak=1e15, mfu=0.5) for n in (1, 8))
    assert (one.weights, one.gradients, one.optimizer, one.activations) == (60, 4, 8, 8)
    assert one.loss == pytest.approx(32)
    assert eight.memory == one.memory and eight.hours == pytest.approx(one.hours / 8)
    assert one.hours == pytest.approx(1e12 * 1024 * 10_000 / 0.5e15 / 3600)
    split = replace(recipe, compute=replace(recipe.compute, parallel="fsdp"))
    assert need_of(split, stage, WORK, num_gpus=8, peak=1e15, mfu=0.5).weights == 5


def test_what_it_says_of_the_largest_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([path_of("11.2b")]) == 0
    out, err = capsys.readouterr()
    assert "11.22 B, of which 2.53 B are trained" in out and "assumed, not measured" in out and err == ""
    assert main([path_of("11.2b"), "GPU=l4"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "GiB on each of 8 GPUs, and l4 has" in err and "more GPUs" in err


@pytest.mark.parametrize(
    ("variable", "words"),
    [("GPU=h2000", "did you mean 'h200'"), ("GPUS=0", "choose 1 or more GPUs"), ("SIZE=3b", "size (SIZE) is '3b'")],
)
def test_what_it_refuses(variable: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([path_of("0.4b"), variable]) == 2
    assert words in capsys.readouterr().err


def test_every_gpu_has_memory_and_a_peak() -> None:
    assert all(memory > 16 and peak > 1e14 for memory, peak in GPUS.values())
    assert Path(path_of("0.4b")).is_file()
