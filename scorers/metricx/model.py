"""MetricX with torch and transformers: (English source, translation) -> a number from 0 to 25, lower is better.

It is an mT5 whose score is one logit: that of <extra_id_10> in the first step of the decoder. transformers has all of
that, so no code of the model's repository is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoTokenizer, MT5ForConditionalGeneration

from florenz.scorers._torch import OnDevice
from florenz.scorers.contract import Question
from florenz.scorers.metricx import PROMPT, WORST
from florenz.scorers.metricx.settings import Settings
from florenz.stores.models import local_model


class Regression(MT5ForConditionalGeneration):  # type: ignore[misc]
    """An mT5 whose last layer is its own. transformers 5 ties it to the word embeddings, whatever config.json says, and
    so every score would be another one, without a word.
    """

    _tied_weights_keys = {
        name: source for name, source in MT5ForConditionalGeneration._tied_weights_keys.items() if "lm_head" not in name
    }


class MetricX(OnDevice):
    """Shapes: B texts, T tokens, V words."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Regression, settings.dtype)
        name, revision = settings.tokenizer or settings.model, "" if settings.tokenizer else settings.revision
        self._tokenizer = AutoTokenizer.from_pretrained(
            local_model(name), revision=revision or None, trust_remote_code=False
        )

    def prepare(self, picture: Any) -> None:
        """It sees no pictures."""

    def score(self, questions: Sequence[Question]) -> list[float]:
        """Those of like length together, so that little is padding."""
        ids = [self._ids(one) for one in questions]
        order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        scores = [0.0] * len(ids)
        for start in range(0, len(order), self.settings.batch_size):
            batch = order[start : start + self.settings.batch_size]
            with self.enough_memory(f"{len(batch)} texts at once"):
                for number, score in zip(batch, self._scores([ids[number] for number in batch]), strict=True):
                    scores[number] = score
        return scores

    def _ids(self, question: Question) -> list[int]:
        prompt = PROMPT.format(source=question.source, text=question.text)
        ids: list[int] = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return ids[: self.settings.max_tokens - 1]  # one was the end token's, which is left out

    @torch.inference_mode()
    def _scores(self, ids: Sequence[Sequence[int]]) -> list[float]:
        longest = max(map(len, ids))
        ids_BT = torch.tensor([[*one, *[0] * (longest - len(one))] for one in ids], device=self.device)
        is_token_BT = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids], device=self.device)
        start_B1 = torch.zeros((len(ids), 1), dtype=torch.long, device=self.device)
        logits_B1V = self.model(input_ids=ids_BT, attention_mask=is_token_BT, decoder_input_ids=start_B1).logits
        scores_B = logits_B1V[:, 0, self.settings.score_token_id].float().clamp(0.0, WORST)
        scores: list[float] = scores_B.tolist()
        return scores
