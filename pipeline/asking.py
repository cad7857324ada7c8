"""Steps caption and translate of a run: each captioner, then each translator, about what the ledger lacks.

On one machine with room for both, the first translator works beside the last captioner: it is asked about each range
of keys as soon as that is captioned (`answers/captioned.py`). Its questions are those that it would be asked later.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from florenz.captioners.contract import Captioner, CaptionerError, CaptionerSettings, Served
from florenz.pipeline.answers import busy
from florenz.pipeline.answers.captioned import Captioned, CaptioningStopped, Feed
from florenz.pipeline.answers.captioning import forget_captioner, free_on_gpu, load_captioner
from florenz.pipeline.answers.makers import style_fingerprints, translator_fingerprint
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.answers.reading import check_reading
from florenz.pipeline.answers.surveyed import Asked, Survey
from florenz.pipeline.beside import Captioning, free_bytes, leaves_cores, leaves_memory
from florenz.pipeline.budget import UNLIMITED, BudgetUsedUp
from florenz.pipeline.gpus import takes_its_gpu
from florenz.pipeline.image_index import Index
from florenz.pipeline.learning import learning_ahead
from florenz.pipeline.passes import Pass, pass_of
from florenz.pipeline.progress import ProgressAddress, tell_phase
from florenz.pipeline.rates import BESIDE, OWN, START, WHILE_BESIDE, Measurement, note_rate
from florenz.pipeline.serving import Serving
from florenz.recipes.recipe_file import RecipeError
from florenz.reports.loads import ModelLoad
from florenz.translators.endpoint import ServerError
from florenz.translators.load import ServerWatch

if TYPE_CHECKING:
    from florenz.pipeline.run import Run

MIN_START_S = 1.0


def ask(this: Run, index: Index, keys: Collection[str] | None = None) -> None:
    """Steps caption and translate, for all images or for those of `keys`. Raises BudgetUsedUp."""
    recipe, found = this.recipe, this.survey(index, keys)
    lacking = [one for one in recipe.captioners if found.lacking_captions(one.told_styles)]
    if lacking or found.translations().questions:
        _prove_running_servers(this)
    for captioner in lacking:
        is_last = keys is None and captioner is lacking[-1]  # each of a plan's samples is measured alone
        found = _caption_with(this, index, keys, captioner, found, may_translate=is_last)
    _check_budget(this, found)
    for serving in this.servings:  # one translator after the other: each may need all of the machine's memory
        translate_with(this, index, keys, pass_of(recipe, this.answers, serving))


def _prove_running_servers(this: Run) -> None:
    """Those that can't translate are told now, and not when hours of captioning are done. Raises RecipeError."""
    for serving in this.servings:
        if not serving.is_ours:
            try:
                _prove(this, serving, serving.endpoints())
            except ServerError as problem:
                raise RecipeError([str(problem)]) from problem


def _prove(this: Run, serving: Serving, endpoints: Sequence[str]) -> None:
    """Raises RecipeError for a budget of tokens that nobody would count, besides what `Serving.prove` does."""
    for failed in serving.prove(endpoints, this.recipe.languages):
        this.say(f"warning: {failed}; the other endpoints are asked")
    if this.budget.tokens is not None and not serving.counts_tokens:
        model = serving.translator.settings.model
        problem = f"BUDGET is in tokens, and the server of {model!r} does not say how many it has used"
        raise RecipeError([f"{problem}: give hours or money, as BUDGET=2h"])


def _check_budget(this: Run, found: Survey) -> None:
    """Raises BudgetUsedUp where captions were left unasked."""
    captions = found.captions().total()
    if this.budget != UNLIMITED and captions:
        raise BudgetUsedUp(f"the budget is used up: {captions:,} captions are still to be asked for, then translations")


