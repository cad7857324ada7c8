"""Between texts and pictures on one side and tensors on the other: both tokenizers, prompts, prefixes, padding.

Everything that decides what a model reads is here and in `train/prompts.py`, and is saved next to the weights, so that
training, generation and evaluation can't differ.

A prompt or text that is too long is cut, not refused: one long caption must not stop a run. What is cut loses its end
token, so that the model never learns to stop in the middle of a sentence, and `num_truncated` can count it.

Shapes: B examples, S prompt tokens, T text tokens, H = W = image_px.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, get_args

import torch
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.train.data.noise import unigram_noise
from florenz.train.data.prompts import PrefixKind, Prompts, decoder_prefix, encoder_prompt, language_token
from florenz.train.model.florenz import IGNORED

Batch = dict[str, torch.Tensor]

SETTINGS_NAME = "florenz_processor.json"
ENCODER_TOKENIZER_DIR = "encoder_tokenizer"  # the decoder's lies beside the weights, where others look for one


class Question(Protocol):
    """What Florenz is asked. source_text: "" for captions. picture_CHW: uint8, or None."""

    @property
    def task(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def style(self) -> str: ...
    @property
    def source_text(self) -> str: ...
    @property
    def picture_CHW(self) -> torch.Tensor | None: ...


class Answered(Question, Protocol):
    """A question with its answer, `text`: an example to train on."""

    @property
    def text(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Settings:
    """image_px: side of the square that pictures are scaled to. max_*_tokens: of prompt and text, ends included.

    prompts: what the encoder is told, and where the language is named. styles: those that the model is trained on;
    empty: any. Both have the defaults that hold for a model which was saved before they were written down.
    """

    image_px: int
    prefix: PrefixKind
    max_prompt_tokens: int
    max_text_tokens: int
    prompts: Prompts = field(default_factory=Prompts)
    styles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.prefix not in get_args(PrefixKind):
            raise ValueError(f"unknown prefix '{self.prefix}': choose {' or '.join(get_args(PrefixKind))}")
        if self.prompts.language_in == "prefix" and self.prefix == "words":
            raise ValueError(
                "language_in is prefix, and words are forced in captions alone, so that no translation would be told "
                'its language: set prefix = "token"'
            )

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Settings":
        """What `asdict` made. TypeError or ValueError for anything else."""
        known = dict(record)
        if "prompts" in known:
            known["prompts"] = Prompts(**known["prompts"])
        return cls(**{**known, "styles": tuple(known.get("styles", ()))})


class Processor:
    def __init__(
        self,
        *,
        encoder_tokenizer: PreTrainedTokenizerBase,
        decoder_tokenizer: PreTrainedTokenizerBase,
        settings: Settings,
    ) -> None:
        self.encoder_tokenizer = encoder_tokenizer
        self.decoder_tokenizer = decoder_tokenizer
        self.settings = settings

    @property
    def image_px(self) -> int:
        return self.settings.image_px

    def collate(self, examples: Sequence[Answered], *, learn_prefix: bool | None = None) -> Batch:
        """A batch to train on: input_ids and attention_mask (B, S), decoder_input_ids and labels (B, T), pixel_values
        uint8 (B, 3, H, W) if the examples have pictures.

        learn_prefix: whether the language token is a label; without, the loss is that of the text alone. None: as the
        prompts have it for training.

        Raises:
            ValueError: some examples have pictures and some don't; a language that prompts or vocabulary lack.
        """
        batch = self._question(examples)
        starts, texts = [], []
        ids_of_texts = self._decoder_ids([example.text for example in examples])
        for example, text in zip(examples, ids_of_texts, strict=True):
            start = [self.decoder_tokenizer.bos_token_id]
            if self.settings.prefix == "token":  # words belong to the texts themselves
                start += self._prefix_ids(example)
            starts.append(len(start))
            texts.append((start + text + [self.decoder_tokenizer.eos_token_id])[: self.settings.max_text_tokens + 1])
        pad = self.decoder_tokenizer.pad_token_id
        labels = [text[1:] for text in texts]
        if not (self.settings.prompts.learn_prefix if learn_prefix is None else learn_prefix):
            labels = [[IGNORED] * (start - 1) + label[start - 1 :] for start, label in zip(starts, labels, strict=True)]
        batch["decoder_input_ids"] = _padded([text[:-1] for text in texts], pad)
        batch["labels"] = _padded(labels, IGNORED)
        return batch

    def ask(self, questions: Sequence[Question], *, with_prefix: bool = True) -> Batch:
        """What `Florenz.generate` takes: as `collate`, with forced beginnings as decoder_input_ids (B, T), padded on
        the left under decoder_attention_mask. `ValueError` as there, and for a language without prefix words.
        """
        batch = self._question(questions)
        bos = self.decoder_tokenizer.bos_token_id
        starts = [[bos, *(self._prefix_ids(question) if with_prefix else [])] for question in questions]
        longest = max(map(len, starts))
        pads = [longest - len(start) for start in starts]
        padded = [[self.decoder_tokenizer.pad_token_id] * pad + start for pad, start in zip(pads, starts, strict=True)]
        batch["decoder_input_ids"] = torch.tensor(padded)
        batch["decoder_attention_mask"] = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in pads])
        return batch

    def answers(self, ids_BT: torch.Tensor) -> list[str]:
        """The texts of generated ids, without special tokens; forced words are part of them."""
        texts = self.decoder_tokenizer.batch_decode(ids_BT, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def without_forced_words(self, question: Question, answer: str) -> str:
        """The answer as it is scored: without the words that it was made to begin with, its first letter a capital, as
        in the paper's code. A language token is no part of an answer, which is then as it was."""
        if self.settings.prefix != "words":
            return answer
        words = decoder_prefix(question.task, question.language, "words", self.settings.prompts)
        rest = answer.removeprefix(words).strip() if words else answer
        return rest[:1].upper() + rest[1:] if words else rest

    def with_noise(self, batch: Batch, share: float) -> Batch:
        """The batch with unigram noise on what the decoder reads; labels stay."""
        ids_BT = unigram_noise(
            batch["decoder_input_ids"],
            share=share,
            num_given=2 if self.settings.prefix == "token" else 1,
            pad=self.decoder_tokenizer.pad_token_id,
        )
        return {**batch, "decoder_input_ids": ids_BT}

    def num_truncated(self, batch: Batch) -> int:
        """How many examples of a collated batch have a prompt or a text that was cut."""
        ends = self.encoder_tokenizer.eos_token_id, self.decoder_tokenizer.eos_token_id
        whole_prompt = (batch["input_ids"] == ends[0]).any(dim=1)
        whole_text = (batch["labels"] == ends[1]).any(dim=1)
        return int((~(whole_prompt & whole_text)).sum())

    def save_pretrained(self, folder: str | Path) -> None:
        folder = Path(folder)
        self.decoder_tokenizer.save_pretrained(folder)
        self.encoder_tokenizer.save_pretrained(folder / ENCODER_TOKENIZER_DIR)
        (folder / SETTINGS_NAME).write_text(json.dumps(asdict(self.settings), indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Processor":
        """`ValueError` if the folder is not one that `save_pretrained` wrote."""
        folder = Path(folder)
        try:
            settings = Settings.from_json(json.loads(read_path(folder / SETTINGS_NAME, RECORD_BYTES)))
        except FileNotFoundError as problem:
            raise ValueError(f"{folder} is no checkpoint of Florenz: it has no {SETTINGS_NAME}") from problem
        except (TypeError, ValueError) as problem:
            raise ValueError(f"{folder / SETTINGS_NAME} is damaged: {problem}") from problem
        return cls(
            encoder_tokenizer=AutoTokenizer.from_pretrained(folder / ENCODER_TOKENIZER_DIR),
            # The folder's config.json is a model's, and AutoTokenizer would wonder about its type.
            decoder_tokenizer=AutoTokenizer.from_pretrained(folder, config=PreTrainedConfig()),
            settings=settings,
        )

    def _question(self, questions: Sequence[Question]) -> Batch:
        self._check_styles(questions)
        prompts = [encoder_prompt(q.task, q.language, q.source_text, q.style, self.settings.prompts) for q in questions]
        tokenizer = self.encoder_tokenizer
        encoded = tokenizer(prompts, add_special_tokens=False, verbose=False)["input_ids"]
        prompt_ids = [
            [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id][: self.settings.max_prompt_tokens] for ids in encoded
        ]
        batch = {
            "input_ids": _padded(prompt_ids, tokenizer.pad_token_id),
            "attention_mask": _padded([[1] * len(ids) for ids in prompt_ids], 0),
        }
        pictures = [q.picture_CHW for q in questions if q.picture_CHW is not None]
        if pictures and len(pictures) != len(questions):
            raise ValueError(f"{len(pictures)} of {len(questions)} examples in a batch have pictures: all or none must")
        if pictures:
            batch["pixel_values"] = torch.stack(pictures)
        return batch

    def _check_styles(self, questions: Sequence[Question]) -> None:
        known = self.settings.styles
        if known and (others := {q.style for q in questions} - set(known)):
            raise ValueError(f"the model is trained on the style {', '.join(known)} alone, not on {', '.join(others)}")

    def _prefix_ids(self, question: Question) -> list[int]:
        prefix = decoder_prefix(question.task, question.language, self.settings.prefix, self.settings.prompts)
        if not prefix:
            return []
        if self.settings.prefix == "token" and prefix not in self.decoder_tokenizer.get_added_vocab():
            known = [token for token in self.decoder_tokenizer.get_added_vocab() if token.startswith("<|")]
            raise ValueError(
                f"the model has no token for language '{question.language}', it has {', '.join(known)}: "
                "build it with that language"
            )
        return self._decoder_ids([prefix])[0]

    def _decoder_ids(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self.decoder_tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


def add_language_tokens(tokenizer: PreTrainedTokenizerBase, languages: Sequence[str]) -> None:
    """Gives the tokenizer one special token for each language that has none yet."""
    tokens = [language_token(language) for language in languages]
    tokenizer.add_tokens([token for token in tokens if token not in tokenizer.get_added_vocab()], special_tokens=True)


def _padded(rows: list[list[int]], pad: int) -> torch.Tensor:
    """(B, longest), padded on the right."""
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
