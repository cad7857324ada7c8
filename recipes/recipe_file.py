"""A recipe's file, and how its faults are told. `pipeline/recipe.py` and `train/recipe.py` say what it may hold."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from florenz.limits.errors import TooLarge
from florenz.limits.reading import depth_of, read_whole
from florenz.limits.table import RECIPE_BYTES, RECIPE_DEPTH
from florenz.stores import files

PACKAGED = Path(__file__).resolve().parents[1] / "configs"  # of the checkout, or of site-packages/florenz


class RecipeError(ValueError):
    """Nothing was started: `problems` has one line for each fault, with what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problem.replace("\n", "\\n") for problem in problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type["RecipeError"], tuple[tuple[str, ...]]]:
        return RecipeError, (self.problems,)


def read_recipe_file(path: str) -> dict[str, Any]:
    """The tables of a TOML file, or of the recipe of this name that comes with the program. `RecipeError` if it cannot
    be read as one.
    """
    try:
        with files.open_read(_found(path)) as file:
            table = tomllib.loads(read_whole(file, RECIPE_BYTES, "it").decode())
        if depth_of(table, RECIPE_DEPTH) > RECIPE_DEPTH:
            raise TooLarge("it", None, RECIPE_DEPTH, "levels of tables and lists")
        return table
    except RecursionError as problem:
        raise RecipeError([f"{path}: cannot read this recipe: its lists lie too deep in each other"]) from problem
    except OSError as problem:
        reason = problem.strerror or str(problem) or type(problem).__name__
        raise RecipeError([f"{path}: cannot read this recipe: {reason}"]) from problem
    except ValueError as problem:  # no UTF-8, no TOML, or no such kind of URL
        raise RecipeError([f"{path}: cannot read this recipe: {problem}"]) from problem


def _found(path: str) -> str:
    """Where it is; configs/playground.toml, or playground, comes with the program if it is not here."""
    if "://" in path or Path(path).exists():
        return path
    name = path.removeprefix("configs/").removesuffix(".toml")
    packaged = PACKAGED / f"{name}.toml"
    return str(packaged) if "/" not in name and packaged.is_file() else path