def _caption_with(
    this: Run,
    index: Index,
    keys: Collection[str] | None,
    captioner: CaptionerSettings,
    before: Survey,
    *,
    may_translate: bool,
) -> Survey:
    """What there is afterwards. may_translate: whether the first translator may begin meanwhile."""
    if this.may_start_early:
        this.servings[0].start()  # it takes longer to come up than a thousand captions take
    styles = captioner.told_styles
    endpoints = captioner.running_servers
    loaded: Captioner | None = None
    try:
        if this.workers_are.is_on_this_machine:
            loaded = load(this, captioner)
            endpoints = loaded.endpoints if isinstance(loaded, Served) else endpoints
        this.has_room_beside = _is_room_beside(this, captioner, loaded)
        del loaded  # its memory is free where nobody else holds it
        if not this.workers_are.shares_memory and not captioner.starts_server:
            forget_captioner()  # each worker process has its own; a server is everybody's
        caption = partial(_caption, this, index, before, captioner, endpoints)
        is_beside = may_translate and this.has_room_beside
        if is_beside:
            is_beside = _translate_beside(this, index, before, captioner, caption)
        else:
            caption(None)
    finally:
        forget_captioner()  # its memory is the translator's now
    after = this.survey(index, keys)
    if not this.workers_are.is_on_this_machine:
        both = [(before.captioned(style), after.captioned(style)) for style in styles]
        check_reading(
            this.ledger,
            set(style_fingerprints(captioner).values()),
            answered=sum(now.answers - then.answers for then, now in both),
            unreadable=sum(now.unreadable - then.unreadable for then, now in both),
            where=this.recipe.image_source,
        )
    missing = before.captions()
    this.asked["captions"] += sum(missing[style] for style in styles)
    _note_captions(this, styles, before, after, is_beside=is_beside)
    return after


def load(this: Run, captioner: CaptionerSettings) -> Captioner:
    """The captioner, in this process; at once where it was loaded before. Raises RecipeError."""
    started = time.monotonic()
    try:
        loaded = load_captioner(captioner)
    except CaptionerError as problem:
        raise RecipeError([str(problem)]) from problem
    note_start(this, this.makers.captioners[captioner.told_styles[0]].fingerprint, time.monotonic() - started)
    return loaded


def _caption(
    this: Run,
    index: Index,
    before: Survey,
    captioner: CaptionerSettings,
    endpoints: Sequence[str],
    captioned: Captioned | None,
) -> None:
    """The graph, with what is noted of it. captioned: told of what is in the ledger. Raises CaptioningStopped."""
    from florenz.pipeline.answers.graphs import captions_missing_in, run_captioning

    styles = captioner.told_styles
    busy.collect(this.recipe.out, "caption")
    key_variable = getattr(captioner, "key_variable", "")
    watch = ServerWatch(endpoints, limits=this.recipe.limits, key_variable=key_variable)
    with this.step("caption", before.caption_tasks(styles)) as progress, watch:
        tasks = captions_missing_in(before.lacking_captions(styles), this.recipe, this.answers, styles)
        run_captioning(this.recipe, tasks, progress, captioner, this.budget, index.digits, captioned)
        if captioned is not None and captioned.is_stopped:
            raise CaptioningStopped
    if captioned is not None:
        forget_captioner()  # the translator goes on, and may need the memory
    this.note_load("caption", captioner.model, watch.load, is_shared=bool(endpoints) or captioner.starts_server)


def _is_room_beside(this: Run, captioner: CaptionerSettings, loaded: Captioner | None) -> bool:
    """Whether the first translator can work while this one captions: threads of one process, each with its cores."""
    serving = this.servings[0]
    is_ours = this.workers_are.shares_memory and this.budget == UNLIMITED and not captioner.starts_server
    has_own_gpu = not takes_its_gpu(this.recipe, captioner, serving.translator)
    return is_ours and has_own_gpu and leaves_cores(loaded, serving)


