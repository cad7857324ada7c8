"""The stores as a kind: the folder is the table, and each of them is held to the same suite."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCHEMES = sorted(path.stem for path in (ROOT / "stores" / "schemes").glob("[!_]*.py"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_store_is_held_to_the_suite(scheme: str) -> None:
    """By a test that is found by its name, and is about that module."""
    tree = ast.parse((ROOT / "tests" / f"test_stores_schemes_{scheme}.py").read_text())
    suites = [
        node for node in tree.body if isinstance(node, ast.ClassDef) if "StoreSuite" in map(ast.unparse, node.bases)
    ]
    wanted = {f"store = {scheme}", f"store = {scheme}.STORE"}
    assert any(wanted & set(map(ast.unparse, suite.body)) for suite in suites)


@pytest.mark.parametrize(
    ("path", "imported"), [("a/b", []), ("file:///a", []), ("memory://a", ["florenz.stores.schemes.remote", "fsspec"])]
)
def test_only_the_store_that_is_asked_for_is_imported(path: str, imported: list[str]) -> None:
    code = (
        "import sys; from florenz.stores import files; files.exists(sys.argv[1]);"
        "print(*sorted({'florenz.stores.schemes.remote', 'fsspec'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == imported
