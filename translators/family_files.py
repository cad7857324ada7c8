"""The folder is the table: `families/alma.toml` is what `prompt = "alma"` in a recipe means. Nothing lists them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from florenz.languages.codes import NAMES
from florenz.limits.reading import read_path
from florenz.limits.table import FAMILY_BYTES
from florenz.recipes.sections import SectionReader, nearest, plain_fields, show
from florenz.translators.family import Example, Family

FOLDER = Path(__file__).with_name("families")
TEXTS_BY_LANGUAGE = ("turns", "names", "codes")  # tables of language -> text
OF_TEXTS = (*TEXTS_BY_LANGUAGE, "record")
TABLES = (*OF_TEXTS, "template")
# What a family in a recipe may leave out: the others are shipped to strangers, who look for it.
OF_A_RECIPE = {
    "licence": "that of the model which the recipe names",
    "source": "the recipe",
    "example": {"text": "", "language": "de", "prompt": ""},
}


class FamilyError(ValueError):
    """There is no such family, or its file is broken; one line with what to do."""


def family_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """In alphabetical order; no file is read."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml") if not path.stem.startswith((".", "_"))))


@cache
def family_named(name: str, folder: Path = FOLDER) -> Family:
    """Raises:
    FamilyError: there is none of this name, with the nearest; or its file can't be read.
    """
    known = family_names(folder)
    if name not in known:
        raise FamilyError(f"prompt = {name!r}: there is no such family of translators: {nearest(name, known)}")
    path = folder / f"{name}.toml"
    try:
        table = tomllib.loads(read_path(path, FAMILY_BYTES).decode())
    except (OSError, ValueError) as problem:
        raise FamilyError(f"prompt = {name!r}: {path} can't be read: {' '.join(str(problem).split())}") from problem
    family, problems = read_family(name, table)
    if family is None:
        raise FamilyError(f"prompt = {name!r}: {path}: {'; '.join(problems)}")
    return family


@cache
def recipe_family(name: str, text: str) -> Family:
    """A family that stands in a recipe; text: its table as JSON, as the recipe's reader hands it on.

    Raises:
        FamilyError: a line for each fault.
    """
    label = f"family {name!r}"
    if name in family_names():
        raise FamilyError(f"prompt = {name!r} is a family of Florenz, and [family] describes your own: name it anew")
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise FamilyError(f"{label}: write it as a section of its own, [translator.family]") from problem
    if not isinstance(table, dict):
        raise FamilyError(f"{label}: write it as a section of its own, [translator.family]")
    family, problems = read_family(name, {**OF_A_RECIPE, **table})
    if family is None:
        raise FamilyError("\n".join(f"{label}: {problem}" for problem in problems))
    if "example" in table and not family.needs_chat_template:
        example = asdict(family.example)
        (prompt,) = family.prompts([example["text"]], example["language"], NAMES)
        if prompt != example["prompt"]:
            raise FamilyError(f"{label}: its example is asked as {show(prompt)}, not as {show(example['prompt'])}")
    return family


def read_family(name: str, table: Mapping[str, Any]) -> tuple[Family | None, list[str]]:
    """The family that a TOML table describes, or None and what is wrong with it."""
    reader = SectionReader(homes={}, variables={})
    keys = [field.name for field in plain_fields(Family) if field.name != "name"]
    reader.check_keys(table, [*keys, "example"], "")
    tables = {key: table[key] for key in TABLES if key in table}
    reader.problems += [problem for key, value in tables.items() for problem in _table_problems(key, value)]
    plain = {key: value for key, value in table.items() if key not in TABLES} | {"name": name}
    values = reader.values(Family, plain, "")
    example = reader.read(Example, table.get("example", {}), "example")
    if reader.problems or example is None:
        return None, reader.problems
    try:
        return Family(**values, **tables, example=example), []
    except ValueError as problem:
        return None, str(problem).splitlines()


def _table_problems(key: str, table: Any) -> list[str]:
    """Sections whose keys are a language's or a template's own; the reader knows sections of fixed keys only."""
    if not isinstance(table, dict):
        return [f"[{key}] must be a section, got {show(table)}"]
    expected: tuple[type, ...] = (str,) if key in OF_TEXTS else (str, bool, int, float)
    said = "a text in quotes" if key in OF_TEXTS else "a text, a number, or true or false"
    return [
        f"[{key}] {name}: expected {said}, got {show(value)}"
        for name, value in table.items()
        if type(value) not in expected
    ]