def _translate_beside(
    this: Run, index: Index, before: Survey, captioner: CaptionerSettings, caption: Callable[[Captioned | None], None]
) -> bool:
    """Caption, and translate what is captioned until no more comes. False where there was no memory for both."""
    asking = pass_of(this.recipe, this.answers, this.servings[0])
    tasks = asking.tasks_beside
    assert tasks is not None, "the first of all is a translator"
    captioned = Captioned(_work_beside(this, before, asking), _lacking(before, captioner.told_styles))
    started, was_beside = time.monotonic(), False
    this.ahead = learning_ahead(this.recipe, this.makers, index, this.answers)
    most = asking.missing(before).questions + before.captions().total() * len(asking.routes)
    with Captioning(caption, captioned) as captioning:

        def translate(endpoints: Sequence[str]) -> None:
            nonlocal was_beside
            if not leaves_memory(asking.serving, free_bytes(), free_on_gpu()):
                return  # all that is missing will be asked for when the captioner has gone
            was_beside = True
            languages = dict.fromkeys(language for language, _ in asking.routes)
            feed = captioned.feed(languages, this.ahead.begin) if this.ahead else captioned.feed(languages)
            load = _translate(this, index, asking, endpoints, most, partial(tasks, feed), feed)
            _note_beside(this, asking, feed, load)

        _with_server(this, asking, translate, captioning.check)
    this.asked[asking.what] += captioned.num_asked
    if was_beside:
        took = Measurement(items=before.captions().total(), seconds=time.monotonic() - started, chars=0)
        note_rate(this.recipe.out, BESIDE, took)
    return was_beside


def _lacking(found: Survey, styles: Collection[str]) -> dict[str, int]:
    """Range -> images that lack a caption in one of these styles."""
    return {
        part.range: sum(number for some, number in part.lacking.items() if not set(some).isdisjoint(styles))
        for part in found.parts
    }


def _work_beside(this: Run, found: Survey, asking: Pass) -> list[RangeWork]:
    """Ranges in which something is to be translated, or will be when it is captioned."""
    some = (*found.lacking_translations(asking.routes), *found.lacking_captions(this.recipe.styles))
    ranges = {one.range for one in some}
    return [one for one in found.work if one.range in ranges]


def note_start(this: Run, fingerprint: str, waited_s: float, seconds: float | None = None) -> None:
    """How long a model took to come up: as long as we waited, unless it began earlier."""
    if waited_s < MIN_START_S:
        return  # it was up already, nobody knows since when
    note_rate(this.recipe.out, fingerprint + START, Measurement(items=1, seconds=seconds or waited_s, chars=0))


def _note_captions(this: Run, styles: Collection[str], before: Survey, after: Survey, *, is_beside: bool) -> None:
    """How fast it was, for plans: each style as if it had taken all of the step's time for its own share.

    is_beside: whether a translator worked at the same time.
    """
    missing = before.captions()
    num_asked = sum(missing[style] for style in styles)
    items: Counter[str] = Counter()
    chars: Counter[str] = Counter()
    for style in styles:
        then, now = before.captioned(style), after.captioned(style)
        maker = this.makers.captioners[style].fingerprint
        items[maker] += now.answers - then.answers
        chars[maker] += now.chars - then.chars
    for maker, number in items.items():
        if number > 0:
            name = maker + WHILE_BESIDE * is_beside
            note_step(this, name, "caption", items=number, chars=max(0, chars[maker]), share=number / num_asked)


def note_step(this: Run, name: str, step: str, *, items: int, chars: int, share: float = 1.0) -> None:
    """How fast a model was in the last step of this name, or in its share of it, and what the step took besides."""
    active_s = this.active_s[step]
    note_rate(this.recipe.out, name, Measurement(items=items, seconds=active_s * share, chars=chars))
    own_s = (this.last(step).seconds - active_s) * share
    own = Measurement(items=1, seconds=own_s, chars=0)
    note_rate(this.recipe.out, name.removesuffix(WHILE_BESIDE) + OWN, own)


