"""What settings and light halves promise, of every kind of model that is loaded in a worker: captioners and scorers."""

import ast
import base64
import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

from florenz.recipes.fingerprints import deciding, fingerprint

HEAVY = ("torch", "transformers", "apache_beam", "vllm")
LIGHT_HALF = """
import base64, importlib, json, pickle, sys
room = importlib.import_module("florenz." + sys.argv[1])
room.__path__[:] = json.loads(sys.argv[2])
contract = importlib.import_module(room.__name__ + ".contract")
settings = pickle.loads(base64.b64decode(sys.argv[4]))
kind = contract.kind_of(settings)
told = list(kind.problems(settings))
getattr(kind, sys.argv[3])(settings), kind.fingerprint_parts(settings)
print(json.dumps([told, sorted(sys.modules)]))
"""


def suites_in(path: Path, contract: str) -> list[str]:
    """Classes of this test file that extend the suite."""
    classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    return [node.name for node in classes if contract in [ast.unparse(base) for base in node.bases]]


class ModelKindContract:
    """Fixtures of the suite that extends it: settings, of a model that can be loaded here; named, of one that is known
    by its name alone, since the content of a folder is the same in every revision; kind.
    """

    room: ClassVar[str]
    asked: ClassVar[str]
    """What the light half is asked, beside its problems and the parts of its fingerprint."""

    other_values: Mapping[str, Any]
    """Field of the settings -> a value that is right and not the one in `named`; every field has one."""

    def test_settings_reach_a_worker_as_they_were(self, settings: Any) -> None:
        assert pickle.loads(pickle.dumps(settings)) == settings
        assert hash(settings) == hash(replace(settings)), "a process keeps one model for each"

    def test_settings_belong_to_their_kind(self, kind: Any, settings: Any) -> None:
        assert type(settings) is kind.Settings and kind.Settings(model="org/model").kind == settings.kind

    def test_the_light_half_finds_no_fault_and_imports_nothing_heavy(self, settings: Any) -> None:
        folders = json.dumps(list(importlib.import_module(f"florenz.{self.room}").__path__))
        pickled = base64.b64encode(pickle.dumps(settings)).decode()
        asked = [sys.executable, "-c", LIGHT_HALF, self.room, folders, self.asked, pickled]
        done = subprocess.run(asked, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told, modules = json.loads(done.stdout)
        assert told == [] and not {module.split(".")[0] for module in modules} & set(HEAVY)

    def test_what_decides_an_answer_changes_the_fingerprint_and_nothing_else_does(self, kind: Any, named: Any) -> None:
        assert set(self.other_values) == {field.name for field in fields(named)}
        before = fingerprint(kind.fingerprint_parts(named))
        assert fingerprint(kind.fingerprint_parts(replace(named))) == before
        for name, value in self.other_values.items():
            assert getattr(named, name) != value, f"{name} has this value already"
            after = fingerprint(kind.fingerprint_parts(replace(named, **{name: value})))
            assert (after != before) == (name in deciding(named)), name
