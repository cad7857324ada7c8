"""How each pair does on the way: cross-entropy and exact texts on images that are neither trained on nor reported.

No text is generated. Greedy generation gives exactly the reference where each of its tokens is the likeliest one after
the tokens before it, and one teacher-forced pass tells that. So a validation costs a few steps of training.

Held-out pairs are measured too, to be looked at: what is kept is chosen by the covered ones alone.

Unlike a step of training (`model/loss.py`) it looks at all logits, so over a large vocabulary it asks about few texts
at a time: 64 texts of 128 tokens over 256,000 words would take 25 GiB that no plan has counted.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from florenz.train.data.processor import Processor
from florenz.train.distributed import Place, sum_over_ranks
from florenz.train.features import PictureCache
from florenz.train.model.florenz import IGNORED
from florenz.train.scores.items import example_of, picture_of
from florenz.train.scores.sets.contract import EvaluationSet, Item

Batch = dict[str, torch.Tensor]
BATCH_SIZE = 64
LOGITS_AT_ONCE = 1 << 27  # 2 GiB with all that is made of them


@dataclass(frozen=True, kw_only=True)
class PairLoss:
    """cross_entropy: nats per token of the texts, ends included, forced beginnings not. exact: share of texts of which
    every token is the likeliest."""

    cross_entropy: float
    exact: float
    is_held_out: bool


@dataclass(frozen=True, kw_only=True)
class ValidationRecord:
    """One line of the log. pairs: "task/language" -> its figures. chosen_by: what the choice goes by, the mean
    cross-entropy of the covered pairs that some stage learns, each counting the same."""

    step: int
    stage: str
    chosen_by: float
    pairs: Mapping[str, PairLoss]


class Validation:
    """The questions, in memory; asked with the model as it is at the time."""

    def __init__(
        self,
        evaluation_set: EvaluationSet,
        processor: Processor,
        place: Place,
        *,
        image_px: int | None,
        max_images: int,
    ) -> None:
        """image_px: None for translations without pictures. max_images: of each part.

        Raises:
            ValueError: nothing to ask. StreamError: what can't be read.
        """
        items = list(_items(evaluation_set, processor.settings.styles, image_px is not None, max_images))
        pairs = dict.fromkeys((item.pair, item.is_held_out) for item in items)
        if all(is_held_out for _, is_held_out in pairs):
            raise ValueError(
                f"validation: {evaluation_set.folder} has no covered text to choose by: set every_steps = 0 in "
                "[validation], or make a larger dataset"
            )
        self._place = place
        self._pairs = list(pairs)
        self._pictures = {item.image: picture_of(item, image_px) for item in items}
        self._ids = {image: number for number, image in enumerate(self._pictures)}
        self._batches = self._collated(items, processor)

    def measure(
        self, runner: nn.Module, arithmetic: Callable[[], AbstractContextManager[None]], cache: PictureCache | None
    ) -> dict[str, PairLoss]:
        """Every pair's figures; all ranks must ask. The model comes and goes in whatever mode it is in.

        arithmetic: the precision of the forward pass. cache: where pictures were looked at by `look_once`.
        """
        modes = [(module, module.training) for module in runner.modules()]
        runner.eval()
        totals = torch.zeros(len(self._pairs), 4, dtype=torch.float64)
        with torch.no_grad():
            for pairs, batch, counts in self._own_batches():
                on_device = {name: tensor.to(self._place.device) for name, tensor in batch.items()}
                on_device = cache.seen(on_device) if cache else _without_names(on_device)
                with arithmetic():
                    logits_BTV = runner(**on_device).logits
                if counts:
                    totals.index_add_(0, pairs, figures(logits_BTV, on_device["labels"]))
        for module, mode in modes:
            module.training = mode
        totals = sum_over_ranks(totals.to(self._place.device), self._place).cpu()
        return {
            pair: PairLoss(cross_entropy=loss / tokens, exact=exact / texts, is_held_out=is_held_out)
            for (pair, is_held_out), (loss, tokens, exact, texts) in zip(self._pairs, totals.tolist(), strict=True)
        }

    def pictures(self) -> Iterator[tuple[int, torch.Tensor]]:
        """For a cache."""
        for image, picture_CHW in self._pictures.items():
            if picture_CHW is not None:
                yield self._ids[image], picture_CHW

    def _collated(self, items: Sequence[Item], processor: Processor) -> list[tuple[torch.Tensor, Batch]]:
        """(pair of each text, batch), texts of like length together."""
        numbers = {pair: number for number, pair in enumerate(self._pairs)}
        ordered = sorted(items, key=lambda item: (len(item.references[0]), len(item.source_text), item.id))
        batches = []
        size = texts_at_once(processor)
        for start in range(0, len(ordered), size):
            chunk = ordered[start : start + size]
            batch = processor.collate(
                [example_of(item, self._pictures[item.image]) for item in chunk], learn_prefix=False
            )
            if "pixel_values" in batch:
                batch["picture_ids"] = torch.tensor([self._ids[item.image] for item in chunk])
            pairs = [numbers[item.pair, item.is_held_out] for item in chunk]
            batches.append((torch.tensor(pairs), batch))
        return batches

    def _own_batches(self) -> Iterator[tuple[torch.Tensor, Batch, bool]]:
        """(pairs, batch, whether it counts) of this rank. Every rank has as many, since under FSDP all must take part:
        the last ones of some are there for company."""
        rank, world_size = self._place.rank, self._place.world_size
        for start in range(0, len(self._batches), world_size):
            number = start + rank
            yield *self._batches[min(number, len(self._batches) - 1)], number < len(self._batches)


def texts_at_once(processor: Processor) -> int:
    """However long they are, since under FSDP the ranks must make their batches alike."""
    logits = processor.settings.max_text_tokens * len(processor.decoder_tokenizer)
    return max(1, min(BATCH_SIZE, LOGITS_AT_ONCE // logits))


def chosen_by(pairs: Mapping[str, PairLoss], learned: Container[str]) -> float:
    """The mean cross-entropy of the covered pairs that are learned; of all covered ones where none is.

    One that is left out gets worse with every step, and would choose the earliest.
    """
    covered = {name: pair.cross_entropy for name, pair in pairs.items() if not pair.is_held_out}
    counting = [loss for name, loss in covered.items() if name in learned] or list(covered.values())
    return sum(counting) / len(counting)


def figures(logits_BTV: torch.Tensor, labels_BT: torch.Tensor) -> torch.Tensor:
    """(B, 4): summed loss, tokens, whether exact, and 1, of each text."""
    is_label_BT = labels_BT != IGNORED
    losses_BT = functional.cross_entropy(
        logits_BTV.float().transpose(1, 2), labels_BT, ignore_index=IGNORED, reduction="none"
    )
    is_right_BT = (logits_BTV.argmax(-1) == labels_BT) | ~is_label_BT
    columns = losses_BT.sum(1), is_label_BT.sum(1), is_right_BT.all(1), torch.ones(len(labels_BT))
    return torch.stack([column.cpu().double() for column in columns], dim=1)


def _items(evaluation_set: EvaluationSet, styles: Sequence[str], has_pictures: bool, max_images: int) -> Iterator[Item]:
    for part in evaluation_set.parts():
        images = groupby(evaluation_set.items(part), key=lambda item: item.image)
        for _, of_image in islice(images, max_images):
            for item in of_image:
                if (not styles or item.style in styles) and (has_pictures or item.task == "translation"):
                    yield item


def _without_names(batch: Batch) -> dict[str, Any]:
    return {name: tensor for name, tensor in batch.items() if name != "picture_ids"}
