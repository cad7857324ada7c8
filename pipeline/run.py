"""One run, top to bottom: check, read, caption, translate, assemble, publish.

The run itself holds no state: what has been answered is in the ledger, what has been published is in the manifest, and
everything else is worked out again. So going on after a crash is running again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial

from florenz.exports.index import num_positions
from florenz.pipeline import preflight, scenes
from florenz.pipeline.answers import busy
from florenz.pipeline.answers.alt_texts import take_alt_texts
from florenz.pipeline.answers.captioning import forget_captioner
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import Maker, Makers, makers_of
from florenz.pipeline.answers.retry import forget_rejected
from florenz.pipeline.answers.survey import survey
from florenz.pipeline.answers.surveyed import Survey, may_be_answered
from florenz.pipeline.asking import ask, load
from florenz.pipeline.assemble import replacement
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.alignment import is_learning
from florenz.pipeline.assemble.build import (
    assembly_of,
    build_name,
    current_build,
    damage_of,
    is_assembled,
    publish,
    read_summary,
)
from florenz.pipeline.assemble.concepts import read_withholding
from florenz.pipeline.assemble.graph import run_assembly
from florenz.pipeline.budget import UNLIMITED, Budget
from florenz.pipeline.c_messages import c_messages_to
from florenz.pipeline.gpus import takes_its_gpu
from florenz.pipeline.image_index import Index
from florenz.pipeline.index import build_index, expected_images
from florenz.pipeline.jobs.logs import local_log, progress_log
from florenz.pipeline.listing import listing_of
from florenz.pipeline.loads import model_load
from florenz.pipeline.progress import ProgressAddress, progress_bar
from florenz.pipeline.rates import Measurement, note_rate
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.report import RunFacts, next_command, rejects_of, screen_table, write_report
from florenz.pipeline.routing import languages_of
from florenz.pipeline.runners.contract import facts_of
from florenz.pipeline.scored import asking_again
from florenz.pipeline.scoring import prove_scorers, score
from florenz.pipeline.serving import Serving
from florenz.recipes.fingerprints import fingerprint
from florenz.recipes.recipe_file import RecipeError
from florenz.reports.charts import Step
from florenz.reports.judging import judgements
from florenz.reports.loads import ModelLoad
from florenz.reports.page import write_page
from florenz.shards.manifest import manifest_path
from florenz.stores import files
from florenz.stores.lock import lock_out
from florenz.stores.publication import Publication
from florenz.translators.load import ServerLoad

Say = Callable[[str], None]
FEW_IMAGES = 20_000  # are drawn or read in less time than a server takes to come up
BUSY_WHILE_DRAWING = 2  # processes: the one that draws, and this one


class Run:
    """The parts of a run share its recipe, its ledger and its clock. Two steps may run at once, in two threads."""

    def __init__(
        self, recipe: Recipe, say: Say, *, may_replace: bool, publication: Publication, budget: Budget = UNLIMITED
    ) -> None:
        self.recipe, self.say, self.may_replace, self.publication = recipe, say, may_replace, publication
        self.budget = budget
        self.workers_are = facts_of(recipe.running)
        self.ledger = Ledger(recipe.out)
        self.makers = makers_of(recipe)
        self.answers = CurrentAnswers(self.ledger, self.makers, styles=recipe.styles)
        self.damaged: list[str] = []
        self.proved: set[str] = set()  # as `survey` has it
        self.seconds: dict[str, float] = {}
        self.timeline: list[Step] = []
        self.loads: list[ModelLoad] = []
        self.busy: list[tuple[float, float]] = []
        self.active_s: dict[str, float] = {}  # step -> from its first question to its last answer, the last time
        self.started = time.monotonic()
        self.asked = {"captions": 0, "translations": 0} | ({"rephrasings": 0} if recipe.rephrasers else {})
        self.asked |= {"scores": 0} if recipe.scorers else {}
        self.asked |= {"candidates": 0} if asking_again(recipe.scorers) else {}
        self.image_bytes = 0  # of the files that images are read from, where they lie on this machine
        self.reads_images_again = False
        self.ahead: LearnedAhead | None = None  # of a translator that works beside a captioner
        self.has_room_beside = False  # for a translator beside a captioner that is loaded
        self.servings = [
            Serving(
                translator,
                local_log(recipe.out, f"translation-server-{number}" if number > 1 else "translation-server"),
                is_local=self.workers_are.is_on_this_machine,
                limits=recipe.limits,
            )
            for number, translator in enumerate((*recipe.translators, *recipe.rephrasers), 1)
            if languages_of(translator, recipe.languages)
        ]

    def fit(self, index: Index) -> None:
        """From now on the ledger is written for ranges as the index has them."""
        self.answers = self.answers.fitted(index.digits)
        self.ledger = self.answers.ledger

    def survey(self, index: Index, keys: Collection[str] | None = None) -> Survey:
        """What is missing and what is there, now; of some images where `keys` are given."""
        found = survey(self.recipe, index, self.answers, keys, self.proved)
        self.damaged += found.damaged()
        return found

    @contextlib.contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[ProgressAddress]:
        started = time.monotonic()
        with progress_bar(name, total, log=progress_log(self.recipe.out)) as progress:
            yield progress
        ended = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + ended - started
        times = {"started": round(started - self.started, 2), "ended": round(ended - self.started, 2)}
        self.timeline.append(Step(name=name, items=total or 0, **times))

    def last(self, name: str) -> Step:
        """The last step of this name that has ended; beside it another may have ended later."""
        return next(step for step in reversed(self.timeline) if step.name == name)

    def note_load(self, step: str, model: str, served: ServerLoad | None = None, *, is_shared: bool) -> ModelLoad:
        """How busy the model of this step was, which has ended."""
        last, notes = self.last(step), busy.collect(self.recipe.out, step)
        load = model_load(step, model, last.seconds, notes, served, is_shared=is_shared)
        self.loads.append(load)
        tokens = sum(note.answer_tokens + note.prompt_tokens for note in notes)
        self.budget = self.budget.without(-(-tokens // self.recipe.workers))
        spans = [span for note in notes for span in note.spans]
        self.busy += [(start - self.started, end - self.started) for start, end in spans]
        is_known = spans and self.workers_are.is_on_this_machine  # elsewhere clocks are others'
        active_s = max(end for _, end in spans) - min(start for start, _ in spans) if is_known else last.seconds
        self.active_s[step] = min(last.seconds, active_s)
        return load

    @property
    def may_start_early(self) -> bool:
        """Whether the first translator's server may come up while captions are made: no captioner wants its memory."""
        recipe, first = self.recipe, self.servings[0].translator
        return not any(one.starts_server or takes_its_gpu(recipe, one, first) for one in recipe.captioners)

    @property
    def when_busy(self) -> list[tuple[float, float]] | None:
        """When a model was, as far as the clock of who asked it is ours."""
        return busy.joined(self.busy) if self.workers_are.is_on_this_machine else None


