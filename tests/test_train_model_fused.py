"""The loss by a kernel: the plain one where there is none, and where there is one, the same to 1e-5."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from model_examples import Asked, miniature, picture
from training_examples import ROOT, losses, recipe_in, train_quietly

from florenz.recipes.recipe_file import RecipeError
from florenz.train.model import florenz, fused
from florenz.train.model.fused import is_installed, takes_kernel

CPU, GPU = torch.device("cpu"), torch.device("cuda")

# In a process of its own: Triton asks for its interpreter when it is imported.
COMPARE = """
from functools import partial
import torch
from florenz.train.model.fused import fused_cross_entropy
from florenz.train.model.loss import chunked_cross_entropy
for is_trained in (True, False):
    found = []
    for function in (fused_cross_entropy, partial(chunked_cross_entropy, cap=None)):
        torch.manual_seed(0)
        hidden = torch.randn(70, 16, requires_grad=True)
        weight = torch.randn(301, 16, requires_grad=is_trained)
        labels = torch.randint(0, 301, (70,))
        loss = function(hidden, weight, labels) * 0.7
        loss.backward()
        found.append([loss.detach(), hidden.grad] + ([weight.grad] if is_trained else []))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
print("alike")
"""


@pytest.mark.skipif(not is_installed(), reason="Liger's kernels are not installed: pip install liger-kernel")
def test_the_kernel_gives_value_and_gradients_of_the_plain_loss() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", COMPARE]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "alike\n"


def test_without_the_library_auto_is_plain_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "is_installed", lambda: False)
    assert [takes_kernel(wanted, device) for wanted in ("auto", "plain") for device in (CPU, GPU)] == [False] * 4
    with pytest.raises(ValueError, match="not installed: pip install liger-kernel, or set loss"):
        takes_kernel("liger", GPU)


def test_with_it_auto_takes_it_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(fused, "is_installed", lambda: True)
    assert takes_kernel("auto", GPU) and takes_kernel("liger", GPU)
    assert not (takes_kernel("auto", CPU) or takes_kernel("plain", GPU))
    with pytest.raises(ValueError, match="needs a GPU, and the device is cpu"):
        takes_kernel("liger", CPU)


@pytest.mark.parametrize("decoder", ["florence", "gemma"])
def test_a_model_asks_the_kernel_for_targets_alone(decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def kernel(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        asked.append((hidden.shape[0], weight.shape[0], (labels >= 0).all().item()))
        return hidden.sum() * 0 + 5.0

    monkeypatch.setattr(florenz, "LARGE_VOCABULARY", 1)
    monkeypatch.setattr(florenz, "fused_cross_entropy", kernel)
    model, processor = miniature(decoder)
    model.train().has_fused_loss = True
    batch = processor.collate([Asked(picture_CHW=picture())], learn_prefix=False)
    loss = float(model(**batch).loss)
    if decoder == "gemma":  # its logits are capped
        assert not asked and loss != 5.0
        return
    num_targets = int((batch["labels"] != -100).sum())
    assert loss == 5.0 and asked == [(num_targets, model.config.vocab_size, True)]
    nothing = {**batch, "labels": torch.full_like(batch["labels"], -100)}
    assert float(model(**nothing).loss) == 0.0 and len(asked) == 1  # plain: kernels want a token


@pytest.mark.usefixtures("one_build")
def test_a_training_refuses_what_it_cannot_take_before_it_starts(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path, ("[records]", 'loss = "liger"\n[records]'))
    with pytest.raises(RecipeError) as caught:
        train_quietly(recipe)
    (line,) = caught.value.problems
    wanted = "needs a GPU" if importlib.util.find_spec("liger_kernel") else "is not installed"
    assert wanted in line and not Path(recipe.out).exists()
    plain, auto = (
        recipe_in(tmp_path, ("[records]", f'loss = "{loss}"\n[records]'), OUT=str(tmp_path / loss))
        for loss in ("plain", "auto")
    )
    train_quietly(plain)
    train_quietly(auto)
    assert losses(plain.out) == losses(auto.out)  # on a CPU they are one
