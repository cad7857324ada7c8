"""How well does a Florenz do, for each task and language? `florenz evaluate RECIPE [NAME=value ...]`.

The same recipe and variables as for `florenz train`: OUT/model is asked about the validation split of DATA, and about
the withheld captions of its images (heldout). A table goes to the screen and into OUT/EVALUATION.md, its numbers into
OUT/evaluation.json, a picture into OUT/evaluation.png, and OUT/captions.html shows a dozen pictures with what the model
says about them.

BENCHMARK names another evaluation set (train/scores/sets/) and BENCHMARK_DATA the folder with its files; the name then
stands in the names of the files too. Published sets and the playground's scenes have baselines and intervals beside
their scores; of a published set all pictures are asked about, with a beam search of BEAMS (4). docs/benchmarks.md says
which sets there are and where their files come from.

Under torchrun the ranks share the questions, and the first one counts and writes:
`torchrun --nproc-per-node 8 -m florenz.train.evaluate RECIPE ...`. The table is that of one process.

Exit codes: 0 done; 1 stopped on the way; 2 the input is wrong and nothing was written; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from florenz.console import INTERRUPTED, REFUSED, STOPPED, fail, quiet_libraries, say
from florenz.recipe_command import read_recipe_words
from florenz.recipes.kinds import kinds_in
from florenz.recipes.sections import nearest
from florenz.train.recipe import load_recipe

USAGE = (
    "usage: florenz evaluate RECIPE [DATA=folder] [OUT=folder] [DEVICE=auto] [MAX_IMAGES=n] "
    "[BENCHMARK=name BENCHMARK_DATA=folder BEAMS=4] ..."
)
SETS = "train.scores.sets"


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """An evaluation set in place of the dataset's validation split, by its name in train/scores/sets/."""

    name: str
    data: str


def main(arguments: Sequence[str]) -> int:
    words = read_recipe_words(arguments, USAGE)
    if isinstance(words, int):
        return words
    path, variables = words
    quiet_libraries()
    try:
        max_images = _number("MAX_IMAGES", variables.pop("MAX_IMAGES", ""))
        num_beams = _number("BEAMS", variables.pop("BEAMS", ""))
        benchmark = _benchmark(variables.pop("BENCHMARK", ""), variables.pop("BENCHMARK_DATA", ""))
        recipe = load_recipe(path, variables)
    except ValueError as problem:
        return fail(str(problem), REFUSED)

    # Imported late: torch and transformers take seconds, which a wrong word should not cost.
    from florenz.train.data.tar_index import StreamError
    from florenz.train.scores.finished import evaluate_training

    try:
        evaluate_training(recipe, say, max_images=max_images, benchmark=benchmark, num_beams=num_beams)
    except (StreamError, OSError) as problem:
        return fail(str(problem), STOPPED)
    except ValueError as problem:
        return fail(str(problem), REFUSED)
    except KeyboardInterrupt:
        return fail("interrupted", INTERRUPTED)
    return 0


def _number(name: str, text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or not int(text):
        raise ValueError(f"{name} must be a whole number above 0, got '{text}'")
    return int(text)


def _benchmark(name: str, data: str) -> Benchmark | None:
    name, data = name.strip(), data.strip()
    if not name and not data:
        return None
    if not data:
        raise ValueError(f"BENCHMARK={name} needs its files: give BENCHMARK_DATA=folder too")
    if not name:
        raise ValueError(f"BENCHMARK_DATA={data} is of which set? Give BENCHMARK=name too, like {kinds_in(SETS)[0]}")
    if name not in (known := kinds_in(SETS)):
        raise ValueError(f"BENCHMARK={name}: there is no such set: {nearest(name, known)}")
    return Benchmark(name=name, data=os.path.expanduser(data))  # `make BENCHMARK_DATA=~/x` comes as typed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
