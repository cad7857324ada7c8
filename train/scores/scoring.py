"""How a model is scored: every question of an evaluation set is put to it, and its answers are counted by pair.

Several ranks share the questions (`together.py`), and each of them has all answers in the end.

Everything is greedy and in the order of the set, so the same model gives the same table. Weights and arithmetic are
those of the saved model, single precision: training in bfloat16 logs slightly other losses, and those count the
language token, which is given here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

import torch
from tqdm import tqdm

from florenz.train.data.processor import Processor
from florenz.train.data.stream import TrainingExample
from florenz.train.distributed import Place
from florenz.train.model.florenz import IGNORED, Florenz
from florenz.train.scores.asking import (
    Asking,
    begins_by_itself,
    can_be_asked,
    english_answers,
    has_prefix,
    losses_of,
    written_by,
)
from florenz.train.scores.comet import comet
from florenz.train.scores.items import example_of, picture_of
from florenz.train.scores.sets.contract import EvaluationSet, Item, Judge, judge_of
from florenz.train.scores.showcase import Showcase, Shown
from florenz.train.scores.table import Evaluation
from florenz.train.scores.texts import PairScores, References, TextScores, chance, interval_of_mean, score_texts
from florenz.train.scores.together import in_rounds

MAX_IMAGES = 1000
BATCH_SIZE = 32
TASKS = ("caption", "translation")
WAYS = ("with_prefix", "without_prefix", "translated", "copied", "by_translator")  # of answering, but by chance
ALONE = Place(rank=0, world_size=1, device=torch.device("cpu"))

Element = TypeVar("Element")


class Pair(NamedTuple):
    """What one row of the table is about."""

    task: str
    language: str
    is_held_out: bool
    is_withheld: bool = False


class Question(NamedTuple):
    """example: with the first of the references as its text. truth: for a judge. image: of the set. is_repeated: as in
    `Item`."""

    example: TrainingExample
    references: References
    truth: str
    image: str
    wrong: str = ""
    is_repeated: bool | None = None


@dataclass(kw_only=True)
class Answers:
    """What the model has answered so far for one pair; the lists run in step, in the order of the set.

    losses: of each batch, summed over its tokens, in nats; num_tokens: of all references.
    """

    references: list[References] = field(default_factory=list)
    truths: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    with_prefix: list[str] = field(default_factory=list)
    without_prefix: list[str] = field(default_factory=list)
    translated: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    by_translator: list[str] = field(default_factory=list)
    contrasts: list[bool] = field(default_factory=list)
    repeated: list[bool | None] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    num_tokens: int = 0

    def add(self, table: dict[str, Any]) -> None:
        """What came after: `asdict` of some, which may have been JSON on the way."""
        for one in fields(self):
            value = table[one.name]
            value = [tuple(texts) for texts in value] if one.name == "references" else value
            setattr(self, one.name, getattr(self, one.name) + value)


def evaluate(
    model: Florenz,
    processor: Processor,
    evaluation_set: EvaluationSet,
    *,
    has_pictures: bool = True,
    max_images: int = MAX_IMAGES,
    batch_size: int = BATCH_SIZE,
    asking: Asking | None = None,
    showcase: Showcase | None = None,
) -> Evaluation:
    """The scores of a model (in eval mode) on an evaluation set, a row for each pair; of one process.

    Raises:
        ValueError: no data, a language that the model lacks. StreamError: what can't be read on the way.
    """
    answers = answers_of(
        model,
        processor,
        evaluation_set,
        has_pictures=has_pictures,
        max_images=max_images,
        batch_size=batch_size,
        asking=asking,
        showcase=showcase,
    )
    return scores_of(answers, evaluation_set, max_images=max_images, asking=asking)


def answers_of(
    model: Florenz,
    processor: Processor,
    evaluation_set: EvaluationSet,
    *,
    has_pictures: bool = True,
    max_images: int = MAX_IMAGES,
    batch_size: int = BATCH_SIZE,
    asking: Asking | None = None,
    showcase: Showcase | None = None,
    place: Place = ALONE,
) -> dict[Pair, Answers]:
    """What the model answers to all questions, shared among the ranks, on each of them; in the order of the table.

    has_pictures: without, translations alone, of text alone. max_images: of each part, the first in the order of the
    set. batch_size: texts at once; changes nothing but the time. showcase: gets the first pictures with their
    answers. Texts of styles that the model was not trained on are left out, and in a benchmark languages that it
    has no prefix for.

    Raises:
        As `evaluate`, and StreamError for what any of the ranks raised.
    """
    assert not model.training
    asking = asking or Asking()
    image_px = processor.image_px if has_pictures else None
    answers: dict[Pair, Answers] = {}
    num_images = _num_images(evaluation_set, max_images)

    def answer(chunk: list[list[Item]]) -> list[tuple[Pair, dict[str, Any]]]:
        found: dict[Pair, Answers] = {}
        for pair, of_pair in _by_pair(chunk, image_px, processor.settings.styles).items():
            if not asking.is_benchmark or can_be_asked(processor, pair.task, pair.language):
                for batch in _chunks(of_pair, batch_size):
                    _ask(model, processor, found.setdefault(pair, Answers()), batch, pair, asking)
        return [(pair, asdict(one)) for pair, one in found.items()]

    is_quiet = None if place.is_first else True  # None: on a terminal alone
    with tqdm(total=sum(num_images.values()), unit="image", desc="evaluate", file=sys.stderr, disable=is_quiet) as bar:
        for part in (part for part, number in num_images.items() if number):
            chunks = _chunks(islice(_images(evaluation_set, part), max_images), batch_size)
            for chunk, answered in in_rounds(chunks, answer, place):
                if showcase is not None:
                    showcase.add_pictures({items[0].image: items[0].picture for items in chunk})
                for pair, table in answered:
                    answers.setdefault(Pair(*pair), Answers()).add(table)
                bar.update(len(chunk))
    if not answers:
        styles = ", ".join(processor.settings.styles)
        raise ValueError(f"{evaluation_set.folder} has no text in the style {styles}, which the model is trained on")
    ordered = sorted(
        answers, key=lambda pair: (TASKS.index(pair.task), pair.is_withheld, pair.is_held_out, pair.language)
    )
    if showcase is not None:
        for pair in ordered:
            _show(showcase, pair, answers[pair])
    return {pair: answers[pair] for pair in ordered}


def scores_of(
    answers: dict[Pair, Answers],
    evaluation_set: EvaluationSet,
    *,
    max_images: int = MAX_IMAGES,
    asking: Asking | None = None,
) -> Evaluation:
    """The table of answers. max_images, asking: as the model was asked."""
    judge = judge_of(evaluation_set)
    return Evaluation(
        dataset=evaluation_set.version(),
        images=_num_images(evaluation_set, max_images),
        pairs=tuple(
            _score(pair, of_pair, evaluation_set.metrics, judge, asking or Asking())
            for pair, of_pair in answers.items()
        ),
    )


def _num_images(evaluation_set: EvaluationSet, max_images: int) -> dict[str, int]:
    return {part: min(number, max_images) for part, number in evaluation_set.parts().items()}


def _show(showcase: Showcase, pair: Pair, answers: Answers) -> None:
    if pair.task != "caption" or not (written := answers.with_prefix or answers.without_prefix):
        return
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
                pair = Pair(item.task, item.language, item.is_held_out, item.is_withheld)
                found.setdefault(pair, []).append(_question(item, picture_CHW))
    return found


def _question(item: Item, picture_CHW: torch.Tensor | None) -> Question:
    return Question(
        example_of(item, picture_CHW), item.references, item.truth, item.image, item.wrong, item.is_repeated
    )


@torch.inference_mode()
def _ask(
    model: Florenz,
    processor: Processor,
    answers: Answers,
    batch: list[Question],
    pair: Pair,
    asking: Asking,
) -> None:
    """Add what the model makes of a batch of one pair: the loss of the right texts, and its own."""
    answers.references += [question.references for question in batch]
    answers.truths += [question.truth for question in batch]
    answers.images += [question.image for question in batch]
    answers.repeated += [question.is_repeated for question in batch]
    examples = [question.example for question in batch]
    answers.styles += [example.style for example in examples]
    right = [replace(question.example, text=text) for question in batch for text in question.references]
    for right_ones in _chunks(right, len(batch)):
        collated = processor.collate(right_ones, learn_prefix=False)
        num_tokens = int((collated["labels"] != IGNORED).sum())
        loss = model(**{name: tensor.to(model.device) for name, tensor in collated.items()}).loss
        answers.losses.append(float(loss) * num_tokens)
        answers.num_tokens += num_tokens
    if not asking.generate:
        return
    if has_prefix(processor, pair.task, pair.language):
        answers.with_prefix += written_by(model, processor, examples, asking)
    if pair.task == "caption" and begins_by_itself(processor):
        answers.without_prefix += written_by(model, processor, examples, asking, with_prefix=False)
    if asking.is_benchmark:
        english = english_answers(model, processor, examples, asking)
        answers.copied += english.copied
        answers.translated += english.translated
        answers.by_translator += english.by_translator
        if all(question.wrong for question in batch):
            wrong = [replace(question.example, text=question.wrong) for question in batch]
            right_losses, wrong_losses = (losses_of(model, processor, texts) for texts in (examples, wrong))
            answers.contrasts += [bool(one < other) for one, other in zip(right_losses, wrong_losses, strict=True)]


def _score(pair: Pair, answers: Answers, metrics: Sequence[str], judge: Judge | None, asking: Asking) -> PairScores:
    def scores(texts: Sequence[str], places: Sequence[int] | None = None) -> TextScores | None:
        """places: of the questions that count; None for all."""
        if not texts or places == []:
            return None
        asked = list(zip(answers.truths, texts, answers.references, strict=True))
        asked = asked if places is None else [asked[place] for place in places]
        verdicts = [judge(truth, pair.language, text) for truth, text, _ in asked if judge]
        return score_texts(
            [text for _, text, _ in asked],
            [references for _, _, references in asked],
            pair.language,
            metrics,
            verdicts=verdicts,
            with_intervals=asking.is_benchmark,
        )

    contrasts = [float(one) for one in answers.contrasts]
    ways = {name: scores(getattr(answers, name)) for name in WAYS}
    if asking.comet and pair.task == "translation":
        ways |= _with_comet(asking.comet, answers, ways)
    new = None if None in answers.repeated else [place for place, seen in enumerate(answers.repeated) if not seen]
    return PairScores(
        **pair._asdict(),
        num_texts=len(answers.references),
        num_tokens=answers.num_tokens,
        cross_entropy=sum(answers.losses) / answers.num_tokens,
        chance=chance(answers.references, answers.styles, pair.language, metrics),
        with_prefix=ways["with_prefix"],
        without_prefix=ways["without_prefix"],
        translated=ways["translated"],
        copied=ways["copied"],
        by_translator=ways["by_translator"],
        num_new=None if new is None else len(new),
        new=None if new is None else scores(answers.with_prefix, new),
        contrast=sum(contrasts) / len(contrasts) if contrasts else None,
        contrast_interval=interval_of_mean(contrasts) if contrasts else None,
    )


def _with_comet(model: str, answers: Answers, ways: dict[str, TextScores | None]) -> dict[str, TextScores]:
    """Those ways of answering that there are, with COMET's mean and its interval."""
    systems = {name: getattr(answers, name) for name, scores in ways.items() if scores is not None}
    references = [texts[0] for texts in answers.references]
    num_gpus = min(torch.cuda.device_count(), 1)
    found = comet(model, answers.copied, systems, references, num_gpus=num_gpus)  # copied: the sources
    return {
        name: replace(
            scores,
            comet=sum(found[name]) / len(found[name]),
            intervals={**scores.intervals, "comet": interval_of_mean(found[name])},
        )
        for name, scores in ways.items()
        if scores is not None
    }


def _chunks(elements: Iterable[Element], size: int) -> Iterator[list[Element]]:
    left = iter(elements)
    while chunk := list(islice(left, size)):
        yield chunk
