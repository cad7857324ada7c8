"""The command line: `florenz train RECIPE [NAME=value ...]`, where the names are the Make variables.

Under torchrun every rank runs this, and the first one talks: `torchrun --nproc-per-node 8 -m florenz.train RECIPE`.
What one of the others alone has met, such as a shard that it can't read, that one says.

Exit codes: 0 done; 1 stopped, checkpoints are kept; 2 the input is wrong and nothing was started; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from florenz.console import INTERRUPTED, REFUSED, STOPPED, fail, interrupt, quiet_libraries, say
from florenz.recipe_command import read_recipe_words

if TYPE_CHECKING:
    from florenz.train.recipe import Recipe

HELP = """usage: florenz train RECIPE [DATA=folder] [OUT=folder] [SIZE=playground] [SEED=n] [STEPS=n] [WORKERS=n] ...

Trains Florenz on a dataset as the recipe (a TOML file) says, and scores it. The same command again goes on from the
last checkpoint.
  DATA     the OUT of a dataset, or of several: a,b
  WEIGHTS  how several share the turns: 2,1
  FOLLOW   1 takes up newer builds of DATA at the end of an epoch
  INIT     OUT/model of another training to start from
  OUT      where checkpoints, curves and scores go
  SIZE     playground, playground-gemma, 0.4b, 1.0b, 3.5b, 11.2b
  STEPS    optimiser steps
  SEED, WORKERS, DEVICE"""


def main(arguments: Sequence[str]) -> int:
    words = read_recipe_words(arguments, HELP)
    if isinstance(words, int):
        return words
    quiet_libraries()
    if "RANK" not in os.environ:  # a rank that waits for the others in C code must die of torchrun's signal at once
        signal.signal(signal.SIGTERM, interrupt)
    try:
        return _run(*words)
    except KeyboardInterrupt:
        return fail("interrupted; the last checkpoint is kept: run the same command to go on", INTERRUPTED)


def _run(recipe_path: str, variables: Mapping[str, str]) -> int:
    from florenz.recipes.recipe_file import RecipeError
    from florenz.train.recipe import load_recipe

    try:
        recipe = load_recipe(recipe_path, variables)
    except RecipeError as problem:
        return fail(str(problem), REFUSED, by="node")

    # Imported late: torch and transformers take seconds, which a wrong word in the recipe should not cost.
    from florenz.stores.lock import OutInUse
    from florenz.train.distributed import MetByAll
    from florenz.train.loop import train
    from florenz.train.scores.texts import check_tools

    try:
        check_tools()
    except ValueError as problem:
        say(f"warning: {problem}; the training goes on and will not be scored")
    try:
        folder = train(recipe, say)
    except (RecipeError, OutInUse) as problem:
        return fail(str(problem), REFUSED, by="node")
    except (OSError, ValueError) as problem:
        fail(str(problem), STOPPED, by="first" if isinstance(problem, MetByAll) else "each")
        return fail(f"stopped; checkpoints are kept in {recipe.out}: run the same command to go on", STOPPED)
    say(f"model in {folder}")
    return _evaluate(recipe)


def _evaluate(recipe: Recipe) -> int:
    """The end of a training; its process group has ended, and all ranks meet in another one."""
    from florenz.train.scores.finished import evaluate_training

    try:
        evaluate_training(recipe, say)
    except (OSError, ValueError) as problem:
        return fail(f"{problem}\nnot scored; the model is whole in {recipe.out}: make evaluate scores it", STOPPED)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
