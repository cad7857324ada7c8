"""How well does a Florenz do, for each task and language? `florenz evaluate RECIPE [NAME=value ...]`.

The same recipe and variables as for `florenz train`: OUT/model is asked about the validation split of DATA, and about
the withheld captions of its images (heldout). A table goes to the screen and into OUT/EVALUATION.md, its numbers into
OUT/evaluation.json, a picture into OUT/evaluation.png, and OUT/captions.html shows a dozen pictures with what the model
says about them.

BENCHMARK names another evaluation set (train/scores/sets/) and BENCHMARK_DATA the folder with its files; the name then
stands in the names of the files too. All of its pictures are asked about, with a beam search of BEAMS (4), with
baselines and intervals; docs/benchmarks.md says which sets there are and where their files come from.

Exit codes: 0 done; 1 stopped on the way; 2 the input is wrong and nothing was written; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers.utils import logging as transformers_logging

from florenz.console import fail, quiet_libraries
from florenz.recipes.kinds import kinds_in, load_kind
from florenz.recipes.sections import nearest
from florenz.train.best import read_best
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.data.stream import StreamError
from florenz.train.distributed import find_place
from florenz.train.keeping import MODEL_FOLDER
from florenz.train.model.florenz import Florenz
from florenz.train.model.loading import load
from florenz.train.recipe import Recipe, load_recipe
from florenz.train.scores.asking import Asking
from florenz.train.scores.joined import evaluation_set_of
from florenz.train.scores.scoring import MAX_IMAGES, evaluate
from florenz.train.scores.sets import dataset
from florenz.train.scores.sets.contract import EvaluationSet
from florenz.train.scores.showcase import Showcase
from florenz.train.scores.table import Evaluation, Say, record
from florenz.train.scores.texts import check_tools

USAGE = (
    "usage: florenz evaluate RECIPE [DATA=folder] [OUT=folder] [DEVICE=auto] [MAX_IMAGES=n] "
    "[BENCHMARK=name BENCHMARK_DATA=folder BEAMS=4] ..."
)
BEAMS = 4  # of a published benchmark, as in the paper
PUBLISHED = ("bleu", "cider", "contrast")  # metrics of those
SETS = "train.scores.sets"


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """An evaluation set in place of the dataset's validation split, by its name in train/scores/sets/."""

    name: str
    data: str


def evaluate_training(
    recipe: Recipe,
    say: Say,
    *,
    max_images: int | None = None,
    benchmark: Benchmark | None = None,
    num_beams: int | None = None,
) -> Evaluation:
    """Score the finished model of a training, tell the table, and write all files into recipe.out.

    max_images: of each part; None: MAX_IMAGES, of a published benchmark all. num_beams: None: greedy, for a
    published benchmark BEAMS.

    Raises:
        ValueError: no dataset, no model, a GPU that is not there. StreamError, OSError: stopped on the way.
    """
    check_tools()
    evaluation_set = _whole_set(recipe, benchmark)
    folder = Path(recipe.out) / MODEL_FOLDER
    if not folder.is_dir():
        raise ValueError(f"there is no model in {folder}: run make train with this OUT to its end")
    device = find_place(recipe.device).device
    if recipe.compute.cpu_threads is not None:
        torch.set_num_threads(recipe.compute.cpu_threads)  # other sums of other threads: the same table as in training
    model, processor = load(str(folder))
    model.to(device).eval()  # type: ignore[arg-type]
    has_pictures = any(stage.images for stage in recipe.stages)
    showcase = Showcase()
    is_published = bool(set(PUBLISHED) & set(evaluation_set.metrics))
    num_beams = num_beams or (BEAMS if is_published else 1)
    evaluation = evaluate(
        model,
        processor,
        evaluation_set,
        has_pictures=has_pictures,
        max_images=max_images or (sys.maxsize if is_published else MAX_IMAGES),
        asking=Asking(num_beams=num_beams, is_benchmark=is_published),
        showcase=showcase,
    )
    if is_published:
        evaluation = replace(evaluation, model=_about(recipe, model, num_beams))
    record(evaluation, recipe.out, say, benchmark=benchmark.name if benchmark else "", showcase=showcase)
    return evaluation


def _about(recipe: Recipe, model: Florenz, num_beams: int) -> dict[str, int]:
    """What the scores are of: how long the model was trained, on how much, and how large it is."""
    newest = newest_checkpoint(recipe.out, lambda text: None)
    best = read_best(recipe.out, newest.identity) if newest and recipe.validation.keep == "best" else None
    step = best.step if best else newest.position.step if newest else recipe.total_steps
    samples, left = 0, step
    for stage in recipe.stages:
        samples += min(left, stage.steps) * stage.batch_size
        left -= min(left, stage.steps)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"step": step, "samples_seen": samples, "parameters": parameters, "num_beams": num_beams}


def _whole_set(recipe: Recipe, benchmark: Benchmark | None) -> EvaluationSet:
    """The set that is asked for; `ValueError` with a line for each thing that it lacks."""
    if benchmark is None:
        use: dataset.Use = "report" if recipe.validation.every_steps else "all"
        choosing = recipe.validation.split
        label, evaluation_set = "data (DATA)", evaluation_set_of(recipe.folders, use, choosing)
    else:
        known = kinds_in(SETS)
        if benchmark.name not in known:
            raise ValueError(f"BENCHMARK={benchmark.name}: there is no such set: {nearest(benchmark.name, known)}")
        label, evaluation_set = "BENCHMARK_DATA", load_kind(SETS, benchmark.name).Set(folder=benchmark.data)
    if problems := evaluation_set.problems():
        raise ValueError("\n".join(f"{label}: {problem}" for problem in problems))
    return evaluation_set


def main(arguments: Sequence[str]) -> int:
    if not arguments or any("=" not in word for word in arguments[1:]):
        return fail(USAGE, 2)
    quiet_libraries()
    transformers_logging.set_verbosity_error()  # imported above, before its variables were set
    transformers_logging.disable_progress_bar()
    variables = dict(word.split("=", 1) for word in arguments[1:])
    try:
        max_images = _number("MAX_IMAGES", variables.pop("MAX_IMAGES", ""))
        num_beams = _number("BEAMS", variables.pop("BEAMS", ""))
        benchmark = _benchmark(variables.pop("BENCHMARK", ""), variables.pop("BENCHMARK_DATA", ""))
        recipe = load_recipe(arguments[0], variables)
        evaluate_training(recipe, print, max_images=max_images, benchmark=benchmark, num_beams=num_beams)
    except (StreamError, OSError) as problem:
        return fail(str(problem), 1)
    except ValueError as problem:
        return fail(str(problem), 2)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
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
    return Benchmark(name=name, data=os.path.expanduser(data))  # `make BENCHMARK_DATA=~/x` comes as typed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