def run(
    recipe: Recipe, say: Say, *, retry: str | None = None, may_replace: bool = False, budget: Budget = UNLIMITED
) -> RunFacts:
    """Do all that is left to do, and report. `retry`: first forget what was rejected for this reason (or "all").

    `may_replace`: also when the build in OUT would lose most of its images (see replacement.py).

    Raises:
        RecipeError, OutInUse: nothing was started.
        ServerError, BooksError, BudgetUsedUp, OutLost, OSError: stopped; the ledger is whole, run again.
    """
    with opened(recipe, say, may_replace=may_replace, budget=budget) as this:
        return _run(this, retry)


@contextlib.contextmanager
def opened(recipe: Recipe, say: Say, *, may_replace: bool = False, budget: Budget = UNLIMITED) -> Iterator[Run]:
    """A run whose recipe was checked and whose OUT is ours. Raises RecipeError, OutInUse."""
    preflight.check(recipe)
    for warning in preflight.warnings(recipe):
        say(f"warning: {warning}")
    with lock_out(recipe.out) as held, contextlib.ExitStack() as stack:
        stack.enter_context(files.pinned(recipe.out))
        files.remove_partials(recipe.out)  # nobody else writes there while we hold the lock
        stack.enter_context(c_messages_to(local_log(recipe.out, "run")))
        publication = Publication(manifest_path(recipe.out), held)  # now: what others publish from here on stays
        this = Run(recipe, say, may_replace=may_replace, publication=publication, budget=budget)
        for serving in this.servings:
            stack.callback(serving.stop)  # not entered as a context: it starts when it turns out to be needed
        stack.callback(forget_captioner)  # of a run that was refused when it had been loaded
        yield this


def read_images(
    this: Run, expect: Callable[[int | None], None] = lambda images: None, meanwhile: Callable[[], None] = lambda: None
) -> Index:
    """Steps draw and read. expect: told how many images there will be, None where nobody knows, before they are read.
    meanwhile: called while another process draws, where one does, which is to start what `expect` would have.

    Raises RecipeError where there is nothing to use.
    """
    recipe = this.recipe
    if recipe.images.is_playground:
        if not scenes.are_drawn_apart(recipe):
            expect(recipe.images.num_scenes)
        with this.step("draw", recipe.images.num_scenes) as progress:
            scenes.draw(recipe, progress, meanwhile, may_replace=this.may_replace)
    with listing_of(recipe) as listing:
        if files.local_path(recipe.image_source) is not None:
            this.image_bytes = listing.num_bytes
        number = expected_images(recipe, listing)
        expect(number)
        with this.step("read", number) as progress:
            index = build_index(recipe, listing, progress)
    _check_images(this, index)
    this.fit(index)
    take_alt_texts(recipe, index, this.answers)
    return index


def _run(this: Run, retry: str | None) -> RunFacts:
    recipe = this.recipe
    index = read_images(this, partial(_start_early, this), partial(_load_early, this))
    _tell_of_withheld(recipe, this.say)
    if retry is not None:  # not before: a run that is refused must not have forgotten anything
        retried = forget_rejected(recipe, this.ledger, retry)
        this.reads_images_again = retried.images > 0
        this.say(f"asking again for {retried}")
    prove_scorers(this, index)
    ask(this, index)
    score(this, index)
    for serving in this.servings:
        serving.stop()
    found = this.survey(index)
    for damage in dict.fromkeys([*this.ledger.damaged, *this.damaged]):
        this.say(f"warning: {damage}")
    return _assemble(this, index, found)


