"""One run, top to bottom: check, read, caption, translate, assemble, publish.

The run itself holds no state: what has been answered is in the ledger, what has been published is in the manifest, and
everything else is worked out again. So going on after a crash is running again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial

from florenz.exports.index import num_positions
from florenz.images.folders import SourceFile
from florenz.images.sources import list_sources
from florenz.pipeline import preflight, scenes
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import Makers, makers_of
from florenz.pipeline.answers.reading import check_reading
from florenz.pipeline.answers.retry import forget_rejected
from florenz.pipeline.assemble import replacement
from florenz.pipeline.assemble.build import (
    assembly_of,
    build_name,
    current_build,
    damage_of,
    is_assembled,
    publish,
    read_summary,
)
from florenz.pipeline.assemble.graph import run_assembly
from florenz.pipeline.c_messages import c_messages_to
from florenz.pipeline.index import Index, build_index, expected_images
from florenz.pipeline.jobs.logs import local_log, progress_log
from florenz.pipeline.progress import ProgressAddress, advance, progress_bar
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.report import RunFacts, next_command, rejects_of, screen_table, write_report
from florenz.pipeline.runners.contract import facts_of
from florenz.recipes.fingerprints import fingerprint
from florenz.recipes.recipe_file import RecipeError
from florenz.reports.charts import Step
from florenz.reports.judging import judgements
from florenz.reports.page import write_page
from florenz.shards.manifest import manifest_path
from florenz.stores import files
from florenz.stores.lock import lock_out
from florenz.stores.publication import Publication
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.kernels import check_kernels
from florenz.translators.server import Server

Say = Callable[[str], None]


class Run:
    """The parts of a run share its recipe, its ledger and its clock."""

    def __init__(self, recipe: Recipe, say: Say, *, may_replace: bool, publication: Publication) -> None:
        self.recipe, self.say, self.may_replace, self.publication = recipe, say, may_replace, publication
        self.workers_are = facts_of(recipe.running)
        self.ledger = Ledger(recipe.out)
        self.answers = CurrentAnswers(self.ledger, makers_of(recipe), styles=recipe.captioner.styles)
        self.seconds: dict[str, float] = {}
        self.timeline: list[Step] = []
        self.started = time.monotonic()
        self.asked = {"captions": 0, "translations": 0}
        self.reads_images_again = False
        self.server_is_proved = False
        self.translator_is_proved = False

    def source_files(self) -> list[SourceFile]:
        """OUT is taken literally, whatever stands in its name; what the user gave as IMAGES may be a glob."""
        if not self.recipe.images.is_playground:
            return list_sources(self.recipe.image_source, self.recipe.limits)
        drawn = list_sources(files.join(self.recipe.out, "images"), self.recipe.limits)
        return [file for file in drawn if file.path.endswith(".jpg")]

    @contextlib.contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[ProgressAddress]:
        started = time.monotonic()
        with progress_bar(name, total, log=progress_log(self.recipe.out)) as progress:
            yield progress
        ended = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + ended - started
        times = {"started": round(started - self.started, 2), "ended": round(ended - self.started, 2)}
        self.timeline.append(Step(name=name, items=total or 0, **times))


def run(recipe: Recipe, say: Say, *, retry: str | None = None, may_replace: bool = False) -> RunFacts:
    """Do all that is left to do, and report. `retry`: first forget what was rejected for this reason (or "all").

    `may_replace`: also when the build in OUT would lose most of its images (see replacement.py).

    Raises:
        RecipeError, OutInUse: nothing was started.
        ServerError, BooksError, OutLost, OSError: stopped; the ledger is whole, run again.
    """
    preflight.check(recipe)
    for warning in preflight.warnings(recipe):
        say(f"warning: {warning}")
    server = Server(recipe.translator.settings, local_log(recipe.out, "translation-server"))
    with lock_out(recipe.out) as held, contextlib.ExitStack() as stack:
        stack.enter_context(files.pinned(recipe.out))
        stack.callback(server.stop)  # not entered as a context: it starts when it turns out to be needed
        files.remove_partials(recipe.out)  # nobody else writes there while we hold the lock
        stack.enter_context(c_messages_to(local_log(recipe.out, "run")))
        publication = Publication(manifest_path(recipe.out), held)  # now: what others publish from here on stays
        return _run(Run(recipe, say, may_replace=may_replace, publication=publication), server, retry)


def _run(this: Run, server: Server, retry: str | None) -> RunFacts:
    recipe = this.recipe
    if recipe.images.is_playground:
        with this.step("draw", recipe.images.num_scenes) as progress:
            scenes.draw(recipe, partial(advance, progress, "draw"), may_replace=this.may_replace)
    sources = this.source_files()
    with this.step("read", expected_images(recipe, sources)) as progress:
        index = build_index(recipe, sources, progress)
    _check_images(this, index)
    if retry is not None:  # not before: a run that is refused must not have forgotten anything
        retried = forget_rejected(recipe, this.ledger, retry)
        this.reads_images_again = retried.images > 0
        this.say(f"asking again for {retried}")
    _caption(this, index, server)
    _translate(this, index, server)
    server.stop()
    this.ledger.compact()
    for damage in this.ledger.damaged:
        this.say(f"warning: {damage}")
    return _assemble(this, index)


def _check_images(this: Run, index: Index) -> None:
    if not index.images:
        reasons = ", ".join(sorted({reject.reason for reject in index.rejects}))
        raise RecipeError(
            [
                f"IMAGES {this.recipe.image_source!r}: none of the {index.num_found} files there can be used "
                f"({reasons}): name another folder; what lies in OUT stays as it is"
            ]
        )
    if not this.may_replace:
        replacement.check_images(this.recipe, index.images)


def _caption(this: Run, index: Index, server: Server) -> None:
    tasks = this.answers.missing_captions(index.images)
    if not tasks:
        return
    if this.workers_are.is_on_this_machine and not this.recipe.translator.running_servers:
        _start(this, server)  # it takes longer to come up than a thousand captions take
    # Imported here: seconds that a rerun need not wait.
    from florenz.pipeline.answers.captioning import CaptionerError, forget_captioner, load_captioner
    from florenz.pipeline.answers.graphs import run_captioning

    if this.workers_are.is_on_this_machine:
        try:
            load_captioner(this.recipe.captioner)
        except CaptionerError as problem:
            raise RecipeError([str(problem)]) from problem
    if not this.workers_are.shares_memory:
        forget_captioner()  # each worker process has its own
    with this.step("caption", len(tasks)) as progress:
        run_captioning(this.recipe, tasks, progress)
    if not this.workers_are.is_on_this_machine:
        check_reading(this.ledger, makers_of(this.recipe).captioner.fingerprint, tasks, this.recipe.image_source)
    forget_captioner()  # its memory is the translator's now
    this.asked["captions"] = sum(len(task.styles) for task in tasks)
    this.ledger.compact()  # thousands of small parts are about to be read


def _translate(this: Run, index: Index, server: Server) -> None:
    """Ask, and after a crash of a server that we started: restart it, and ask what is still missing."""
    while tasks := this.answers.missing_translations(index.images):
        this.asked["translations"] = this.asked["translations"] or len(tasks)  # the first time: all that is missing
        endpoints = named = this.recipe.translator.running_servers
        if not named and this.workers_are.is_on_this_machine:  # elsewhere each worker machine has its own
            _start(this, server)
            endpoints = (_ready_endpoint(this, server),)
        from florenz.pipeline.answers.graphs import run_translation

        try:
            if endpoints:
                _prove_translator(this, endpoints[0])
            with this.step("translate", len(tasks)) as progress:
                run_translation(this.recipe, tasks, endpoints, progress)
            return
        except ServerError:
            is_ours = this.workers_are.is_on_this_machine and not named
            if not is_ours or _answers(endpoints[0], this.recipe):
                raise
            this.say("warning: the translation server died; starting it again")
            server.restart()


def _prove_translator(this: Run, endpoint: str) -> None:
    """One real question, once in a run: a model that answers nothing is a fault of the recipe."""
    from florenz.pipeline.answers.first_batch import NoWord, prove_translator

    settings = this.recipe.translator.settings
    if not this.translator_is_proved:
        try:
            prove_translator(
                Client(endpoint, settings.model, settings, limits=this.recipe.limits), this.recipe.languages
            )
        except NoWord as problem:
            raise RecipeError([str(problem)]) from problem
        this.translator_is_proved = True


def _start(this: Run, server: Server) -> None:
    """Unless it runs. One that can't compute would show that a minute from now, and not say why."""
    if not this.server_is_proved:
        try:
            check_kernels()
        except ServerError as problem:
            raise RecipeError([str(problem)]) from problem
        this.server_is_proved = True
    server.start()


