"""The folder is the table: `kind = "florence2"` in a recipe selects the module `captioners/florence2`.

A room of kinds holds `contract.py`, which says what each of them offers, and one module or package for each kind, in
the recipe's words. To add one is to add a file. Nothing is imported to list them, and only the chosen one is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Protocol, runtime_checkable

from florenz.recipes.sections import nearest

PACKAGE = "florenz"
NO_KINDS = ("contract",)


@runtime_checkable
class Closing(Protocol):
    """A loaded model of any kind that holds more than this process's memory."""

    def close(self) -> None:
        """It is asked no more: its server ends."""


class KindError(ValueError):
    """No such kind, or a package that it needs is not installed; one line with what to do."""


def kinds_in(room: str) -> tuple[str, ...]:
    """The kinds of a room ("captioners") in alphabetical order; none of them is imported."""
    spec = importlib.util.find_spec(f"{PACKAGE}.{room}")
    if spec is None or spec.submodule_search_locations is None:
        raise ValueError(f"there is no room {room!r}")
    modules = pkgutil.iter_modules(spec.submodule_search_locations)
    return tuple(sorted(one.name for one in modules if one.name not in NO_KINDS and not one.name.startswith("_")))


def load_kind(room: str, kind: str) -> ModuleType:
    """The module of one kind.

    Raises:
        KindError: no such kind, with the nearest one; or it needs a package that is missing.
    """
    known = kinds_in(room)
    if kind not in known:
        raise KindError(f"kind = {kind!r}: there is no such kind in {room}/: {nearest(kind, known)}")
    try:
        return importlib.import_module(f"{PACKAGE}.{room}.{kind}")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == PACKAGE:
            raise
        package = missing.name.partition(".")[0]
        raise KindError(_is_missing(kind, package)) from missing


def need_packages(kind: str, packages: Iterable[str]) -> None:
    """For a kind that imports these packages later. Raises KindError for the first that is missing."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise KindError(_is_missing(kind, package))


def _is_missing(kind: str, package: str) -> str:
    return f"kind = {kind!r} needs the package {package!r}, which is missing: install it"
