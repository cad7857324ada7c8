"""Scores of texts that are there: a pass of its own after translating, one scorer after the other; and translators once
more for what is worse than the threshold.

What the ledger has is not asked again, whatever the threshold; a text is scored once by each scorer.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from florenz.pipeline.answers import busy
from florenz.pipeline.asking import note_start, note_step, translate_with
from florenz.pipeline.budget import UNLIMITED, BudgetUsedUp
from florenz.pipeline.image_index import Index
from florenz.pipeline.passes import passes_again
from florenz.pipeline.scored import asking_again
from florenz.recipes.recipe_file import RecipeError
from florenz.scorers.contract import ScorerError

if TYPE_CHECKING:
    from florenz.pipeline.run import Run


def prove_scorers(this: Run, index: Index) -> None:
    """Load each of them once, before anything is paid for that it is to score. Raises RecipeError."""
    if not this.recipe.scorers or not this.workers_are.is_on_this_machine:
        return
    found = this.survey(index)
    if found.captions() or found.translations().questions or found.rephrasings().questions:
        for what in this.recipe.scorers:
            _load(this, what)
            _forget()


def score(this: Run, index: Index, keys: Collection[str] | None = None) -> None:
    """Ask for all scores that are missing, or for those of `keys`. Raises RecipeError, ScorerError, BudgetUsedUp."""
    again = asking_again(this.recipe.scorers)
    for what in this.recipe.scorers:
        _score_all(this, index, keys, what)
        if again is not None and again[0] == what:
            for serving in this.servings:
                for asking in passes_again(this.recipe, this.answers, serving, again[1]):
                    translate_with(this, index, keys, asking)
            _score_all(this, index, keys, what)


def _score_all(this: Run, index: Index, keys: Collection[str] | None, what: str) -> None:
    """All that is missing of this."""
    found = this.survey(index, keys)
    if questions := found.scores(what).questions:
        if this.budget.is_used_up():
            raise BudgetUsedUp(_left_unasked(questions, what))
        for serving in this.servings:
            serving.stop()  # a scorer may need all of the machine's memory
        _score(this, index, keys, what)


def _score(this: Run, index: Index, keys: Collection[str] | None, what: str) -> None:
    from florenz.pipeline.answers.graphs import run_scoring, scores_missing_in

    before, maker = this.survey(index, keys), this.makers.scorers[what]
    missing = before.scores(what)
    try:
        if this.workers_are.is_on_this_machine:
            started = time.monotonic()
            _load(this, what)
            note_start(this, maker.fingerprint, time.monotonic() - started)
            if not this.workers_are.shares_memory:
                _forget()  # each worker process has its own
        busy.collect(this.recipe.out, "score")
        with this.step("score", missing.questions) as progress:
            tasks = scores_missing_in(before.lacking_scores(what), this.recipe, this.answers, what)
            run_scoring(this.recipe, what, tasks, progress, this.budget, index.digits)
    finally:
        _forget()
    this.note_load("score", maker.model, is_shared=False)
    left = this.survey(index, keys).scores(what)
    this.asked["scores"] += missing.questions - left.questions
    if (answered := missing.questions - left.questions) > 0:
        note_step(this, maker.fingerprint, "score", items=answered, chars=0)
    if left.questions and this.budget != UNLIMITED:
        raise BudgetUsedUp(_left_unasked(left.questions, what))


def _load(this: Run, what: str) -> None:
    from florenz.pipeline.answers.scoring import load_scorer  # seconds that a rerun need not wait

    try:
        load_scorer(this.recipe.scorers[what])
    except ScorerError as problem:
        raise RecipeError([f"[filters.{what}] {problem}"]) from problem


def _forget() -> None:
    from florenz.pipeline.answers.scoring import forget_scorers

    forget_scorers()


def _left_unasked(questions: int, what: str) -> str:
    return f"the budget is used up: {questions:,} scores ({what}) are still to be asked for"
