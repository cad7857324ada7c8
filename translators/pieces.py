"""A text that is asked in another form than it stands there: with context, or sentence by sentence.

Context (arXiv 2503.09443, context-enhanced machine translation): the detailed description rides along behind a marker,
"{caption} ### ({description})", so that ambiguous words come out right, and what the model says before the marker is
the translation. Where marker or text got lost, the text is asked once more without. What is longer than the recipe
allows is asked sentence by sentence, and so is, once, what the server refuses whole, which is mostly a text that is too
long for its model, and what its answer was cut for at `max_tokens`; a sentence without an answer costs the whole text.

Each answer says in its `detail` which way it went, which stands in the ledger and beside the text in the sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from florenz.translators.answer import Answer
from florenz.translators.stream import Ask, Keep, Question

MARKER = "###"
REFUSED = "translator_refused"
CUT = "length"  # why an answer ends, in the server's word
WITH_CONTEXT, CONTEXT_LOST = "translated with context", "translated without context, which got lost"
BY_SENTENCE = "translated sentence by sentence"
ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "st", "vs", "etc", "e.g", "i.e", "no", "approx", "ca")
_END = re.compile(r"[.!?…]+[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9])")


@dataclass
class _Text:
    """A question, the parts that it is asked in, and what has come back for them."""

    place: int
    question: Question
    parts: list[str]
    is_context_lost: bool
    answers: dict[int, Answer] = field(default_factory=dict)

    @property
    def is_too_long_whole(self) -> bool:
        """For the model's context, most likely, or for `max_tokens`; and there is a shorter way to ask."""
        if len(self.parts) > 1:
            return False
        is_too_long = self.answers[0].reason == REFUSED or self.answers[0].finish_reason == CUT
        return is_too_long and len(sentences(self.question.text)) > 1


async def answer_in_pieces(ask: Ask, questions: Sequence[Question], keep: Keep, max_chars: int | None) -> None:
    """`ask` takes questions as they stand there. Every question gets one answer. Raises what `ask` does."""
    lost = await _ask_with_context(ask, questions, keep)
    texts = [
        _Text(
            place=place,
            question=replace(question, context="") if question.context else question,
            parts=sentences(question.text) if _is_long(question, max_chars) else [question.text],
            is_context_lost=place in lost,
        )
        for place, question in enumerate(questions)
        if place in lost or not _has_context(question)
    ]
    too_long = await _ask_parts(ask, texts, keep)
    again = [replace(text, parts=sentences(text.question.text), answers={}) for text in too_long]
    await _ask_parts(ask, again, keep)


async def _ask_with_context(ask: Ask, questions: Sequence[Question], keep: Keep) -> set[int]:
    """Places of the questions that are to be asked without, since the context got lost."""
    places = [place for place, question in enumerate(questions) if _has_context(question)]
    lost: set[int] = set()

    def keep_some(first: int, answers: Sequence[Answer]) -> None:
        done: dict[int, Answer] = {}
        for place, answer in zip(places[first : first + len(answers)], answers, strict=True):
            if (text := _before_marker(answer)) is None:
                lost.add(place)
            else:
                done[place] = Answer(text=text, finish_reason="stop", detail=WITH_CONTEXT)
        _keep_runs(keep, done)

    if places:
        await ask([_with_context(questions[place]) for place in places], keep_some)
    return lost


async def _ask_parts(ask: Ask, texts: Sequence[_Text], keep: Keep) -> list[_Text]:
    """Keeps what is complete; those that were too long as a whole and can be asked by sentence."""
    parts = [(text, number) for text in texts for number in range(len(text.parts))]
    too_long: list[_Text] = []

    def keep_some(first: int, answers: Sequence[Answer]) -> None:
        done: dict[int, Answer] = {}
        for (text, number), answer in zip(parts[first : first + len(answers)], answers, strict=True):
            text.answers[number] = answer
            if len(text.answers) < len(text.parts):
                continue
            if text.is_too_long_whole:
                too_long.append(text)
            else:
                done[text.place] = _joined(text)
        _keep_runs(keep, done)

    if parts:
        await ask([_part(text, number) for text, number in parts], keep_some)
    return too_long


def _part(text: _Text, number: int) -> Question:
    return text.question if len(text.parts) == 1 else replace(text.question, text=text.parts[number])


def _keep_runs(keep: Keep, done: Mapping[int, Answer]) -> None:
    """Neighbours together, in as few calls as there can be: each becomes a file of the ledger."""
    for _, run in groupby(enumerate(sorted(done)), key=lambda numbered: numbered[1] - numbered[0]):
        places = [place for _, place in run]
        keep(places[0], [done[place] for place in places])


def sentences(text: str) -> list[str]:
    """An English text cut after its sentences; joined by spaces they are the text again, but for white space."""
    found, start = [], 0
    for end in _END.finditer(text):
        words = text[start : end.start()].split()
        if words and words[-1].lower().lstrip("\"'([“‘") in ABBREVIATIONS:
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    return [*found, rest] if (rest := text[start:].strip()) else found


def _joined(text: _Text) -> Answer:
    answers = [text.answers[number] for number in range(len(text.parts))]
    ways = [CONTEXT_LOST] * text.is_context_lost
    if len(answers) == 1:
        return answers[0] if answers[0].reason or not ways else replace(answers[0], detail=CONTEXT_LOST)
    for number, answer in enumerate(answers, 1):
        if answer.reason:
            return replace(answer, detail=f"sentence {number} of {len(answers)}: {answer.detail}")
        if not answer.text:
            missing = f"sentence {number} of {len(answers)} got an empty answer"
            return Answer(text="", reason="translator_bad_reply", detail=missing)
    is_cut = any(answer.finish_reason == CUT for answer in answers)
    joined = " ".join(answer.text for answer in answers)
    ways.append(f"{BY_SENTENCE} ({len(answers)})")
    return Answer(text=joined, finish_reason=CUT if is_cut else "stop", detail="; ".join(ways))


def _has_context(question: Question) -> bool:
    return bool(question.context) and MARKER not in question.text + question.context


def _is_long(question: Question, max_chars: int | None) -> bool:
    return max_chars is not None and len(question.text) > max_chars


def _with_context(question: Question) -> Question:
    context = " ".join(question.context.split())
    return replace(question, text=f"{question.text} {MARKER} ({context})", context="")


def _before_marker(answer: Answer) -> str | None:
    """The translation; None where the marker, or all before it, got lost."""
    text, marker, _ = answer.text.partition(MARKER)
    return text.strip() if marker and text.strip() and not answer.reason else None
