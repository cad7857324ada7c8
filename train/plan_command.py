"""`florenz plan-train RECIPE [GPUS=8] [GPU=h200] [MFU=0.4] ...`: memory and hours of a training before it starts.

Whatever shows without torch is said without loading it, which takes from seconds to a minute on a busy machine.

Exit codes: 0 it fits; 2 it does not, or the input is wrong; 130 Ctrl-C.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from florenz.console import INTERRUPTED, REFUSED, fail, quiet_libraries
from florenz.recipe_command import read_recipe_words
from florenz.recipes.sections import nearest
from florenz.train.gpus import GPUS
from florenz.train.model.family import SIZES
from florenz.train.recipe import Recipe, load_recipe

USAGE = "usage: florenz plan-train RECIPE [GPUS=8] [GPU=h200] [MFU=0.4] [SIZE=...] [STEPS=...] ..."


@dataclass(frozen=True, kw_only=True)
class Machine:
    """num_gpus: ranks of the training. name: in GPUS. mfu: share of their peak that is reached, 0 to 1."""

    num_gpus: int
    name: str
    mfu: float


def main(arguments: Sequence[str]) -> int:
    words = read_recipe_words(arguments, USAGE)
    if isinstance(words, int):
        return words
    path, variables = words
    quiet_libraries()
    try:
        machine = _machine(*(variables.pop(name, "").strip() for name in ("GPUS", "GPU", "MFU")))
        recipe = load_recipe(path, variables)
        if recipe.model.size not in SIZES:
            raise ValueError(f"size (SIZE) is '{recipe.model.size}': {nearest(recipe.model.size, SIZES)}")
        faults = _plan(recipe, machine)
    except ValueError as problem:
        return fail(str(problem), REFUSED)
    except KeyboardInterrupt:
        return fail("interrupted", INTERRUPTED)
    return fail("\n".join(faults), REFUSED) if faults else 0


def _machine(gpus: str, name: str, mfu: str) -> Machine:
    """Of variables as they were typed; empty ones as not given. `ValueError` with a line for each that is wrong."""
    problems = []
    if gpus and not (gpus.isascii() and gpus.isdecimal() and int(gpus)):
        problems.append(f"GPUS must be a whole number above 0, got '{gpus}'")
    if name and name not in GPUS:
        problems.append(f"GPU is '{name}': {nearest(name, GPUS)}")
    if mfu and not 0 < _number(mfu) <= 1:
        problems.append(f"MFU must be a share of the peak above 0, at most 1, got '{mfu}'")
    if problems:
        raise ValueError("\n".join(problems))
    return Machine(num_gpus=int(gpus or 8), name=name or "h200", mfu=float(mfu or 0.4))


def _number(text: str) -> float:
    """NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _plan(recipe: Recipe, machine: Machine) -> list[str]:
    """Says what each stage needs; a line for each thing that is wrong."""
    # Imported late: torch and transformers take seconds, which a wrong word should not cost.
    from florenz.train.plan import plan
    from florenz.train.preflight import problems_of_recipe

    if problems := problems_of_recipe(recipe, world_size=machine.num_gpus):
        return problems
    stages = (
        plan(recipe, stage, num_gpus=machine.num_gpus, name=machine.name, mfu=machine.mfu) for stage in recipe.stages
    )
    return [line for line in stages if line]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
