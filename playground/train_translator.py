"""Trains the playground's translator from a seed: `make translator`, about half an hour on one core.

Pairs come from the grammar, new ones at every step. Ambiguous nouns appear in their usual sense only, as a translator
that never sees a picture would choose it: what the other sense loses is what the pictures are for. One English caption
in twenty is never trained on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, IterableDataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from playground.captions import LANGUAGES, STYLES, state
from playground.scene import is_unseen, random_for, sample_scene, usual_reading
from playground.training import IGNORED, describe_step, learning_rate, load_checkpoint, save_checkpoint
from playground.translator_model import TARGETS, build_model, build_tokenizer, prompt_of

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


def train(*, steps: int, batch_size: int, peak_rate: float, seed: int, state_dir: Path) -> None:
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(seed)
    model = build_model(tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak_rate, weight_decay=0.01, betas=(0.9, 0.98))
    checkpoint = state_dir / "translator.pt"
    first_step = load_checkpoint(checkpoint, model, optimizer)
    batches = Batches(tokenizer, seed=seed, batch_size=batch_size, first_step=first_step)
    loader = iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4))
    started = time.monotonic()
    for step in range(first_step, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps=steps, peak=peak_rate)
        ids, labels = next(loader)
        with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            # No attention mask: padding stands on the right, where a causal model never looks from a real token.
            loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 50 == 0:
            seconds = (time.monotonic() - started) / (step + 1 - first_step)
            print(describe_step(step + 1, steps, loss.item(), seconds), flush=True)
        if (step + 1) % 500 == 0 or step + 1 == steps:
            print(
                f"step {step + 1} exact, 100 unseen: {exact_share(model, tokenizer, seed=seed, pairs=100)}", flush=True
            )
            save_checkpoint(checkpoint, model, optimizer, step + 1)
    # Half precision on disk (2 MB); the server computes in the precision that the recipe names.
    model.half().save_pretrained(MODEL_DIR)
    tokenizer.save_pretrained(MODEL_DIR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--peak-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--state", type=Path, default=Path("data/training"), help="folder of the checkpoint to go on from"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.state.mkdir(parents=True, exist_ok=True)
    train(
        steps=options.steps,
        batch_size=options.batch_size,
        peak_rate=options.peak_rate,
        seed=options.seed,
        state_dir=options.state,
    )


if __name__ == "__main__":
    main()
