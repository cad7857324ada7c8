"""The folder is the table: `families/alma.toml` is what `prompt = "alma"` in a recipe means. Nothing lists them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from florenz.limits.reading import read_path
from florenz.limits.table import FAMILY_BYTES
from florenz.recipes.sections import SectionReader, nearest, plain_fields, show
from florenz.translators.family import Example, Family

FOLDER = Path(__file__).with_name("families")
TEXTS_BY_LANGUAGE = ("turns", "names", "codes")  # tables of language -> text
OF_TEXTS = (*TEXTS_BY_LANGUAGE, "record")
TABLES = (*OF_TEXTS, "template")


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
