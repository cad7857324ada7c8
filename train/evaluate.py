"""How well does a Florenz do, for each task and language? `python -m train.evaluate RECIPE [NAME=value ...]`.

The same recipe and variables as for `python -m train`: OUT/model is asked about the validation split of DATA, and about
the withheld captions of its images (val-heldout). A table goes to the screen and into OUT/EVALUATION.md, its numbers
into OUT/evaluation.json, and a picture into OUT/evaluation.png.

Everything is greedy and in the order of the shards, so the same model gives the same table. Weights and arithmetic are
those of the saved model, single precision: training in bfloat16 logs slightly other losses, and those count the
language token, which is given here.

Exit codes: 0 done; 1 stopped on the way; 2 the input is wrong and nothing was written; 130 Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from tqdm import tqdm
from transformers.utils import logging as transformers_logging

from florenz.shards.manifest import Manifest, read_manifest
from florenz.stores import files
from florenz.train.console import fail, quiet_libraries
from florenz.train.data.processor import Processor
from florenz.train.data.prompts import decoder_prefix
from florenz.train.data.stream import StreamError, TrainingExample, examples_of
from florenz.train.distributed import find_place
from florenz.train.generate import write
from florenz.train.loop import MODEL_FOLDER
from florenz.train.model.florenz import IGNORED, Florenz
from florenz.train.model.loading import load
from florenz.train.recipe import Recipe, load_recipe
from florenz.train.scores.plot import draw, has_matplotlib
from florenz.train.scores.texts import PairScores, TextScores, chance, check_tools, score_texts

USAGE = "usage: python -m train.evaluate RECIPE [DATA=folder] [OUT=folder] [DEVICE=auto] [MAX_IMAGES=n] ..."
MAX_IMAGES = 500
BATCH_SIZE = 32

COVERED, WITHHELD = "val", "val-heldout"
JSON_NAME, TABLE_NAME, PLOT_NAME = "evaluation.json", "EVALUATION.md", "evaluation.png"
TASKS = ("caption", "translation")
GROUPS = ("with prefix", "without", "chance")
HEAD = ["pair", "texts", "cross-entropy", *["exact", "chrF", "language"] * len(GROUPS)]
GAP = "  "
FOOTER = """\
cross-entropy: nats per token of the dataset's text, its language prefix given. exact: answers that are that text.
chrF: 0 to 100. language: answers that language ID places in the asked language. held out: never trained on.
chance: the texts of other images as answers, right in language and style, blind to the image or to the sentence."""

Say = Callable[[str], None]
Item = TypeVar("Item")


class Pair(NamedTuple):
    """What one row of the table is about."""

    task: str
    language: str
    is_held_out: bool


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What evaluation.json holds. dataset: its build. images: split -> how many were asked about."""

    dataset: str
    images: dict[str, int]
    pairs: tuple[PairScores, ...]


@dataclass(kw_only=True)
class Answers:
    """What the model has answered so far for one pair; the lists run in step, in the order of the shards.

    loss: summed over num_tokens tokens, in nats.
    """

    references: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    with_prefix: list[str] = field(default_factory=list)
    without_prefix: list[str] = field(default_factory=list)
    loss: float = 0.0
    num_tokens: int = 0


def evaluate_training(recipe: Recipe, say: Say, *, max_images: int = MAX_IMAGES) -> Evaluation:
    """Score the finished model of a training on its dataset, tell the table, and write all files into recipe.out.

    Raises:
        ValueError: no dataset, no model, a GPU that is not there. StreamError, OSError: stopped on the way.
    """
    _check(recipe.data)
    folder = Path(recipe.out) / MODEL_FOLDER
    if not folder.is_dir():
        raise ValueError(f"there is no model in {folder}: run make train with this OUT to its end")
    device = find_place(recipe.device).device
    if recipe.compute.cpu_threads is not None:
        torch.set_num_threads(recipe.compute.cpu_threads)  # other sums of other threads: the same table as in training
    model, processor = load(str(folder))
    model.to(device).eval()  # type: ignore[arg-type]
    has_pictures = any(stage.images for stage in recipe.stages)
    evaluation = evaluate(model, processor, recipe.data, has_pictures=has_pictures, max_images=max_images)
    record(evaluation, recipe.out, say)
    return evaluation


