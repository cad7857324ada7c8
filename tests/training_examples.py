"""What the tests of the training share: a recipe of two short stages, and metrics without what no two runs share."""

import contextlib
import copy
import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from shards_dataset import write_dataset

from florenz.train import building, loop
from florenz.train.data.processor import Processor
from florenz.train.data.prompts import Prompts
from florenz.train.model import loading
from florenz.train.model.florenz import Florenz
from florenz.train.recipe import Recipe, load_recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPE = """
data = "{folder}/data"
out = "{folder}/out"
workers = 0
device = "cpu"
[model]
size = "playground"
[optimizer]
clip_norm = 1.0
[compute]
precision = "float32"
cpu_threads = 1
[records]
log_every_steps = 1
checkpoint_every_steps = 2
tensorboard = false
[[stages]]
name = "text"
steps = 3
images = false
parts = ["decoder", "decoder_embeddings"]
batch_size = 4
peak_rate = 1e-3
[[stages]]
name = "vision"
steps = 3
images = true
parts = ["projector", "latents"]
batch_size = 4
micro_batch_size = 2
peak_rate = 1e-3
"""


@functools.cache
def _built(seed: int, **options: Any) -> tuple[Florenz, Processor]:
    torch.manual_seed(seed)
    return loading.build(**options, languages=loading.LANGUAGES)


def build_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings of this process get copies of one model: putting it together takes longer than a short training."""

    def build(
        *, languages: list[str], prompts: Prompts, styles: tuple[str, ...], **options: Any
    ) -> tuple[Florenz, Processor]:
        assert set(languages) == set(loading.LANGUAGES)
        model, processor = copy.deepcopy(_built(torch.initial_seed(), **options))
        processor.settings = dataclasses.replace(processor.settings, prompts=prompts, styles=styles)
        return model, processor

    monkeypatch.setattr(building, "build", build)


@contextlib.contextmanager
def one_build() -> Iterator[None]:
    """`build_once`, to the end of the block."""
    with pytest.MonkeyPatch.context() as patch:
        build_once(patch)
        yield


def write_recipe(folder: Path, *changes: tuple[str, str]) -> Path:
    """The recipe above with these changes, over a dataset of twelve pictures below the same folder."""
    text = RECIPE.format(folder=folder)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    if not (folder / "data").exists():
        write_dataset(str(folder / "data"))
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def recipe_in(folder: Path, *changes: tuple[str, str], **variables: str) -> Recipe:
    return load_recipe(str(write_recipe(folder, *changes)), variables)


def metrics(out: Path | str) -> list[dict[str, Any]]:
    """The lines of the log without what no two runs share: rates, waits, memory."""
    lines = [json.loads(line) for line in (Path(out) / "metrics.jsonl").read_text().splitlines()]
    own = ("utilisation", "data_wait", "peak_memory_gib")
    return [{key: one for key, one in line.items() if not key.endswith("_per_s") and key not in own} for line in lines]


def losses(out: Path | str) -> list[float]:
    return [line["loss"] for line in metrics(out)]


def train_quietly(recipe: Recipe) -> list[str]:
    """Train; what was said on the way."""
    said: list[str] = []
    loop.train(recipe, said.append)
    return said
