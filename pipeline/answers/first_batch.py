"""What a model's first answers say about the model: whether it works at all, before its answers are paid for and kept.

A model whose weights are not those of its code, or that is asked in a way that it was not made for, often runs without
a word and says nothing, or the same to everything. Some input is alike by itself, as the frames of a film; so whoever
says the same to all is asked about something else before it is called broken.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from PIL import Image

from florenz.captioners.contract import AtServers, Captioner, CaptionerError, CaptionerSettings
from florenz.pipeline.answers.ledger import CaptionRow
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError
from florenz.translators.stream import Question


class NoWord(ValueError):
    """A translator that is up and says nothing; one line with what to do."""


ENOUGH = 8  # different questions: as many equal answers are no chance
TEXTS = ("A dog is sleeping.", "A house with a garden.", "Two birds are sitting on a wall.")
SIDE_PX = 64


def prove(captioner: Captioner, settings: CaptionerSettings) -> None:
    """A question before the first that counts, to each of its servers where it has several.

    Raises CaptionerError where there is not one word in the answers of one, and ServerError where none answers.
    """
    servers = captioner.at_each_server() if isinstance(captioner, AtServers) else {"": captioner}

    def ask(where: str, one: Captioner) -> None:
        if not any(_captions_of_probes(one, settings.styles)):
            at = f" at {where}" if where else ""
            raise CaptionerError(
                f"captioner {settings.model!r}{at} has no word for a picture, in any of {', '.join(settings.styles)}: "
                "copy the model anew, or name another"
            )

    for failed in _ask_all([partial(ask, where, one) for where, one in servers.items()]):
        logging.getLogger(__name__).warning("%s; the other endpoints are asked", failed)


class FirstCaptions:
    """Looks at captions until each style has shown that the captioner sees its pictures: over all batches, of which
    each may be smaller than what proves anything.
    """

    def __init__(self, captioner: Captioner, settings: CaptionerSettings) -> None:
        self._captioner, self._settings = captioner, settings
        self._said: dict[str, list[str]] = defaultdict(list)
        self._proved: set[str] = set()

    def check(self, rows: Sequence[CaptionRow]) -> None:
        """Raises CaptionerError when all captions of a style are empty, or the same, which the probes get as well."""
        for row in rows:
            if row.text is not None and row.style not in self._proved:
                self._said[row.style].append(row.text)
        for style, texts in list(self._said.items()):
            is_suspect = len(set(texts)) == 1
            if is_suspect and len(texts) < ENOUGH:
                continue
            if is_suspect and set(_captions_of_probes(self._captioner, (style,))) == {texts[0]}:
                raise CaptionerError(
                    f"captioner {self._settings.model!r} says the same to every picture ({_quoted(texts[0])} "
                    f"{len(texts)} times, style {style}): copy the model anew, or name another"
                )
            self._proved.add(style)
            del self._said[style]


def prove_translator(client: Client, languages: Sequence[str]) -> None:
    """A question before the first that counts. Raises NoWord, and ServerError as any question does."""
    answers = client.translate(TEXTS, languages[0])
    if not any(answer.text for answer in answers):
        why = next((f" ({answer.reason}: {answer.detail})" for answer in answers if answer.reason), "")
        raise NoWord(
            f"translator {client.model!r} at {client.endpoint} has no word for {TEXTS[0]!r} in {languages[0]}{why}: "
            "name the prompt family that it was made for, or another model"
        )


def said_to_texts(client: Client, language: str) -> set[str]:
    """Nothing where it can't be asked: whoever asks questions there meets the same, and says it."""
    try:
        return {answer.text for answer in client.translate(TEXTS, language)}
    except ServerError:
        return set()


def prove_translators(clients: Sequence[Client], languages: Sequence[str]) -> list[str]:
    """All servers of one model, at once. What those said that failed, while another one answers.

    Raises NoWord where one has no word, and ServerError where none answers.
    """
    return _ask_all([partial(prove_translator, client, languages) for client in clients])


def _ask_all(questions: Sequence[Callable[[], None]]) -> list[str]:
    """At once. The server faults of some; raises that of all, and any other fault of one."""
    if len(questions) == 1:
        questions[0]()  # not in another thread, which would have torch's threads started a second time
        return []
    with ThreadPoolExecutor(len(questions), "first questions") as pool:
        asked = [pool.submit(question) for question in questions]
    problems = [problem for one in asked if (problem := one.exception()) is not None]
    for problem in problems:
        if not isinstance(problem, ServerError) or len(problems) == len(questions):
            raise problem
    return [str(problem) for problem in problems]


class FirstTranslations:
    """Looks at answers until each language has shown that the translator reads its texts: over all lists, of which
    each may be smaller than what proves anything. Threads may share it.

    ask: what each of its servers says in a language to TEXTS. What is asked again because it got no good answer may get
    the same once more, and is no sign of a broken model.
    """

    def __init__(self, model: str, ask: Callable[[str], Sequence[Collection[str]]]) -> None:
        self._model, self._ask = model, ask
        self._said: dict[str, dict[str, str]] = defaultdict(dict)
        self._proved: set[str] = set()
        self._gate = threading.Lock()

    def check(self, questions: Sequence[Question], answers: Sequence[Answer]) -> None:
        """Raises ServerError when so many different texts of a language got the same answer, or none got a word, and
        TEXTS too.
        """
        for language, (number, text) in self._suspects(questions, answers).items():
            if any(set(said) == {text} for said in self._ask(language)):
                raise ServerError(
                    f"translator {self._model!r} says the same to {number} different texts ({_quoted(text)}, "
                    f"{language}): name the prompt family that it was made for, or another model"
                )
            with self._gate:
                self._proved.add(language)

    def _suspects(self, questions: Sequence[Question], answers: Sequence[Answer]) -> dict[str, tuple[int, str]]:
        """Language -> to how many texts the same was said, and what."""
        suspects = {}
        with self._gate:
            for question, answer in zip(questions, answers, strict=True):
                if question.language not in self._proved and not answer.reason:
                    self._said[question.language][question.text] = answer.text
            for language, found in list(self._said.items()):
                several = set(found.values())
                if len(several) > 1:
                    self._proved.add(language)
                elif len(found) >= 2 * ENOUGH:
                    suspects[language] = (len(found), several.pop())
                else:
                    continue
                del self._said[language]
        return suspects


def _captions_of_probes(captioner: Captioner, styles: Sequence[str]) -> list[str]:
    """What it says to a white picture, to stripes and to noise, in all these styles."""
    answers = captioner.caption([captioner.prepare(picture) for picture in _probes()], [tuple(styles)] * 3)
    return [answer.text for answer_of in answers for answer in answer_of.values()]


def _probes() -> list[Image.Image]:
    """Three pictures that have nothing in common, always the same."""
    white = np.full((SIDE_PX, SIDE_PX, 3), 255, dtype=np.uint8)
    stripes = white.copy()
    stripes[:, ::2] = (200, 0, 0)
    noise = np.random.default_rng(0).integers(0, 256, white.shape, dtype=np.uint8)
    return [Image.fromarray(pixels) for pixels in (white, stripes, noise)]


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