def _tell_of_withheld(recipe: Recipe, say: Say) -> None:
    """What is withheld and nobody shows; before a caption is paid for. Raises RecipeError, of a table that is none."""
    if withholding := read_withholding(scenes.concepts_table(recipe), recipe.coverage.withheld):
        for warning in withholding.warnings():
            say(f"warning: {warning}")


def _start_early(this: Run, images: int | None) -> None:
    """The server of the first translator, where `_will_ask`."""
    if _will_ask(this, images):
        this.servings[0].start()


def _load_early(this: Run) -> None:
    """The same while another process draws, and the first captioner, which this process has time for by then.

    The captioner first where there are no more cores than that: it is waited for first.
    """
    recipe, images = this.recipe, this.recipe.images.num_scenes
    if len(os.sched_getaffinity(0)) > BUSY_WHILE_DRAWING:
        _start_early(this, images)
    if _will_ask(this, images) and this.workers_are.is_on_this_machine and not recipe.captioner.is_read:
        load(this, recipe.captioner)
    _start_early(this, images)


def _will_ask(this: Run, images: int | None) -> bool:
    """Whether these images are few and the run is OUT's first, which will want models, and may have them at once.

    Later runs ask the ledger first whether anything is missing.
    """
    is_first = images is not None and images <= FEW_IMAGES and not may_be_answered(this.recipe.out)
    return is_first and this.may_start_early


def _check_images(this: Run, index: Index) -> None:
    if not index.num_images:
        reasons = ", ".join(sorted(index.rejected))
        raise RecipeError(
            [
                f"IMAGES {this.recipe.image_source!r}: none of the {index.num_found} files there can be used "
                f"({reasons}): name another folder; what lies in OUT stays as it is"
            ]
        )
    if not this.may_replace:
        replacement.check_images(this.recipe, index.images)


def _assemble(this: Run, index: Index, found: Survey) -> RunFacts:
    recipe, makers = this.recipe, makers_of(this.recipe)
    assembly = assembly_of(recipe, makers)
    build = build_name(assembly, found)
    if this.reads_images_again:  # an image that could not be read does not show in the name
        build = fingerprint({"build": build, "instead_of": current_build(recipe.out)})
    damage = damage_of(recipe.out, build)
    for line in damage:
        this.say(f"warning: {line}: this run assembles the build again")
    if damage or not is_assembled(recipe.out, build):
        with this.step("assemble", index.num_images) as progress:
            named = replace(assembly, build=build)
            run_assembly(named, index, this.answers, progress, recipe.running, this.ahead)
        took = Measurement(items=index.num_images, seconds=this.last("assemble").seconds, chars=0)
        note_rate(recipe.out, "assemble", took)
    summary = read_summary(recipe.out, build)
    if not this.may_replace and build != current_build(recipe.out):
        replacement.check_build(recipe, summary.shards)
    with this.step("publish"):
        manifest = publish(recipe, build, summary, index, _models(recipe, makers), this.publication)
    if positions := num_positions(recipe.out, build, summary.shards):
        this.say(
            f"warning: {positions} pictures say where they were taken (GPS in their EXIF): "
            "STRIP_EXIF=1 leaves that out before others get them"
        )
    facts = RunFacts(
        out=recipe.out,
        manifest=manifest,
        books=summary.books,
        asked=this.asked,
        seconds=this.seconds,
        timeline=this.timeline,
        loads=this.loads,
        busy=this.when_busy,
        next_command=next_command(recipe.out),
        tables=summary.tables if is_learning(recipe.filters) and recipe.filters.alignment == "learn" else None,
    )
    write_report(facts, rejects_of(recipe.out, build))
    write_page(recipe.out, judgements(recipe.out, build))
    this.say(screen_table(facts))
    return facts


def _models(recipe: Recipe, makers: Makers) -> dict[str, object]:
    """Those of a recipe with one of a kind as they always stood there; of several all, by style and language."""
    found: dict[str, object] = {
        "captioner": _record(makers.captioners[recipe.styles[0]]),
        "translator": _record(makers.translators[recipe.languages[0]][0]),
    }
    if len(recipe.captioners) > 1:
        found["captioners"] = {style: _record(maker) for style, maker in makers.captioners.items()}
    if len(recipe.translators) > 1:
        found["translators"] = {
            language: [_record(maker) for maker in several] for language, several in makers.translators.items()
        }
    if makers.rephrasers:
        found["rephrasers"] = {language: _record(maker) for language, maker in makers.rephrasers.items()}
    if makers.scorers:
        found["scorers"] = {what: _record(maker) for what, maker in makers.scorers.items()}
    return found


def _record(maker: Maker) -> dict[str, str]:
    return {"model": maker.model, "fingerprint": maker.fingerprint}