def evaluate(
    model: Florenz,
    processor: Processor,
    data: str,
    *,
    has_pictures: bool = True,
    max_images: int = MAX_IMAGES,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
) -> Evaluation:
    """The scores of a model (in eval mode) on the validation images of a dataset, a row for each pair.

    has_pictures: without, translations alone, of text alone. max_images: of each split, the first in the order of the
    shards. batch_size: texts at once; changes nothing but the time. max_new_tokens: None for as long as the longest
    text that the model was trained on.

    Raises:
        ValueError: no dataset, no validation images, a language that the model lacks. StreamError: a broken sample.
    """
    assert not model.training
    manifest = _check(data)
    image_px = processor.image_px if has_pictures else None
    answers: dict[Pair, Answers] = {}
    num_images = {
        split: min(sum(shard.samples for shard in manifest.shards_of(split)), max_images)
        for split in (COVERED, WITHHELD)
    }
    with tqdm(total=sum(num_images.values()), unit="image", desc="evaluate", file=sys.stderr, disable=None) as bar:
        for split in (split for split, number in num_images.items() if number):
            for chunk in _chunks(islice(_images(data, split, image_px), max_images), batch_size):
                examples = [example for image in chunk for example in image if has_pictures or example.source_text]
                for pair, of_pair in _by_pair(examples, is_held_out=split == WITHHELD).items():
                    for batch in _chunks(of_pair, batch_size):
                        _ask(model, processor, answers.setdefault(pair, Answers()), batch, pair, max_new_tokens)
                bar.update(len(chunk))
    ordered = sorted(answers, key=lambda pair: (TASKS.index(pair.task), pair.is_held_out, pair.language))
    return Evaluation(
        dataset=manifest.build, images=num_images, pairs=tuple(_score(pair, answers[pair]) for pair in ordered)
    )


def _check(data: str) -> Manifest:
    """The manifest of a dataset that can be scored with what is installed; `ValueError` if it can't."""
    check_tools()
    try:
        manifest = read_manifest(data)
    except ValueError as problem:
        raise ValueError(f"data (DATA): {problem}") from problem
    if not sum(shard.samples for shard in manifest.shards_of(COVERED)):
        raise ValueError(f"data (DATA): {data} has no validation images: run make dataset with more images")
    return manifest


def _images(data: str, split: str, image_px: int | None) -> Iterator[list[TrainingExample]]:
    """The examples of one image after the other."""
    for _, examples in groupby(examples_of(data, split, image_px), key=lambda example: example.key):
        yield list(examples)


def _by_pair(examples: Iterable[TrainingExample], *, is_held_out: bool) -> dict[Pair, list[TrainingExample]]:
    found: dict[Pair, list[TrainingExample]] = {}
    for example in examples:
        found.setdefault(Pair(example.task, example.language, is_held_out), []).append(example)
    return found


@torch.inference_mode()
def _ask(
    model: Florenz,
    processor: Processor,
    answers: Answers,
    batch: list[TrainingExample],
    pair: Pair,
    max_new_tokens: int | None,
) -> None:
    """Add what the model makes of a batch of one pair: the loss of the right texts, and its own."""
    answers.references += [example.text for example in batch]
    answers.styles += [example.style for example in batch]
    collated = processor.collate(batch, learn_prefix=False)
    num_tokens = int((collated["labels"] != IGNORED).sum())
    loss = model(**{name: tensor.to(model.device) for name, tensor in collated.items()}).loss
    answers.loss += float(loss) * num_tokens
    answers.num_tokens += num_tokens
    if _has_prefix(processor, pair):
        answers.with_prefix += write(model, processor, batch, max_new_tokens=max_new_tokens)
    if pair.task == "caption":
        answers.without_prefix += write(model, processor, batch, max_new_tokens=max_new_tokens, with_prefix=False)


def _has_prefix(processor: Processor, pair: Pair) -> bool:
    """Where the prefix is of words, there are some for a few languages only."""
    try:
        decoder_prefix(pair.task, pair.language, processor.settings.prefix)
    except ValueError:
        return False
    return True


def _score(pair: Pair, answers: Answers) -> PairScores:
    def scores(texts: Sequence[str]) -> TextScores | None:
        return score_texts(texts, answers.references, pair.language) if texts else None

    return PairScores(
        **pair._asdict(),
        num_texts=len(answers.references),
        num_tokens=answers.num_tokens,
        cross_entropy=answers.loss / answers.num_tokens,
        with_prefix=scores(answers.with_prefix),
        without_prefix=scores(answers.without_prefix),
        chance=chance(answers.references, answers.styles, pair.language),
    )


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


