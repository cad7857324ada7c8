"""What the runs of a list change in their common recipe: variants, written one by one or as a grid.

    [variants.no-french]
    about = "no translations into French: its captions must fail"
    set = { "stages.all.leave_out" = ["translation/fr"] }

    [grids.started]
    name = "w{width}-{start}"                               # of each variant
    axes = { width = [64, 128], start = ["en", "all"] }     # every combination is a variant, the last axis runs fastest
    set = { "model.gemma" = "data/decoder/{start}-{width}", "stages.all.steps" = 500 }

`set` holds keys of the recipe by their path ("stages.all.steps": a stage goes by its name). In a grid, a text that
is "{axis}" alone becomes the axis' value, whatever its type; within a longer text it is written out.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

FOLDER_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """name: of its folders. about: a line for the report. changes: path of a key -> value."""

    name: str
    about: str
    changes: Mapping[str, Any]


def take_variants(table: dict[str, Any], problems: list[str]) -> list[Variant]:
    """Takes `variants` and `grids` out of a list's table; adds a line to `problems` for each fault."""
    variants = [
        one
        for kind, read in (("variants", _written), ("grids", _combined))
        for name, entry in _entries(table, kind, problems)
        for one in read(name, entry, problems)
    ]
    if not variants and not problems:
        problems.append("there is no variant: add one under [variants.name]")
    names = [variant.name for variant in variants]
    problems += [
        f"variant {name!r} cannot name a folder: choose one of letters, numbers, '-', '_' and '.'"
        for name in dict.fromkeys(names)
        if not FOLDER_NAME.fullmatch(name)
    ]
    problems += [f"two variants are called {name!r}" for name in dict.fromkeys(names) if names.count(name) > 1]
    return variants


def _entries(table: dict[str, Any], kind: str, problems: list[str]) -> list[tuple[str, Any]]:
    entries = table.pop(kind, {})
    if isinstance(entries, dict):
        return list(entries.items())
    problems.append(f"{kind} must be sections [{kind}.name]")
    return []


def _written(name: str, entry: Any, problems: list[str]) -> Iterator[Variant]:
    if not _is_whole(entry, {"about", "set"}):
        problems.append(f'[variants.{name}] holds about = "..." and set = {{ "path.of.key" = value }}')
        return
    yield Variant(name=name, about=str(entry.get("about", "")), changes=entry.get("set", {}))


def _combined(name: str, entry: Any, problems: list[str]) -> Iterator[Variant]:
    axes = entry.get("axes") if isinstance(entry, dict) else None
    is_whole = _is_whole(entry, {"about", "set", "name", "axes"}) and isinstance(entry.get("name"), str)
    if not is_whole or not isinstance(axes, dict) or not all(isinstance(axis, list) and axis for axis in axes.values()):
        problems.append(
            f'[grids.{name}] holds name = "w{{width}}", axes = {{ width = [64, 128] }}, about = "..." and '
            'set = { "path.of.key" = "{width}" }'
        )
        return
    try:
        strangers = _placeholders([entry["name"], entry.get("set", {})]) - set(axes)
    except ValueError as problem:
        problems.append(f"[grids.{name}]: {problem}: a brace that is meant as such is written twice")
        return
    if strangers:
        problems.append(f"[grids.{name}] names {{{min(strangers)}}}, which is no axis: {', '.join(axes)}")
        return
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        yield Variant(
            name=entry["name"].format_map(chosen),
            about=str(entry.get("about", "")),
            changes=_filled(entry.get("set", {}), chosen),
        )


def _is_whole(entry: Any, keys: set[str]) -> bool:
    return isinstance(entry, dict) and set(entry) <= keys and isinstance(entry.get("set", {}), dict)


def _placeholders(value: Any) -> set[str]:
    """Names between braces, all the way down."""
    if isinstance(value, str):
        return {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
    if isinstance(value, dict):
        return {name for one in value.values() for name in _placeholders(one)}
    return {name for one in value for name in _placeholders(one)} if isinstance(value, list) else set()


def _filled(value: Any, chosen: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        alone = value[1:-1] if value.startswith("{") and value.endswith("}") else ""
        return chosen[alone] if alone in chosen else value.format_map(chosen)
    if isinstance(value, dict):
        return {name: _filled(one, chosen) for name, one in value.items()}
    return [_filled(one, chosen) for one in value] if isinstance(value, list) else value
