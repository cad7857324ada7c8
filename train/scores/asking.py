"""How a model is asked for what is scored: answers, losses, and what it can do through English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch.nn import functional

from florenz.languages.codes import SOURCE
from florenz.train.data.processor import Processor
from florenz.train.data.prompts import decoder_prefix, language_token
from florenz.train.data.stream import TrainingExample
from florenz.train.generate import write
from florenz.train.model.florenz import IGNORED, Florenz
from florenz.train.scores.translator import Translate


@dataclass(frozen=True, kw_only=True)
class Asking:
    """generate: whether texts are written at all, or their losses alone counted. max_new_tokens: None for as long as
    the longest text that the model was trained on. num_beams: 1 is greedy.
    is_benchmark: baselines and intervals as well, which take time. translate: by the dataset's translator; None where
    there is none to ask. comet: the model that scores translations; None: none does."""

    generate: bool = True
    max_new_tokens: int | None = None
    num_beams: int = 1
    is_benchmark: bool = False
    translate: Translate | None = None
    comet: str | None = None


class EnglishAnswers(NamedTuple):
    """Baselines: English as the answer, translated by the same model, and by the dataset's translator; empty where
    that means nothing."""

    copied: list[str]
    translated: list[str]
    by_translator: list[str]


def written_by(
    model: Florenz,
    processor: Processor,
    examples: Sequence[TrainingExample],
    asking: Asking,
    *,
    with_prefix: bool = True,
) -> list[str]:
    """The model's answers as they are scored, without words that were forced."""
    texts = write(
        model,
        processor,
        examples,
        max_new_tokens=asking.max_new_tokens,
        num_beams=asking.num_beams,
        with_prefix=with_prefix,
    )
    if not with_prefix:
        return texts
    return [processor.without_forced_words(one, text) for one, text in zip(examples, texts, strict=True)]


def losses_of(model: Florenz, processor: Processor, examples: Sequence[TrainingExample]) -> list[float]:
    """Mean cross-entropy of each text, in nats per token, its end included and a forced beginning not."""
    batch = {name: tensor.to(model.device) for name, tensor in processor.collate(examples, learn_prefix=False).items()}
    labels_BT = batch.pop("labels")
    logits_BTV = model(**batch).logits.float()
    losses_BT = functional.cross_entropy(logits_BTV.transpose(1, 2), labels_BT, ignore_index=IGNORED, reduction="none")
    means: list[float] = (losses_BT.sum(1) / (labels_BT != IGNORED).sum(1)).tolist()
    return means


def english_answers(
    model: Florenz, processor: Processor, examples: Sequence[TrainingExample], asking: Asking
) -> EnglishAnswers:
    """examples: of one pair. Of a translation the source; of a caption the model's own one in English."""
    language = examples[0].language
    if examples[0].task == "translation":
        sources = [example.source_text for example in examples]
        return EnglishAnswers(sources, [], _by_translator(sources, language, asking))
    if language == SOURCE or not can_be_asked(processor, "caption", SOURCE):
        return EnglishAnswers([], [], [])
    english = written_by(model, processor, [replace(one, language=SOURCE) for one in examples], asking)
    sources = [text or "-" for text in english]  # nothing can't be asked for
    asked = [replace(one, task="translation", source_text=text) for one, text in zip(examples, sources, strict=True)]
    translated = written_by(model, processor, asked, asking)
    return EnglishAnswers(english, translated, _by_translator(sources, language, asking))


def _by_translator(sources: Sequence[str], language: str, asking: Asking) -> list[str]:
    return asking.translate(sources, language) if asking.translate else []


def can_be_asked(processor: Processor, task: str, language: str) -> bool:
    """Whether the model has what the language is asked for with: a token, or for captions words."""
    if processor.settings.prefix == "token" and processor.settings.prompts.language_in != "encoder":
        return language_token(language) in processor.decoder_tokenizer.get_added_vocab()
    return has_prefix(processor, task, language)


def begins_by_itself(processor: Processor) -> bool:
    """Whether asking without prefix means anything: not where the model has always been given its first token, nor
    where nothing is ever forced."""
    settings = processor.settings
    return settings.prompts.language_in != "encoder" and (settings.prefix == "words" or settings.prompts.learn_prefix)


def has_prefix(processor: Processor, task: str, language: str) -> bool:
    """Where the prefix is of words, there are some for a few languages only."""
    try:
        decoder_prefix(task, language, processor.settings.prefix, processor.settings.prompts)
    except ValueError:
        return False
    return True
