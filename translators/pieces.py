"""A text that is asked in another form than it stands there: with context, or sentence by sentence.

Context (arXiv 2503.09443, context-enhanced machine translation): the detailed description rides along behind a marker,
"{caption} ### ({description})", so that ambiguous words come out right, and what the model says before the marker is
the translation. Where marker or text got lost, the text is asked once more without. What is longer than the recipe
allows is asked sentence by sentence; a sentence without an answer costs the whole text.

Each answer says in its `detail` which way it went, which stands in the ledger and beside the text in the sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from florenz.translators.answer import Answer
from florenz.translators.stream import Ask, Keep, Question

MARKER = "###"
WITH_CONTEXT, CONTEXT_LOST = "translated with context", "translated without context, which got lost"
BY_SENTENCE = "translated sentence by sentence"
ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "st", "vs", "etc", "e.g", "i.e", "no", "approx", "ca")
_END = re.compile(r"[.!?…]+[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9])")


def is_whole(question: Question, max_chars: int | None) -> bool:
    """Whether it is asked as it stands there."""
    return not _has_context(question) and not _is_long(question, max_chars)


@dataclass
class _Text:
    """A question and what has come back for its pieces."""

    question: Question
    answers: dict[int, Answer] = field(default_factory=dict)
    num_pieces: int = 1


async def answer_in_pieces(ask: Ask, questions: Sequence[Question], keep: Keep, max_chars: int | None) -> None:
    """`ask` takes questions as they stand there. Every question gets one answer. Raises what `ask` does."""
    texts = [_Text(question) for question in questions]
    plain: list[int] = []  # to be asked without context

    def keep_with_context(places: Sequence[int]) -> Keep:
        def keep_some(first: int, answers: Sequence[Answer]) -> None:
            for place, answer in zip(places[first : first + len(answers)], answers, strict=True):
                if (text := _before_marker(answer)) is None:
                    plain.append(place)
                else:
                    keep(place, [Answer(text=text, finish_reason="stop", detail=WITH_CONTEXT)])

        return keep_some

    enriched = [place for place, question in enumerate(questions) if _has_context(question)]
    if enriched:
        asked = [_with_context(questions[place]) for place in enriched]
        await ask(asked, keep_with_context(enriched))
    without = sorted({*range(len(questions))} - {*enriched})
    pieces: list[tuple[int, int, Question]] = []  # place, number in its text, what is asked
    for place in [*without, *sorted(plain)]:
        question = questions[place]
        parts = sentences(question.text) if _is_long(question, max_chars) else [question.text]
        texts[place].num_pieces = len(parts)
        pieces += [(place, number, replace(question, text=part, context="")) for number, part in enumerate(parts)]
    lost = set(plain)

    def keep_pieces(first: int, answers: Sequence[Answer]) -> None:
        for (place, number, _), answer in zip(pieces[first : first + len(answers)], answers, strict=True):
            text = texts[place]
            text.answers[number] = answer
            if len(text.answers) == text.num_pieces:
                keep(place, [_joined(text, is_context_lost=place in lost)])

    if pieces:
        await ask([question for _, _, question in pieces], keep_pieces)


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


def _joined(text: _Text, *, is_context_lost: bool) -> Answer:
    answers = [text.answers[number] for number in range(text.num_pieces)]
    ways = [CONTEXT_LOST] * is_context_lost
    if len(answers) == 1:
        return answers[0] if answers[0].reason else replace(answers[0], detail="; ".join(ways))
    for number, answer in enumerate(answers, 1):
        if answer.reason:
            return replace(answer, detail=f"sentence {number} of {len(answers)}: {answer.detail}")
        if not answer.text:
            missing = f"sentence {number} of {len(answers)} got an empty answer"
            return Answer(text="", reason="translator_bad_reply", detail=missing)
    is_cut = any(answer.finish_reason == "length" for answer in answers)
    joined = " ".join(answer.text for answer in answers)
    ways.append(f"{BY_SENTENCE} ({len(answers)})")
    return Answer(text=joined, finish_reason="length" if is_cut else "stop", detail="; ".join(ways))


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
