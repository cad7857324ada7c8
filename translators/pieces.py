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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from florenz.languages.codes import scripts_of_language
from florenz.translators.answer import Answer
from florenz.translators.stream import Ask, Keep, Question

MARKER = "###"
REFUSED = "translator_refused"
CUT = "length"  # why an answer ends, in the server's word
WITH_CONTEXT, CONTEXT_LOST = "translated with context", "translated without context, which got lost"
BY_SENTENCE = "translated sentence by sentence"
ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "st", "vs", "etc", "e.g", "i.e", "no", "approx", "ca")
_INITIALS = re.compile(r"(?:[a-z]\.)*[a-z]")  # before a full stop: U.S. Navy, George W. Bush
WITHOUT_SPACES = {"HAN", "KANA"}  # scripts whose sentences follow each other without one: Chinese and Japanese
Clean = Callable[[str, str], str]
"""(answer, source) -> the translation in it."""
_END = re.compile(r"[.!?…]+[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9])")


@dataclass
class _Text:
    """A question on one of its ways, the parts that it is asked in, and what has come back for them."""

    place: int
    question: Question
    parts: list[str]
    has_context: bool
    is_context_lost: bool = False
    answers: dict[int, Answer] = field(default_factory=dict)

    @property
    def is_too_long_whole(self) -> bool:
        """For the model's context, most likely, or for `max_tokens`; and there is a shorter way to ask."""
        if len(self.parts) > 1:
            return False
        is_too_long = self.answers[0].reason == REFUSED or self.answers[0].finish_reason == CUT
        return is_too_long and len(sentences(self.question.text)) > 1

    def asked(self, number: int) -> Question:
        if self.has_context:
            return _with_context(self.question)
        text = self.parts[number] if len(self.parts) > 1 else self.question.text
        return replace(self.question, text=text, context="")


async def answer_in_pieces(
    ask: Ask, questions: Sequence[Question], keep: Keep, max_chars: int | None, clean: Clean
) -> None:
    """`ask` takes questions as they stand there. Every question gets one answer. Raises what `ask` does.

    clean: as `ask` cleans whole answers, for what stands before a marker: `"ein Auto" ### (...)` is quoted no more when
    the context is gone.

    All are asked in one list, each on its first way, and those that did not get there in one more, and at most in a
    third: a list of each kind would be half as long at the server, and its answers two files of the ledger.
    """
    texts = [_first_way(place, question, max_chars) for place, question in enumerate(questions)]
    while texts:
        texts = await _ask_texts(ask, texts, keep, max_chars, clean)


def _first_way(place: int, question: Question, max_chars: int | None) -> _Text:
    has_context = bool(question.context) and MARKER not in question.text + question.context
    parts = [question.text] if has_context else _parts(question, max_chars)
    return _Text(place=place, question=question, parts=parts, has_context=has_context)


async def _ask_texts(ask: Ask, texts: Sequence[_Text], keep: Keep, max_chars: int | None, clean: Clean) -> list[_Text]:
    """Keeps what is answered; the others, on their next way."""
    parts = [(text, number) for text in texts for number in range(len(text.parts))]
    again: list[_Text] = []

    def keep_some(answers: Mapping[int, Answer]) -> None:
        done: dict[int, Answer] = {}
        for at, answer in answers.items():
            text, number = parts[at]
            text.answers[number] = answer
            if len(text.answers) < len(text.parts):
                continue
            before = _before_marker(text, clean) if text.has_context else ""
            if before:
                done[text.place] = Answer(text=before, finish_reason="stop", detail=WITH_CONTEXT)
            elif (way := _next_way(text, max_chars)) is None:
                done[text.place] = _joined(text)
            else:
                again.append(way)
        if done:
            keep(done)

    await ask([text.asked(number) for text, number in parts], keep_some)
    return sorted(again, key=lambda text: text.place)


def _next_way(text: _Text, max_chars: int | None) -> _Text | None:
    """None for a text that has its answer, or to which there is no other way."""
    if text.has_context:
        parts = _parts(text.question, max_chars)
        return replace(text, parts=parts, has_context=False, is_context_lost=True, answers={})
    if text.is_too_long_whole:
        return replace(text, parts=sentences(text.question.text), answers={})
    return None


def _parts(question: Question, max_chars: int | None) -> list[str]:
    is_long = max_chars is not None and len(question.text) > max_chars
    return sentences(question.text) if is_long else [question.text]


def sentences(text: str) -> list[str]:
    """An English text cut after its sentences; joined by spaces they are the text again, but for white space."""
    found, start = [], 0
    for end in _END.finditer(text):
        words = text[start : end.start()].split()
        last = words[-1].lower().lstrip("\"'([“‘") if words else ""
        if last in ABBREVIATIONS or _INITIALS.fullmatch(last):
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
    joined = _in_a_row([answer.text for answer in answers], text.question.language)
    ways.append(f"{BY_SENTENCE} ({len(answers)})")
    return Answer(text=joined, finish_reason=CUT if is_cut else "stop", detail="; ".join(ways))


def _in_a_row(texts: Sequence[str], language: str) -> str:
    """A space after each, but where the language has none after what ends a sentence."""
    has_spaces = not scripts_of_language(language) <= WITHOUT_SPACES
    return "".join(f"{text} " if has_spaces or text[-1].isalnum() else text for text in texts).rstrip()


def _with_context(question: Question) -> Question:
    context = " ".join(question.context.split())
    return replace(question, text=f"{question.text} {MARKER} ({context})", context="")


def _before_marker(text: _Text, clean: Clean) -> str:
    """The translation; "" where the marker, or all before it, got lost."""
    answer = text.answers[0]
    before, marker, _ = answer.text.partition(MARKER)
    return clean(before, text.question.text) if marker and not answer.reason else ""