def translate_with(this: Run, index: Index, keys: Collection[str] | None, asking: Pass) -> None:
    """Ask for all that is missing."""
    found = this.survey(index, keys)
    first = asking.missing(found)
    if not first.questions:
        return
    if this.budget.is_used_up():
        raise BudgetUsedUp(_left_unasked(first, asking))
    this.asked[asking.what] += first.questions
    looked = [found]

    def translate(endpoints: Sequence[str]) -> None:
        before = looked.pop() if looked else this.survey(index, keys)  # after a crash of the server there is less
        missing = asking.missing(before)
        if not missing.questions:
            return
        if this.budget.is_used_up():
            raise BudgetUsedUp(_left_unasked(missing, asking))
        _translate(this, index, asking, endpoints, missing.questions, lambda progress: asking.tasks(before))
        _note_translations(this, asking, missing, asking.missing(this.survey(index, keys)))

    _with_server(this, asking, translate)


def _with_server(
    this: Run, asking: Pass, translate: Callable[[Sequence[str]], None], look: Callable[[], None] | None = None
) -> None:
    """Call it with the servers' endpoints, and after a crash of a server that we started again, with that restarted.

    look: while a server comes up; what it raises ends the wait.
    """
    serving = asking.serving
    while True:
        for other in this.servings:
            if other is not serving:
                other.stop()
        serving.start()
        started = time.monotonic()
        with this.step("server") if serving.is_ours else contextlib.nullcontext() as progress:
            endpoints = serving.endpoints(partial(tell_phase, progress, "server"), look)
        maker = translator_fingerprint(this.recipe, serving.translator.settings)
        note_start(this, maker, time.monotonic() - started, serving.seconds_since_start)
        try:
            _prove(this, serving, endpoints)
            translate(endpoints)
            return
        except ServerError:
            if not serving.can_be_mended():
                raise
            this.say("warning: the translation server died; starting it again")
            serving.restart()


def _translate(
    this: Run,
    index: Index,
    asking: Pass,
    endpoints: Sequence[str],
    total: int,
    tasks: Callable[[ProgressAddress], Any],
    feed: Feed | None = None,
) -> ModelLoad:
    """The graph, and how full it kept its servers. tasks: gives its questions, where progress is told."""
    from florenz.pipeline.answers.graphs import run_translation

    busy.collect(this.recipe.out, asking.step)
    settings = asking.settings
    watch = ServerWatch(endpoints, limits=this.recipe.limits, key_variable=settings.key_variable)
    with this.step(asking.step, total) as progress, watch:
        run_translation(
            this.recipe, tasks(progress), endpoints, progress, settings, this.budget, index.digits, asking.step, feed
        )
    return this.note_load(asking.step, settings.model, watch.load, is_shared=True)


def _note_beside(this: Run, asking: Pass, feed: Feed, load: ModelLoad) -> None:
    """How fast it was beside the captioner: without the time in which it had nothing to do but wait for captions."""
    seconds, settings = load.seconds * (1 - (load.idle or 0.0)), asking.serving.translator.settings
    if feed.num_found and seconds > 0:
        measured = Measurement(items=feed.num_found, seconds=seconds, chars=feed.num_chars)
        note_rate(this.recipe.out, translator_fingerprint(this.recipe, settings) + WHILE_BESIDE, measured)


def _note_translations(this: Run, asking: Pass, asked: Asked, left: Asked) -> None:
    """How fast it was, for plans. Raises BudgetUsedUp where something was left unasked."""
    if (answered := asked.questions - left.questions) > 0:
        maker = translator_fingerprint(this.recipe, asking.settings)
        note_step(this, maker, asking.step, items=answered, chars=asked.chars - left.chars)
    if left.questions and this.budget != UNLIMITED:
        raise BudgetUsedUp(_left_unasked(left, asking))


def _left_unasked(left: Asked, asking: Pass) -> str:
    return f"the budget is used up: {left.questions:,} {asking.what} are still to be asked for"
