"""make plan-train: memory and hours from a model without memory; and the recipes of the paper."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from training_examples import ROOT

from florenz.train import preflight
from florenz.train.data.prompts import PAPER_WORDS
from florenz.train.gpus import GPUS
from florenz.train.plan import Work, need_of, work_of
from florenz.train.plan_command import main
from florenz.train.recipe import load_recipe
from florenz.train.schedule import learning_rate

PRETRAINING = {"0.4b": "ddp", "1.0b": "ddp", "3.5b": "ddp", "11.2b": "fsdp"}
WORK = Work(
    parameters=10 * 2**30, trained=2**30, flops=10**12, kept_bytes=2**28, gathered=3 * 2**30, logits=16 * 2**30 // 14
)


def path_of(name: str) -> str:
    return str(ROOT / "configs" / f"paper_{name}.toml")


@pytest.mark.parametrize("size", PRETRAINING)
def test_pre_training_is_the_papers(size: str) -> None:
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
        assert preflight.problems_of_recipe(recipe, world_size=num_ranks) == []
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
    of_split = need_of(split, stage, WORK, num_gpus=8, peak=1e15, mfu=0.5)
    assert of_split.weights == 5 + 6 and of_split.optimizer == 1  # 3 * 2**30 are gathered, in bfloat16
    assert stage.num_micro_batches == 32 and of_split.gradients == 0.5 + 4  # a whole one between four micro-batches
    assert need_of(split, stage, WORK, num_gpus=32, peak=1e15, mfu=0.5).gradients == 0.125


def test_what_it_says_of_the_largest_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([path_of("11.2b")]) == 0
    out, err = capsys.readouterr()
    assert "11.22 B, of which 2.53 B are trained" in out and "assumed, not measured" in out and err == ""
    assert main([path_of("11.2b"), "GPU=l4"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "GiB on each of 8 GPUs, and l4 has" in err and "more GPUs" in err


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("GPU=h2000", "GPU is 'h2000': did you mean 'h200'"), ("GPUS=0", "GPUS must be a whole number above 0"),
        ("GPUS=two", "GPUS must be a whole number above 0, got 'two'"), ("MFU=40", "MFU must be a share"),
        ("MFU=much", "MFU must be a share"), ("MFU=nan", "MFU must be a share"), ("SIZE=3b", "size (SIZE) is '3b'"),
        ("STEPS=0", "STEPS"), ("GPU_=l4", "unknown variable GPU_"),
    ],
)  # fmt: skip
def test_what_is_wrong_without_torch_is_said_without_it(variable: str, words: str) -> None:
    code = (
        "import sys; from florenz.train.plan_command import main; code = main(sys.argv[1:]);"
        "print(sorted({'torch', 'transformers'} & sys.modules.keys())); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, path_of("0.4b"), variable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and done.stdout == "[]\n"
    assert words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "change", "words"),
    [
        (["GPUS=3"], ("", ""), "do not divide among 3 ranks"),
        ([], ("images = true", "images = true\nimage_px = 1600"), "has positions for pictures of at most 928 px"),
        ([], ("images = true", 'images = true\nparts = ["decodr"]'), "unknown part 'decodr': did you mean 'decoder'"),
    ],
)  # fmt: skip
def test_a_recipe_that_no_machine_could_train_has_no_plan(
    variables: list[str], change: tuple[str, str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path(path_of("0.4b")).read_text()
    assert change[0] in text
    (tmp_path / "recipe.toml").write_text(text.replace(*change) if change[0] else text)
    assert main([str(tmp_path / "recipe.toml"), *variables]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1


def test_every_gpu_has_memory_and_a_peak() -> None:
    assert all(memory > 16 and peak > 1e14 for memory, peak in GPUS.values())
    assert Path(path_of("0.4b")).is_file()