def _ready_endpoint(this: Run, server: Server) -> str:
    """A server that never came up is a fault of recipe or machine (exit code 2), one that breaks later is not."""
    try:
        with this.step("server"):
            server.wait_ready()
    except ServerError as problem:
        if server.num_restarts:
            raise
        raise RecipeError([f"{problem}; mend what it names, or name a running server as ENDPOINT"]) from problem
    return server.endpoint


def _answers(endpoint: str, recipe: Recipe) -> bool:
    """Asked of the server itself: a process that has just crashed is still there for a moment."""
    try:
        check_endpoint(endpoint, recipe.translator.settings.model, limits=recipe.limits)
    except ServerError:
        return False
    return True


def _assemble(this: Run, index: Index) -> RunFacts:
    recipe, makers = this.recipe, makers_of(this.recipe)
    assembly = replace(assembly_of(recipe, makers), damaged=index.damaged)
    build = build_name(assembly, index, this.answers)
    if this.reads_images_again:  # an image that could not be read does not show in the name
        build = fingerprint({"build": build, "instead_of": current_build(recipe.out)})
    damage = damage_of(recipe.out, build)
    for line in damage:
        this.say(f"warning: {line}: this run assembles the build again")
    if damage or not is_assembled(recipe.out, build):
        with this.step("assemble", len(index.images)) as progress:
            run_assembly(replace(assembly, build=build), this.answers, progress, recipe.running)
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
        next_command=next_command(recipe.out),
    )
    write_report(facts, rejects_of(recipe.out, build))
    write_page(recipe.out, judgements(recipe.out, build))
    this.say(screen_table(facts))
    return facts


def _models(recipe: Recipe, makers: Makers) -> dict[str, object]:
    translator = makers.translators[recipe.languages[0]]
    return {"captioner": asdict(makers.captioner), "translator": asdict(translator)}
