"""The command line: `florenz dataset RECIPE [NAME=value ...]`, where the names are the Make variables.

RETRY=reason, or RETRY=all, first forgets what was rejected, so that it is asked for again (`make retry`). REPLACE=1
lets a run replace a build of other images, or of more than twice as many.

Exit codes: 0 done; 1 stopped, what was answered is kept; 2 the input is wrong and nothing was started; 130 Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from florenz.console import INTERRUPTED, REFUSED, STOPPED, fail, interrupt, leave, quiet_libraries
from florenz.libraries import importing_libraries
from florenz.limits.printable import printable_lines

MAX_DIGITS = 6
DEFAULT = "configs/playground.toml"
USAGE = "usage: florenz dataset [RECIPE] [LANGS=de,fr] [HELDOUT=fr|none] [IMAGES=folder] [COUNT=n] [OUT=folder] ..."
PLAN_USAGE = "usage: florenz plan [RECIPE] [SAMPLE=n] [NAME=value ...], as for florenz dataset"
RETRY_USAGE = "usage: florenz retry [RECIPE] [REASON=reason] [NAME=value ...], as for florenz dataset"
HELP = f"""{USAGE}

Images -> English captions -> translations -> shards, as the recipe (a TOML file) says; the playground's, unless one is
named. What was answered is kept: the same command again goes on where it was stopped, and asks for nothing twice.
  LANGS        target languages, ISO 639-1, comma between
  HELDOUT      languages without captions; none withholds nothing; all but the first by default
  IMAGES       folder, glob, tars or Parquet; the playground by default
  COUNT        scenes to draw, or at most so many images
  OUT          where everything goes
  ENDPOINT     a vLLM server that runs already, http://host:port/v1; several of the same model with commas
  WORKERS      worker processes
  SEED         decides split, order and scenes
  KEEP_BUILDS  earlier builds whose shards stay
  LICENCE      the licence of all images that come with none
  STRIP_EXIF   1 leaves EXIF (places!), XMP and IPTC out of the pictures
  BUDGET       2h, 90min, 500000tokens or an amount of money: ask no more when it is used up
  PLAN         1: say what would be asked, how long it takes and what it costs, and ask nothing
  SAMPLE       with PLAN=1: caption and translate so many images first, to measure the models
  RETRY        a reason, or all: ask again for what was rejected
  REPLACE      1 lets a run replace a build of other images"""


def main(arguments: Sequence[str]) -> int:
    if any(word in ("--help", "-h") for word in arguments):
        print(HELP)
        return 0
    recipe, words = (arguments[0], arguments[1:]) if arguments and "=" not in arguments[0] else (DEFAULT, arguments)
    if not arguments or any("=" not in word for word in words):
        return fail(USAGE, REFUSED)
    quiet_libraries()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        return _run(recipe, dict(word.split("=", 1) for word in words))
    except KeyboardInterrupt:
        return fail("interrupted; what was answered is kept: run the same command to go on", INTERRUPTED)


def plan(arguments: Sequence[str]) -> int:
    """`florenz plan`: the same variables, and nothing is asked, or SAMPLE images alone."""
    if any(word in ("--help", "-h") for word in arguments):
        print(
            f"{PLAN_USAGE}\n\nSays what would be asked, how long it takes and what it costs; SAMPLE=20 measures first."
        )
        return 0
    if not arguments or any("=" not in word for word in arguments[1:]):
        return fail(PLAN_USAGE, REFUSED)
    return main([*arguments, "PLAN=1"])


def retry(arguments: Sequence[str]) -> int:
    """`florenz retry`: the same, with what was rejected forgotten first."""
    if any(word in ("--help", "-h") for word in arguments):
        print(f"{RETRY_USAGE}\n\nForgets what was rejected, all of it or for one REASON, and asks for it again.")
        return 0
    reasons = [word.removeprefix("REASON=") for word in arguments if word.startswith("REASON=")]
    rest = [word for word in arguments if not word.startswith("REASON=")]
    if not arguments or len(reasons) > 1 or any("=" not in word for word in rest[1:]):
        return fail(RETRY_USAGE, REFUSED)
    return main([*rest, f"RETRY={(reasons or ['all'])[0]}"])


def _run(recipe_path: str, variables: dict[str, str]) -> int:
    # Imported late: Beam takes a second, which a wrong word on the command line should not cost.
    with importing_libraries():
        from florenz.pipeline.recipe import load_recipe
        from florenz.recipes.recipe_file import RecipeError

    retry = variables.pop("RETRY", None)
    replace = variables.pop("REPLACE", "")
    budget, is_plan, sample = (variables.pop(name, "") for name in ("BUDGET", "PLAN", "SAMPLE"))
    if is_plan not in ("", "0", "1"):
        return fail(f"PLAN is {is_plan!r}: give PLAN=1 to plan a run without asking a model", REFUSED)
    if sample and (is_plan != "1" or not sample.isdecimal() or len(sample) > MAX_DIGITS):
        return fail(f"SAMPLE is {sample!r}: give a number of images to measure with, and PLAN=1", REFUSED)
    if replace not in ("", "0", "1"):
        return fail(
            f"REPLACE is {replace!r}: give REPLACE=1 to let this run replace the build that lies in OUT", REFUSED
        )
    try:
        recipe = load_recipe(recipe_path, variables)
    except RecipeError as problem:
        return fail(str(problem), REFUSED)

    with importing_libraries():
        from florenz.pipeline.assemble.books import BooksError
        from florenz.pipeline.budget import UNLIMITED, parse_budget
        from florenz.pipeline.plan import plan as plan_run
        from florenz.pipeline.run import run
        from florenz.stores.files import in_words
        from florenz.stores.lock import OutInUse
        from florenz.translators.endpoint import ServerError

    try:
        workers, cost = recipe.workers, recipe.plan.cost_per_hour
        limit = parse_budget(budget, cost_per_hour=cost, workers=workers) if budget else UNLIMITED
    except ValueError as problem:
        return fail(str(problem), REFUSED)

    def say(text: str) -> None:
        print(printable_lines(text), flush=True)

    try:
        if is_plan == "1":
            plan_run(recipe, say, sample=int(sample or 0))
        else:
            run(recipe, say=say, retry=retry, may_replace=replace == "1", budget=limit)
    except (RecipeError, OutInUse) as problem:
        return fail(str(problem), REFUSED)
    except (ServerError, BooksError, OSError, ValueError) as problem:
        words = in_words(problem) if isinstance(problem, OSError) else str(problem)
        return fail(
            f"{words}\nstopped; what was answered is kept in {recipe.out}: run the same command to go on", STOPPED
        )
    return 0


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
