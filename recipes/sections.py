"""A section of a TOML recipe into the frozen dataclass that it describes.

The dataclass is the format: its annotations say what a key may hold, its defaults which keys may be absent. Only the
types that recipes use are understood (text, numbers, true/false, lists of them, None by absence); any other
annotation is a bug and fails loudly. Problems are collected, not raised, so that a user sees all of them at once.
"""

import dataclasses
import difflib
import json
import math
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

MAX_VALUE_CHARS = 60

Section = TypeVar("Section")


class WrongType(ValueError):
    """A value of another type than the key holds; the message says what was expected."""


class SectionReader:
    """Reads sections and collects in `problems` one line for each fault.

    `homes`: known key -> the section it belongs to ("" is the top level), to help with a key in the wrong place.
    `variables`: "section.key" -> the Make variable that sets it too.
    """

    def __init__(self, *, homes: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._homes = homes
        self._variables = variables

    def read(self, kind: type[Section], table: Any, section: str) -> Section | None:
        """The dataclass, or None if anything about it is wrong. A dataclass in one of its fields shares the table."""
        if not isinstance(table, Mapping):
            self.problems.append(f"[{section}] must be a section, got {show(table)}")
            return None
        self.check_keys(table, list(keys_of(kind)), section)
        return self._make(kind, table, section)

    def check_keys(self, table: Mapping[str, Any], known: Collection[str], section: str) -> None:
        for key in table:
            if key not in known:
                where = f"in [{section}]" if section else "at the top level"
                self.problems.append(f"unknown key '{key}' {where}: {self._advice(key, known, section)}")

    def values(self, kind: type, table: Mapping[str, Any], section: str) -> dict[str, Any]:
        """What the table holds for the fields that are no dataclass; wrong and missing ones are left out."""
        hints = get_type_hints(kind)
        found = {}
        for field in plain_fields(kind):
            label = self.label(section, field.name)
            if field.name not in table:
                if not _has_default(field):
                    self.problems.append(f"{label} is missing: {self._how_to_add(section, field.name)}")
                continue
            try:
                found[field.name] = convert(table[field.name], hints[field.name])
            except WrongType as problem:
                self.problems.append(f"{label}: {problem}, got {show(table[field.name])}")
        return found

    def label(self, section: str, key: str) -> str:
        """How a key is named to the user: with its section, and with the Make variable if there is one."""
        variable = self._variables.get(f"{section}.{key}".lstrip("."))
        return (f"[{section}] " if section else "") + key + (f" ({variable})" if variable else "")

    def _make(self, kind: type[Section], table: Mapping[str, Any], section: str) -> Section | None:
        problems_before = len(self.problems)
        hints = get_type_hints(kind)
        values = self.values(kind, table, section)
        for field in nested_fields(kind):
            values[field.name] = self._make(hints[field.name], table, section)
        if len(self.problems) > problems_before:
            return None
        try:
            return kind(**values)
        except ValueError as problem:
            where = f"[{section}] " if section else ""
            self.problems += [where + line for line in str(problem).splitlines()]
            return None

    def _advice(self, key: str, known: Collection[str], section: str) -> str:
        home = self._homes.get(key)
        if home == "":
            return "it belongs at the top, above the first [section]"
        if home is not None and home != section:
            return f"it belongs into [{home}]"
        return nearest(key, known)

    def _how_to_add(self, section: str, key: str) -> str:
        variable = self._variables.get(f"{section}.{key}".lstrip("."))
        return f"add {key} = ..." + (f" or give {variable}=..." if variable else "")


def nearest(word: str, known: Collection[str]) -> str:
    """What to say about a word that is not known."""
    by_lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lowered, n=1, cutoff=0.5)
    return f"did you mean '{by_lowered[near[0]]}'?" if near else f"known are {', '.join(known)}"


def keys_of(kind: type) -> Iterator[str]:
    """All keys of a section, those of the dataclasses within it included."""
    for field in plain_fields(kind):
        yield field.name
    for field in nested_fields(kind):
        yield from keys_of(get_type_hints(kind)[field.name])


def plain_fields(kind: type) -> list[dataclasses.Field[Any]]:
    nested = [field.name for field in nested_fields(kind)]
    return [field for field in dataclasses.fields(kind) if field.name not in nested]


def nested_fields(kind: type) -> list[dataclasses.Field[Any]]:
    hints = get_type_hints(kind)
    return [field for field in dataclasses.fields(kind) if dataclasses.is_dataclass(hints[field.name])]


def convert(value: Any, expected: Any) -> Any:
    """The value as the annotation wants it: lists become tuples, whole numbers pass for floats. `WrongType` if not."""
    if get_origin(expected) in (Union, types.UnionType):
        (expected,) = [option for option in get_args(expected) if option is not types.NoneType]
    if get_origin(expected) is tuple:
        if not isinstance(value, list):
            raise WrongType(f"expected {describe(expected)}")
        return tuple(_convert_item(item, expected) for item in value)
    if dataclasses.is_dataclass(expected):
        return _table(value, expected)
    if get_origin(expected) is Mapping:
        if not isinstance(value, Mapping):
            raise WrongType(f"expected {describe(expected)}")
        return {key: convert(item, get_args(expected)[1]) for key, item in value.items()}
    is_whole_for_float = expected is float and type(value) is int
    # Exact types: True is an int to Python and a slip to a user.
    if type(value) is not expected and not is_whole_for_float:
        raise WrongType(f"expected {describe(expected)}")
    if expected is float and not math.isfinite(value):
        raise WrongType("expected a finite number")
    return float(value) if is_whole_for_float else value


def describe(expected: Any) -> str:
    """The type in the user's words."""
    if get_origin(expected) is tuple:
        return f"a list, each item {describe(get_args(expected)[0])}"
    if get_origin(expected) is Mapping:
        return f"a table, each value {describe(get_args(expected)[1])}"
    if isinstance(expected, type) and dataclasses.is_dataclass(expected):
        return f"a section with {', '.join(field.name for field in plain_fields(expected))}"
    return {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}[expected]


def show(value: Any) -> str:
    """The value as TOML would roughly write it, on one line and not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_VALUE_CHARS else text[:MAX_VALUE_CHARS] + "..."


def _table(value: Any, kind: Any) -> Any:
    """A section within a section, like [filters.toxicity], or one of a list of them, like [[filters.words]]."""
    hints = get_type_hints(kind)
    if not isinstance(value, Mapping):
        raise WrongType(f"expected {describe(kind)}")
    for key in value:
        if key not in hints:
            raise WrongType(f"unknown key '{key}': {nearest(key, list(hints))}")
    for field in plain_fields(kind):
        if field.name not in value and not _has_default(field):
            raise WrongType(f"{field.name} is missing")
    try:
        return kind(**{key: convert(item, hints[key]) for key, item in value.items()})
    except WrongType:
        raise
    except ValueError as problem:
        raise WrongType(str(problem)) from problem


def _convert_item(item: Any, expected: Any) -> Any:
    if dataclasses.is_dataclass(get_args(expected)[0]):
        return _table(item, get_args(expected)[0])
    try:
        return convert(item, get_args(expected)[0])
    except WrongType as problem:
        raise WrongType(f"expected {describe(expected)}") from problem


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
