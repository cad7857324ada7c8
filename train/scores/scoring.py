"""How a model is scored: every question of an evaluation set is put to it, and its answers are counted by pair.

Everything is greedy and in the order of the set, so the same model gives the same table. Weights and arithmetic are
those of the saved model, single precision: training in bfloat16 logs slightly other losses, and those count the
language token, which is given here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import NamedTuple, TypeVar

import torch
from tqdm import tqdm

from florenz.train.data.processor import Processor
from florenz.train.data.prompts import decoder_prefix
from florenz.train.data.stream import TrainingExample
from florenz.train.generate import write
from florenz.train.model.florenz import IGNORED, Florenz
from florenz.train.scores.items import example_of, picture_of
from florenz.train.scores.sets.contract import EvaluationSet, Item, Judge, judge_of
from florenz.train.scores.showcase import Showcase, Shown
from florenz.train.scores.table import Evaluation
from florenz.train.scores.texts import PairScores, References, TextScores, chance, score_texts

MAX_IMAGES = 500
BATCH_SIZE = 32
TASKS = ("caption", "translation")

Element = TypeVar("Element")


class Pair(NamedTuple):
    """What one row of the table is about."""

    task: str
    language: str
    is_held_out: bool


class Question(NamedTuple):
    """example: with the first of the references as its text. truth: for a judge. image: of the set."""

    example: TrainingExample
    references: References
    truth: str
    image: str


@dataclass(kw_only=True)
class Answers:
    """What the model has answered so far for one pair; the lists run in step, in the order of the set.

    loss: summed over num_tokens tokens of all references, in nats.
    """

    references: list[References] = field(default_factory=list)
    truths: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    with_prefix: list[str] = field(default_factory=list)
    without_prefix: list[str] = field(default_factory=list)
    loss: float = 0.0
    num_tokens: int = 0


def evaluate(
    model: Florenz,
    processor: Processor,
    evaluation_set: EvaluationSet,
    *,
    has_pictures: bool = True,
    max_images: int = MAX_IMAGES,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
    showcase: Showcase | None = None,
) -> Evaluation:
    """The scores of a model (in eval mode) on an evaluation set, a row for each pair.

    has_pictures: without, translations alone, of text alone. max_images: of each part, the first in the order of the
    set. batch_size: texts at once; changes nothing but the time. max_new_tokens: None for as long as the longest text
    that the model was trained on. showcase: gets the first pictures with what was answered about them. Texts of styles
    that the model was not trained on are left out.

    Raises:
        ValueError: no data, a language that the model lacks. StreamError: what can't be read on the way.
    """
    assert not model.training
    image_px = processor.image_px if has_pictures else None
    answers: dict[Pair, Answers] = {}
    num_images = {part: min(number, max_images) for part, number in evaluation_set.parts().items()}
    with tqdm(total=sum(num_images.values()), unit="image", desc="evaluate", file=sys.stderr, disable=None) as bar:
        for part in (part for part, number in num_images.items() if number):
            for chunk in _chunks(islice(_images(evaluation_set, part), max_images), batch_size):
                if showcase is not None:
                    showcase.add_pictures({items[0].image: items[0].picture for items in chunk})
                for pair, of_pair in _by_pair(chunk, image_px, processor.settings.styles).items():
                    for batch in _chunks(of_pair, batch_size):
                        _ask(model, processor, answers.setdefault(pair, Answers()), batch, pair, max_new_tokens)
                bar.update(len(chunk))
    if not answers:
        styles = ", ".join(processor.settings.styles)
        raise ValueError(f"{evaluation_set.folder} has no text in the style {styles}, which the model is trained on")
    ordered = sorted(answers, key=lambda pair: (TASKS.index(pair.task), pair.is_held_out, pair.language))
    if showcase is not None:
        for pair in ordered:
            _show(showcase, pair, answers[pair])
    judge = judge_of(evaluation_set)
    return Evaluation(
        dataset=evaluation_set.version(),
        images=num_images,
        pairs=tuple(_score(pair, answers[pair], evaluation_set.metrics, judge) for pair in ordered),
    )


def _show(showcase: Showcase, pair: Pair, answers: Answers) -> None:
    if pair.task == "caption":
        written = answers.with_prefix or answers.without_prefix
        for image, style, references, answer in zip(
            answers.images, answers.styles, answers.references, written, strict=True
        ):
            showcase.add(image, Shown(pair.language, pair.is_held_out, style, references[0], answer))


def _images(evaluation_set: EvaluationSet, part: str) -> Iterator[list[Item]]:
    """The items of one image after the other."""
    for _, items in groupby(evaluation_set.items(part), key=lambda item: item.image):
        yield list(items)


def _by_pair(
    images: Iterable[Sequence[Item]], image_px: int | None, styles: Sequence[str]
) -> dict[Pair, list[Question]]:
    """Without pictures, a caption is nothing that could be asked for. styles: empty for all."""
    found: dict[Pair, list[Question]] = {}
    for items in images:
        picture_CHW = picture_of(items[0], image_px)
        for item in items:
            if (image_px is not None or item.source_text) and (not styles or item.style in styles):
                pair = Pair(item.task, item.language, item.is_held_out)
                found.setdefault(pair, []).append(_question(item, picture_CHW))
    return found


def _question(item: Item, picture_CHW: torch.Tensor | None) -> Question:
    return Question(example_of(item, picture_CHW), item.references, item.truth, item.image)


@torch.inference_mode()
def _ask(
    model: Florenz,
    processor: Processor,
    answers: Answers,
    batch: list[Question],
    pair: Pair,
    max_new_tokens: int | None,
) -> None:
    """Add what the model makes of a batch of one pair: the loss of the right texts, and its own."""
    answers.references += [question.references for question in batch]
    answers.truths += [question.truth for question in batch]
    answers.images += [question.image for question in batch]
    examples = [question.example for question in batch]
    answers.styles += [example.style for example in examples]
    right = [replace(question.example, text=text) for question in batch for text in question.references]
    for right_ones in _chunks(right, len(batch)):
        collated = processor.collate(right_ones, learn_prefix=False)
        num_tokens = int((collated["labels"] != IGNORED).sum())
        loss = model(**{name: tensor.to(model.device) for name, tensor in collated.items()}).loss
        answers.loss += float(loss) * num_tokens
        answers.num_tokens += num_tokens
    if _has_prefix(processor, pair):
        written = write(model, processor, examples, max_new_tokens=max_new_tokens)
        answers.with_prefix += [
            processor.without_forced_words(one, text) for one, text in zip(examples, written, strict=True)
        ]
    if pair.task == "caption" and _begins_by_itself(processor):
        answers.without_prefix += write(model, processor, examples, max_new_tokens=max_new_tokens, with_prefix=False)


def _begins_by_itself(processor: Processor) -> bool:
    """Whether asking without prefix means anything: not where the model has always been given its first token, nor
    where nothing is ever forced."""
    settings = processor.settings
    return settings.prompts.language_in != "encoder" and (settings.prefix == "words" or settings.prompts.learn_prefix)


def _has_prefix(processor: Processor, pair: Pair) -> bool:
    """Where the prefix is of words, there are some for a few languages only."""
    try:
        decoder_prefix(pair.task, pair.language, processor.settings.prefix, processor.settings.prompts)
    except ValueError:
        return False
    return True


def _score(pair: Pair, answers: Answers, metrics: Sequence[str], judge: Judge | None) -> PairScores:
    def scores(texts: Sequence[str]) -> TextScores | None:
        if not texts:
            return None
        asked = zip(answers.truths, texts, strict=True) if judge else ()
        verdicts = [judge(truth, pair.language, text) for truth, text in asked if judge]
        return score_texts(texts, answers.references, pair.language, metrics, verdicts=verdicts)

    return PairScores(
        **pair._asdict(),
        num_texts=len(answers.references),
        num_tokens=answers.num_tokens,
        cross_entropy=answers.loss / answers.num_tokens,
        with_prefix=scores(answers.with_prefix),
        without_prefix=scores(answers.without_prefix),
        chance=chance(answers.references, answers.styles, pair.language, metrics),
    )


def _chunks(elements: Iterable[Element], size: int) -> Iterator[list[Element]]:
    left = iter(elements)
    while chunk := list(islice(left, size)):
        yield chunk
