"""Trains the playground's translator from a seed: `make translator`, about an hour on one core.

Pairs come from the grammar, new ones at every step. Ambiguous nouns appear in their usual sense only, as a translator
that never sees a picture would choose it: what the other sense loses is what the pictures are for. One English caption
in twenty is never trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import IterableDataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.scene import is_unseen, random_for, sample_scene, usual_reading
from florenz.playground.training import IGNORED, Plan, fit, plan_from_command_line
from florenz.playground.translator_model import TARGETS, build_model, build_tokenizer, prompt_of

MODEL_DIR = Path(__file__).parent / "models" / "translator"


def pair(seed: int, name: str, number: int, style: str, language: str, *, unseen: bool) -> tuple[str, str]:
    """An English caption and its translation; redrawn until it lies on the wanted side of `is_unseen`."""
    rng = random_for(seed, name, number)
    while True:
        scene = usual_reading(sample_scene(rng))
        source = state(scene, "en", style)
        if is_unseen(source) is unseen:
            return source, state(scene, language, style)


class Batches(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless batches from step `first_step` on: input ids and labels, both (B, T); one style a batch, to keep padding
    low.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, *, seed: int, batch_size: int, first_step: int) -> None:
        self.tokenizer, self.seed, self.batch_size, self.first_step = tokenizer, seed, batch_size, first_step

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        step = self.first_step
        while True:
            style = STYLES[step % 2]
            numbers = range(step * self.batch_size, (step + 1) * self.batch_size)
            yield self.collate([self.row(number, style) for number in numbers])
            step += 1

    def row(self, number: int, style: str) -> tuple[list[int], list[int]]:
        language = TARGETS[number % len(TARGETS)]
        source, target = pair(self.seed, "train", number, style, language, unseen=False)
        prompt = self.tokenizer(prompt_of(source, language)).input_ids
        answer = self.tokenizer(target, add_special_tokens=False).input_ids + [self.tokenizer.eos_token_id]
        return prompt + answer, [IGNORED] * len(prompt) + answer

    def collate(self, rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
        length = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), length), self.tokenizer.pad_token_id)
        labels = torch.full((len(rows), length), IGNORED)
        for index, (row_ids, row_labels) in enumerate(rows):
            ids[index, : len(row_ids)] = torch.tensor(row_ids)
            labels[index, : len(row_labels)] = torch.tensor(row_labels)
        return ids, labels


@torch.no_grad()
def exact_share(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, seed: int, pairs: int
) -> dict[str, float]:
    """Share of unseen captions (half short, half detailed) whose greedy translation is exactly right, per language."""
    model.eval()
    tokenizer.padding_side = "left"
    shares = {}
    for language in TARGETS:
        right = 0
        for style in STYLES:
            wanted = [pair(seed, "unseen", n, style, language, unseen=True) for n in range(pairs // 2)]
            inputs = tokenizer([prompt_of(source, language) for source, _ in wanted], padding=True, return_tensors="pt")
            ids = model.generate(
                inputs.input_ids, attention_mask=inputs.attention_mask, max_new_tokens=128, do_sample=False
            )
            answers = tokenizer.batch_decode(ids[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)
            right += sum(answer == target for answer, (_, target) in zip(answers, wanted, strict=True))
        shares[language] = right / (pairs // 2 * 2)
    model.train()
    return shares


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A vocabulary from 4,000 scenes in both styles and all six languages."""
    scenes = [sample_scene(random_for(seed, "words", number)) for number in range(4000)]
    return build_tokenizer(state(scene, lang, style) for scene in scenes for lang in LANGUAGES for style in STYLES)


def train(plan: Plan) -> None:
    torch.manual_seed(plan.seed)
    tokenizer = make_tokenizer(plan.seed)
    model = build_model(tokenizer)
    parameters = [{"params": list(model.parameters()), "peak": plan.peak_rate}]
    fit(
        model,
        torch.optim.AdamW(parameters, lr=plan.peak_rate, weight_decay=0.01, betas=(0.9, 0.98)),
        batches_from=lambda step: Batches(tokenizer, seed=plan.seed, batch_size=plan.batch_size, first_step=step),
        # No attention mask: padding stands on the right, where a causal model never looks from a real token.
        loss_of=lambda batch: model(input_ids=batch[0], labels=batch[1]).loss,
        score=lambda: f"exact on 100 unseen: {exact_share(model, tokenizer, seed=plan.seed, pairs=100)}",
        plan=plan,
        name="translator",
    )
    # Half precision on disk (2 MB); the server computes in the precision that the recipe names.
    model.half().save_pretrained(MODEL_DIR)
    tokenizer.save_pretrained(MODEL_DIR)


if __name__ == "__main__":
    train(plan_from_command_line(__doc__, steps=5000, batch_size=128, peak_rate=2e-3))
