"""Reads the words of a command about a recipe, or about lists of runs: `florenz NAME RECIPE [VARIABLE=value ...]`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from florenz.console import REFUSED, fail
from florenz.recipes.sections import nearest


def read_recipe_words(arguments: Sequence[str], usage: str) -> tuple[str, dict[str, str]] | int:
    """The recipe, and the variables as they were typed; or the exit code, after help was printed or a line said how the
    command goes."""
    if any(word in ("--help", "-h") for word in arguments):
        print(usage)
        return 0
    if not arguments or any("=" not in word for word in arguments[1:]):
        return fail(usage.splitlines()[0], REFUSED)
    return arguments[0], dict(word.split("=", 1) for word in arguments[1:])


def read_list_words(arguments: Sequence[str], names: Collection[str]) -> tuple[list[str], dict[str, str]] | int:
    """The paths, and the variables that are not empty; or the exit code, after a line about a name that is none."""
    paths = [word for word in arguments if "=" not in word]
    typed = dict(word.split("=", 1) for word in arguments if "=" in word)
    variables = {name: value.strip() for name, value in typed.items() if value.strip()}
    if unknown := [name for name in variables if name not in names]:
        return fail(f"unknown variable {unknown[0]}: {nearest(unknown[0], names)}", REFUSED)
    return paths, variables
