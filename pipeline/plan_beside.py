"""What a captioner and a translator that work at once on the cores of this machine take from each other, for a plan.

Each is timed alone and then beside the other, a few seconds each, on pictures of the plan's sample; what they say is
thrown away. So it is done only where both compute here: their time is all that it costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from florenz.captioners.contract import Captioner, CaptionerSettings, LeavingRoom
from florenz.images.decoding import BadImage, decode
from florenz.images.sources import ImageRef, read_image_bytes
from florenz.pipeline.answers.makers import translator_fingerprint
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.rates import WHILE_BESIDE, Measurement, known_rate, note_rate, read_rates
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.routing import languages_of
from florenz.translators.client import Client

if TYPE_CHECKING:
    from PIL import Image

    from florenz.pipeline.run import Run

PROBE_S = 3.0
NUM_PICTURES, NUM_TEXTS = 8, 128  # of one turn
NOTED = 1000  # items, so that a real run of more soon weighs more

Work = Callable[[], int]
"""One turn; how many answers it gave."""


def measure_beside(this: Run, sample: Sequence[RangeWork]) -> None:
    """Notes how fast each is beside the other, where that is not known. Raises CaptionerError, ServerError,
    RecipeError.
    """
    from florenz.pipeline.answers.captioning import forget_captioner, load_captioner

    recipe, serving = this.recipe, this.servings[0]
    settings = next(one for one in reversed(recipe.captioners) if not one.is_read)
    names = (
        this.makers.captioners[settings.told_styles[0]].fingerprint,
        translator_fingerprint(recipe, serving.translator.settings),
    )
    measured = read_rates(recipe.out)
    alone = [known_rate(measured, name) for name in names]
    if serving.num_cores == 0 or all(f"{name}{WHILE_BESIDE}" in measured for name in names):
        return
    pictures = _pictures(recipe, sample)
    try:
        captioner = load_captioner(settings)
        if not (isinstance(captioner, LeavingRoom) and captioner.num_cores and pictures):
            return
        captioning, texts = _captioning(captioner, settings, pictures)
        if not texts:
            return
        serving.start()
        translator = serving.translator
        client = Client(serving.endpoints()[0], translator.settings.model, translator.settings, limits=recipe.limits)
        (language, *_) = languages_of(translator, recipe.languages)
        kept = shares(captioning, lambda: len(client.translate(texts, language)), seconds=PROBE_S)
    finally:
        forget_captioner()
    for name, rate, share in zip(names, alone, kept, strict=True):
        if rate is not None:
            took = Measurement(items=NOTED, seconds=NOTED / (rate.per_s * share), chars=round(NOTED * rate.chars))
            note_rate(recipe.out, name + WHILE_BESIDE, took)


def shares(
    first: Work, second: Work, *, seconds: float, clock: Callable[[], float] = time.monotonic
) -> tuple[float, float]:
    """Of its speed alone that each keeps beside the other, 1 at most."""
    for work in (first, second):
        work()  # what is slow the first time
    alone = [_speed(work, lambda: False, seconds, clock) for work in (first, second)]
    done = [0, 0]

    def beside(number: int, work: Work) -> float:
        def turn() -> int:
            answers = work()
            done[number] += 1
            return answers

        try:
            return _speed(turn, lambda: done[1 - number] == 0, seconds, clock)
        finally:
            done[number] += 1  # nobody waits for one that has failed

    with ThreadPoolExecutor(2, "beside") as both:
        running = [both.submit(beside, number, work) for number, work in enumerate((first, second))]
        together = [one.result() for one in running]
    first_share, second_share = (min(1.0, now / then) for now, then in zip(together, alone, strict=True))
    return first_share, second_share


def _speed(work: Work, must_go_on: Callable[[], bool], seconds: float, clock: Callable[[], float]) -> float:
    """Answers a second, over so many seconds, and on as long as the other one needs it."""
    started, answers = clock(), 0
    while True:
        answers += work()
        took = clock() - started
        if took >= seconds and not must_go_on():
            return answers / max(took, 1e-9)


def _captioning(
    captioner: Captioner, settings: CaptionerSettings, pictures: Sequence[Image.Image]
) -> tuple[Work, list[str]]:
    """A turn of captioning, and texts for turns of translating: its captions, again and again; none if it is mute."""
    prepared = [captioner.prepare(picture) for picture in pictures]
    wanted = [settings.styles] * len(prepared)

    def turn() -> int:
        return sum(len(answers) for answers in captioner.caption(prepared, wanted))

    said = [answer.text for answers in captioner.caption(prepared, wanted) for answer in answers.values()]
    texts = [text for text in said if text]
    return turn, (texts * NUM_TEXTS)[:NUM_TEXTS]


def _pictures(recipe: Recipe, sample: Sequence[RangeWork]) -> list[Image.Image]:
    """The first that can be read."""
    rules, found = recipe.images, []
    for source in islice((source for work in sample for source in work.images(recipe.out).values()), 4 * NUM_PICTURES):
        try:
            data = read_image_bytes(ImageRef(uri=source), max_bytes=rules.max_bytes, limits=recipe.limits)
            found.append(decode(data, max_pixels=rules.max_pixels, max_side_ratio=rules.max_side_ratio))
        except BadImage:
            continue
        if len(found) == NUM_PICTURES:
            break
    return found
