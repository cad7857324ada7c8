"""COMET, by a program in the place of comet-score that takes its published options and writes its published JSON."""

import json
import os
import sys
from pathlib import Path

import pytest
import test_train_scores_sets_commute as commute_files
from model_examples import miniature
from training_examples import write_recipe

from florenz.recipes.recipe_file import RecipeError
from florenz.train.evaluate import main
from florenz.train.recipe import load_recipe
from florenz.train.scores.comet import CometError, comet, problems

MODEL = "Unbabel/wmt22-comet-da"
# A text scores the share of its reference's words that it has; options as in comet/cli/score.py of unbabel-comet 2.2.7.
STAND_IN = """#!{python}
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("-s", "--sources")
parser.add_argument("-t", "--translations", nargs="+")
parser.add_argument("-r", "--references")
parser.add_argument("--gpus", type=int, default=1)
parser.add_argument("--quiet", action="store_true")
parser.add_argument("--only_system", action="store_true")
parser.add_argument("--to_json", default="")
parser.add_argument("--model", default="")
asked = parser.parse_args()
if asked.model != "{model}":
    sys.exit("KeyError: Model '" + asked.model + "' not supported by COMET.")
lines = lambda path: [line.strip() for line in open(path, encoding="utf-8").readlines()]
data = {{}}
for path in asked.translations:
    rows = zip(lines(asked.sources), lines(path), lines(asked.references), strict=True)
    data[path] = [
        {{"src": src, "mt": mt, "ref": ref, "COMET": len(set(mt.split()) & set(ref.split())) / len(set(ref.split()))}}
        for src, mt, ref in rows
    ]
if os.environ.get("CUT"):
    data[path].pop()
json.dump(data, open(asked.to_json, "w", encoding="utf-8"), ensure_ascii=False)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bin" / "comet-score"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable, model=MODEL))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)


def test_each_text_of_each_system_has_its_score(program: None) -> None:
    systems = {"good": ["Ein rotes Auto", "Zwei\nHunde "], "none": ["", "nichts"]}
    found = comet(MODEL, ["A red car", "Two dogs"], systems, ["Ein rotes Auto", "Zwei Katzen"], num_gpus=0)
    assert found == {"good": [1.0, 0.5], "none": [0.0, 0.0]}


def test_what_the_program_says_went_wrong_is_one_line(program: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CometError, match=r"comet-score --model no/such failed: KeyError: Model 'no/such' not supp"):
        comet("no/such", ["A"], {"one": ["B"]}, ["C"], num_gpus=0)
    monkeypatch.setenv("CUT", "1")
    with pytest.raises(CometError, match="did not score each of 1 texts"):
        comet(MODEL, ["A"], {"one": ["B"]}, ["C"], num_gpus=0)


def recipe_with(folder: Path, model: str) -> str:
    return str(write_recipe(folder, ("[compute]", f'[evaluation]\ncomet = "{model}"\n[compute]')))


def test_the_command_has_a_column_for_it_and_loses_nothing_where_it_fails(
    program: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_with(tmp_path, MODEL)
    (tmp_path / "bench").mkdir()
    commute_files.write_set(tmp_path / "bench")
    model, processor = miniature("florence")
    model.save_pretrained(tmp_path / "out" / "model")
    processor.save_pretrained(tmp_path / "out" / "model")
    assert main([recipe, "BENCHMARK=commute", f"BENCHMARK_DATA={tmp_path}/bench", "BEAMS=1"]) == 0
    said = capsys.readouterr().out
    assert "COMET" in said and f"COMET is {MODEL}" in said
    numbers = json.loads((tmp_path / "out" / "evaluation-commute.json").read_text())
    (german,) = numbers["pairs"]
    words = [
        (set(source.split()), set(right.split()))
        for source, right in zip(
            commute_files.FILES["en-de"]["src.en"], commute_files.FILES["en-de"]["correct.de"], strict=True
        )
    ]
    expected = sum(len(source & right) / len(right) for source, right in words) / len(words)
    assert german["copied"]["comet"] == pytest.approx(expected)
    assert german["with_prefix"]["comet"] is not None and numbers["comet"] == MODEL
    low, high = german["copied"]["intervals"]["comet"]
    assert low <= expected <= high and german["chance"]["comet"] is None
    monkeypatch.setenv("CUT", "1")
    assert main([recipe, "BENCHMARK=commute", f"BENCHMARK_DATA={tmp_path}/bench", "BEAMS=1"]) == 0
    said = capsys.readouterr().out
    assert "warning: comet-score --model" in said and "COMET is" not in said
    without = json.loads((tmp_path / "out" / "evaluation-commute.json").read_text())
    assert without["comet"] == "" and without["pairs"][0]["copied"]["bleu"] == german["copied"]["bleu"]


def test_without_the_program_it_is_refused_before_a_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("florenz.train.scores.finished.load", pytest.fail)
    recipe = recipe_with(tmp_path, MODEL)
    (tmp_path / "bench").mkdir()
    commute_files.write_set(tmp_path / "bench")
    (tmp_path / "out" / "model").mkdir(parents=True)
    assert main([recipe, "BENCHMARK=commute", f"BENCHMARK_DATA={tmp_path}/bench"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"florenz: {problems(MODEL)[0]}" and "no program comet-score" in line


def test_the_key_decides_no_weights_and_is_no_empty_text(tmp_path: Path) -> None:
    with_it = load_recipe(recipe_with(tmp_path, MODEL))
    without = load_recipe(str(write_recipe(tmp_path)))
    assert with_it.evaluation.comet == MODEL and with_it.identity() == without.identity()
    with pytest.raises(RecipeError, match=r"\[evaluation\] comet is empty"):
        load_recipe(recipe_with(tmp_path, " "))
