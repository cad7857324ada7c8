"""The evaluation sets as a kind: the folder is the table, and each of them is held to the same suite."""

import ast
from pathlib import Path

import pytest

from florenz.recipes.kinds import kinds_in

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("kind", kinds_in("train.scores.sets"))
def test_every_set_is_held_to_the_suite(kind: str) -> None:
    """By a test that is found by its name, and is about that module."""
    tree = ast.parse((ROOT / "tests" / f"test_train_scores_sets_{kind}.py").read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    suites = [one for one in classes if "EvaluationSetSuite" in map(ast.unparse, one.bases)]
    assert any(f"module = {kind}" in map(ast.unparse, suite.body) for suite in suites)


def test_the_sets_are_listed_without_the_contract() -> None:
    assert "dataset" in kinds_in("train.scores.sets") and "contract" not in kinds_in("train.scores.sets")
