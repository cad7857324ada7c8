"""A first run has its translation server come up while the pictures are read; a later one asks the ledger first."""

import json
from pathlib import Path

import pytest
from pipeline_examples import text_of, write_pictures

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline import run as run_module
from florenz.pipeline.answers.surveyed import may_be_answered
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.run import run
from florenz.pipeline.serving import Serving

RECIPE = """
languages = ["de"]
held_out = []
out = "{out}"
[images]
source = "{pictures}"
[captioner]
kind = "original"
[translator]
model = "org/m"
prompt = "playground"
endpoint = "{endpoint}"
"""


def when_started(folder: Path, monkeypatch: pytest.MonkeyPatch, images: int) -> list[str]:
    """Of each time a server was asked to come up: "before" the first look at what is missing, or "after"."""
    write_pictures(folder / "pictures", images)
    for number in range(images):
        (folder / "pictures" / f"{number:03d}.json").write_text(json.dumps({"alt": text_of(number, "en")}))
    out, found = str(folder / "out"), []
    monkeypatch.setattr(Serving, "start", lambda _: found.append("after" if may_be_answered(out) else "before"))
    with StandInServer("org/m", lambda prompt: text_of(sum(prompt.encode()), "de")) as server:
        recipe = RECIPE.format(out=out, pictures=folder / "pictures", endpoint=server.endpoint)
        (folder / "recipe.toml").write_text(recipe)
        run(load_recipe(str(folder / "recipe.toml")), say=print)
    return found


def test_only_a_first_run_of_few_images_starts_its_server_before_it_knows_that_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert when_started(tmp_path / "first", monkeypatch, 3)[0] == "before"
    assert when_started(tmp_path / "first", monkeypatch, 3) == []  # nothing is missing
    assert set(when_started(tmp_path / "first", monkeypatch, 4)) == {"after"}
    monkeypatch.setattr(run_module, "FEW_IMAGES", 2)
    assert set(when_started(tmp_path / "many", monkeypatch, 3)) == {"after"}