def record(evaluation: Evaluation, folder: str, say: Say) -> None:
    """Tell the table and write it, with its numbers and its picture, into a folder."""
    say(screen_table(evaluation))
    _write(folder, JSON_NAME, json.dumps(asdict(evaluation), indent=1) + "\n")
    _write(folder, TABLE_NAME, markdown(evaluation))
    if has_matplotlib():
        draw(evaluation.pairs, files.join(folder, PLOT_NAME))
        say(f"scores in {files.join(folder, JSON_NAME)}, {TABLE_NAME} and {PLOT_NAME}")
    else:
        say(f"scores in {files.join(folder, JSON_NAME)} and {TABLE_NAME}")
        say("no matplotlib, so no picture of the scores: pip install florenz[train]")


def screen_table(evaluation: Evaluation) -> str:
    """A line for each pair under a head of two, and what the columns mean."""
    rows = [HEAD, *(_cells(pair) for pair in evaluation.pairs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    num_plain = len(HEAD) - 3 * len(GROUPS)
    spans = [sum(widths[first : first + 3]) + 2 * len(GAP) for first in range(num_plain, len(HEAD), 3)]
    over = " " * (sum(widths[:num_plain]) + (num_plain - 1) * len(GAP))
    titles = [f" {title} ".center(span, "-") for title, span in zip(GROUPS, spans, strict=True)]
    lines = [GAP.join([over, *titles])]
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append(GAP.join([name.ljust(widths[0]), *cells]))
    return "\n".join([*lines, FOOTER])


def markdown(evaluation: Evaluation) -> str:
    """The same table for a page."""
    kinds = [*[""] * (len(HEAD) - 3 * len(GROUPS)), *(title for title in GROUPS for _ in range(3))]
    head = [f"{name}, {kind}" if kind else name for name, kind in zip(HEAD, kinds, strict=True)]
    rule = ["---", *["---:"] * (len(HEAD) - 1)]
    rows = [head, rule, *(_cells(pair) for pair in evaluation.pairs)]
    images = ", ".join(f"{number} images of {split}" for split, number in evaluation.images.items() if number)
    parts = [
        "# Evaluation",
        f"Dataset {evaluation.dataset}: {images}.",
        "\n".join("| " + " | ".join(row) + " |" for row in rows),
        FOOTER,
    ]
    return "\n\n".join(parts) + "\n"


def _cells(pair: PairScores) -> list[str]:
    mark = " (held out)" if pair.is_held_out else ""
    cells = [f"{pair.task}/{pair.language}{mark}", str(pair.num_texts), f"{pair.cross_entropy:.3f}"]
    for scores in (pair.with_prefix, pair.without_prefix, pair.chance):
        cells += ["-"] * 3 if scores is None else _cells_of(scores)
    return cells


def _cells_of(scores: TextScores) -> list[str]:
    language = "-" if scores.language_fidelity is None else f"{scores.language_fidelity:.1%}"
    return [f"{scores.exact_match:.1%}", f"{scores.chrf:.1f}", language]


def _write(folder: str, name: str, text: str) -> None:
    with files.atomic_write(files.join(folder, name)) as file:
        file.write(text.encode())


def main(arguments: Sequence[str]) -> int:
    if not arguments or any("=" not in word for word in arguments[1:]):
        return fail(USAGE, 2)
    quiet_libraries()
    transformers_logging.set_verbosity_error()  # imported above, before its variables were set
    transformers_logging.disable_progress_bar()
    variables = dict(word.split("=", 1) for word in arguments[1:])
    try:
        max_images = _max_images(variables.pop("MAX_IMAGES", ""))
        evaluate_training(load_recipe(arguments[0], variables), print, max_images=max_images)
    except (StreamError, OSError) as problem:
        return fail(str(problem), 1)
    except ValueError as problem:
        return fail(str(problem), 2)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    return 0


def _max_images(text: str) -> int:
    if not text.strip():
        return MAX_IMAGES
    if not text.strip().isdecimal() or not int(text):
        raise ValueError(f"MAX_IMAGES must be a whole number above 0, got '{text}'")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
