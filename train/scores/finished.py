"""A finished training is scored: its model, an evaluation set, the table and its files. `train/evaluate.py` is the
command.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from transformers.utils import logging as transformers_logging

from florenz.recipes.kinds import load_kind
from florenz.train.best import read_best
from florenz.train.checkpoint import newest_checkpoint
from florenz.train.data.processor import Processor
from florenz.train.distributed import Place, find_place, process_group
from florenz.train.evaluate import SETS, Benchmark
from florenz.train.keeping import MODEL_FOLDER
from florenz.train.model.florenz import Florenz
from florenz.train.model.loading import load
from florenz.train.recipe import Recipe
from florenz.train.scores.asking import Asking
from florenz.train.scores.comet import CometError
from florenz.train.scores.comet import problems as comet_problems
from florenz.train.scores.joined import evaluation_set_of
from florenz.train.scores.known import known_to
from florenz.train.scores.scoring import MAX_IMAGES, Answers, Pair, answers_of, scores_of
from florenz.train.scores.sets import dataset
from florenz.train.scores.sets.contract import EvaluationSet, has_baselines
from florenz.train.scores.showcase import Showcase
from florenz.train.scores.table import Evaluation, Say, record
from florenz.train.scores.texts import check_tools
from florenz.train.scores.together import together
from florenz.train.scores.translator import problems as translator_problems
from florenz.train.scores.translator import translate_with

BEAMS = 4  # of a published benchmark, as in the paper
PUBLISHED = ("bleu", "cider", "contrast")  # metrics of those


def evaluate_training(
    recipe: Recipe,
    say: Say,
    *,
    max_images: int | None = None,
    benchmark: Benchmark | None = None,
    num_beams: int | None = None,
) -> Evaluation | None:
    """Score the finished model of a training, tell the table, and write all files into recipe.out.

    Under torchrun all ranks must call it; all but the first get None. max_images: of each part; None: MAX_IMAGES, of a
    published benchmark all. num_beams: None: greedy, for a published benchmark BEAMS.

    Raises:
        ValueError: no dataset, no model, a GPU that is not there. StreamError, OSError: stopped on the way.
    """
    transformers_logging.set_verbosity_error()  # loading is no news to the user
    transformers_logging.disable_progress_bar()
    place = find_place(recipe.device)
    with process_group(place):
        return _evaluate(recipe, place, say, max_images=max_images, benchmark=benchmark, num_beams=num_beams)


def _evaluate(
    recipe: Recipe,
    place: Place,
    say: Say,
    *,
    max_images: int | None,
    benchmark: Benchmark | None,
    num_beams: int | None,
) -> Evaluation | None:
    together(lambda: None, place)  # the first rank may still be writing the model
    together(lambda: _check(recipe, benchmark), place, error=ValueError)
    evaluation_set = _known(recipe, _whole_set(recipe, benchmark), benchmark)
    if recipe.compute.cpu_threads is not None:
        torch.set_num_threads(recipe.compute.cpu_threads)  # other sums of other threads: the same table as in training
    loaded: list[tuple[Florenz, Processor]] = []

    def load_model() -> None:
        loaded.append(load(_folder(recipe)))
        loaded[0][0].to(place.device).eval()  # type: ignore[arg-type]

    together(load_model, place)
    model, processor = loaded[0]
    showcase = Showcase()
    is_published = bool(set(PUBLISHED) & set(evaluation_set.metrics))
    max_images = max_images or (sys.maxsize if is_published else MAX_IMAGES)
    is_benchmark = is_published or has_baselines(evaluation_set)
    asked = recipe.translator if is_benchmark else None
    asking = Asking(
        generate=recipe.evaluation.generate or is_benchmark,
        num_beams=num_beams or (BEAMS if is_published else 1),
        is_benchmark=is_benchmark,
        translate=translate_with(asked) if asked else None,
        comet=recipe.evaluation.comet if is_benchmark else None,
    )
    answers = answers_of(
        model,
        processor,
        evaluation_set,
        has_pictures=any(stage.images for stage in recipe.stages),
        max_images=max_images,
        asking=asking,
        showcase=showcase,
        place=place,
    )
    if not place.is_first:
        return None
    evaluation = _scored(answers, evaluation_set, max_images, asking, say)
    if is_benchmark:
        about = _about(recipe, model, asking.num_beams)
        comet = (
            (asking.comet or "")
            if any(pair.copied and pair.copied.comet is not None for pair in evaluation.pairs)
            else ""
        )
        evaluation = replace(evaluation, model=about, translator=asked.model if asked else "", comet=comet)
    record(evaluation, recipe.out, say, benchmark=benchmark.name if benchmark else "", showcase=showcase)
    return evaluation


def _scored(
    answers: dict[Pair, Answers], evaluation_set: EvaluationSet, max_images: int, asking: Asking, say: Say
) -> Evaluation:
    """Without COMET where it fails: the answers may have taken hours."""
    try:
        return scores_of(answers, evaluation_set, max_images=max_images, asking=asking)
    except CometError as problem:
        say(f"warning: {problem}; all else is scored")
        return scores_of(answers, evaluation_set, max_images=max_images, asking=replace(asking, comet=None))


def _check(recipe: Recipe, benchmark: Benchmark | None) -> None:
    """`ValueError` for what is missing, before a model is loaded."""
    check_tools()
    _whole_set(recipe, benchmark)
    if not Path(folder := _folder(recipe)).is_dir():
        raise ValueError(f"there is no model in {folder}: run make train with this OUT to its end")
    if benchmark is None:
        return
    problems = translator_problems(recipe.translator) if recipe.translator else []
    problems += comet_problems(recipe.evaluation.comet) if recipe.evaluation.comet else []
    if problems:
        raise ValueError("\n".join(problems))


def _folder(recipe: Recipe) -> str:
    return str(Path(recipe.out) / MODEL_FOLDER)


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


def _known(recipe: Recipe, asked: EvaluationSet, benchmark: Benchmark | None) -> EvaluationSet:
    """With what the training has to do with the questions, where they are of the world that it learned from."""
    folders = dict.fromkeys(
        [*recipe.folders, *(folder for stage in recipe.stages for folder in recipe.folders_of(stage))]
    )
    if benchmark is None:
        return known_to([*folders], asked)
    if benchmark.name != dataset.PLAYGROUND:
        return asked
    try:
        return known_to([*folders], asked)
    except ValueError:  # a model can be scored on scenes where its training's data is gone
        return asked


def _whole_set(recipe: Recipe, benchmark: Benchmark | None) -> EvaluationSet:
    """The set that is asked for; `ValueError` with a line for each thing that it lacks."""
    if benchmark is None:
        use: dataset.Use = "report" if recipe.validation.every_steps else "all"
        choosing = recipe.validation.split
        label, evaluation_set = "data (DATA)", evaluation_set_of(recipe.folders, use, choosing)
    else:
        label, evaluation_set = "BENCHMARK_DATA", load_kind(SETS, benchmark.name).Set(folder=benchmark.data)
    if problems := evaluation_set.problems():
        raise ValueError("\n".join(f"{label}: {problem}" for problem in problems))
    return evaluation_set
