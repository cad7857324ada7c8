"""The command line: `python -m pipeline RECIPE [NAME=value ...]`, where the names are the Make variables.

RETRY=reason, or RETRY=all, first forgets what was rejected, so that it is asked for again (`make retry`). REPLACE=1
lets a run replace a build of other images, or of more than twice as many.

Exit codes: 0 done; 1 stopped, what was answered is kept; 2 the input is wrong and nothing was started; 130 Ctrl-C.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

USAGE = "usage: python -m pipeline RECIPE [LANGS=de,fr] [HELDOUT=fr|none] [IMAGES=folder] [COUNT=n] [OUT=folder] ..."


def main(arguments: Sequence[str]) -> int:
    if not arguments or any("=" not in word for word in arguments[1:]):
        return _fail(USAGE, 2)
    _quiet_libraries()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(arguments[0], dict(word.split("=", 1) for word in arguments[1:]))
    except KeyboardInterrupt:
        return _fail("interrupted; what was answered is kept: run the same command to go on", 130)


def _run(recipe_path: str, variables: dict[str, str]) -> int:
    # Imported late: Beam takes a second, which a wrong word on the command line should not cost.
    from florenz.pipeline.recipe import load_recipe
    from florenz.recipes.recipe_file import RecipeError

    retry = variables.pop("RETRY", None)
    replace = variables.pop("REPLACE", "")
    if replace not in ("", "0", "1"):
        return _fail(f"REPLACE is {replace!r}: give REPLACE=1 to let this run replace the build that lies in OUT", 2)
    try:
        recipe = load_recipe(recipe_path, variables)
    except RecipeError as problem:
        return _fail(str(problem), 2)

    from florenz.pipeline.assemble.books import BooksError
    from florenz.pipeline.run import run
    from florenz.stores.files import in_words
    from florenz.stores.lock import OutInUse
    from florenz.translators.endpoint import ServerError

    try:
        run(recipe, say=lambda text: print(text, flush=True), retry=retry, may_replace=replace == "1")
    except (RecipeError, OutInUse) as problem:
        return _fail(str(problem), 2)
    except (ServerError, BooksError, OSError, ValueError) as problem:
        words = in_words(problem) if isinstance(problem, OSError) else str(problem)
        return _fail(f"{words}\nstopped; what was answered is kept in {recipe.out}: run the same command to go on", 1)
    return 0


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """At once: after an interrupt Beam's threads would finish their bundle first, after a worker's death they would
    wait for it for ever. Everything that must end (the server) has ended by now.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _quiet_libraries() -> None:
    """Chatter of libraries is no news to the user; warnings of ours are printed by us."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR)
    # Beam logs the traceback of every error that it passes on, Pillow what is odd about a file that it then rejects.
    for name in ("apache_beam", "PIL"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _fail(text: str, code: int) -> int:
    for line in text.splitlines():
        print(f"florenz: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    _leave(main(sys.argv[1:]))
