"""Trains the playground's translator from a seed: `make translator`, about an hour on one core.

Pairs come from the grammar, new ones at every step, in three tasks: a short caption alone, a detailed one alone, and a
short one with the detailed one as its context. A short caption alone hides what other languages have to say; it is then
translated in its usual reading, as a translator that never sees a picture would. What that loses is what the context
and the pictures are for. One English text in twenty is never trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import IterableDataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.scene import Scene, is_unseen, random_for, sample_scene, usual_reading
from florenz.playground.training import IGNORED, Plan, fit, plan_from_command_line
from florenz.playground.translator_model import MARKER, TARGETS, answer_of, build_model, build_tokenizer, prompt_of

MODEL_DIR = Path(__file__).parent / "models" / "translator"
TASKS = ("short", "detailed", "in context")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An English caption, its context ("" for none) and its translation."""

    source: str
    context: str
    target: str

    def prompt(self, language: str) -> str:
        return prompt_of(self.source, language, self.context)

    @property
    def answer(self) -> str:
        return answer_of(self.target, has_context=bool(self.context))


def pair(seed: int, name: str, number: int, task: str, language: str, *, unseen: bool) -> Pair:
    """The pair of that number; redrawn until its English lies on the wanted side of `is_unseen`."""
    rng = random_for(seed, name, number)
    while True:
        scene = sample_scene(rng)
        found = pair_of(usual_reading(scene) if task == "short" else scene, task, language)
        if is_unseen(found.source + found.context) is unseen:
            return found


def pair_of(scene: Scene, task: str, language: str) -> Pair:
    style = "detailed" if task == "detailed" else "short"
    context = state(scene, "en", "detailed") if task == "in context" else ""
    return Pair(source=state(scene, "en", style), context=context, target=state(scene, language, style))


@dataclass(frozen=True)
class Batch:
    """Rows of one English text each, with its five translations as branches: what stands before the language's token
    is read once, not five times, which halves the time of a step.

    `ids`, `positions`, `labels` (B, T); `branches` (B, T) is 0 in the English, 1 to 5 in a translation.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    branches: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """(B, 1, T, T) what each token (row) sees: the English and its own branch, up to itself."""
        is_shared = self.branches[:, None, :] == 0
        is_own = self.branches[:, None, :] == self.branches[:, :, None]
        is_before = torch.ones(self.ids.shape[1], self.ids.shape[1], dtype=torch.bool).tril()
        return ((is_shared | is_own) & is_before)[:, None]


class Batches(IterableDataset[Batch]):
    """Endless batches from step `first_step` on: `batch_size` pairs, five of each English text; one task a batch, to
    keep padding low.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, *, seed: int, batch_size: int, first_step: int) -> None:
        self.tokenizer, self.seed, self.first_step = tokenizer, seed, first_step
        self.num_rows = max(batch_size // len(TARGETS), 1)

    def __iter__(self) -> Iterator[Batch]:
        step = self.first_step
        while True:
            task = TASKS[step % len(TASKS)]
            numbers = range(step * self.num_rows, (step + 1) * self.num_rows)
            yield self.collate([self.row(number, task) for number in numbers])
            step += 1

    def row(self, number: int, task: str) -> list[tuple[int, int, int, int]]:
        """Id, position, label and branch of every token."""
        pairs = {language: pair(self.seed, "train", number, task, language, unseen=False) for language in TARGETS}
        row: list[tuple[int, int, int, int]] = []
        for branch, (language, asked) in enumerate(pairs.items(), start=1):
            *shared, language_id = self.tokenizer(asked.prompt(language)).input_ids
            answer = self.tokenizer(asked.answer, add_special_tokens=False).input_ids + [self.tokenizer.eos_token_id]
            if branch == 1:
                row += [(token, position, IGNORED, 0) for position, token in enumerate(shared)]
            row.append((language_id, len(shared), IGNORED, branch))
            row += [(token, position, token, branch) for position, token in enumerate(answer, start=len(shared) + 1)]
        return row

    def collate(self, rows: list[list[tuple[int, int, int, int]]]) -> Batch:
        """Padding is a branch of its own, which nothing else sees."""
        length = max(map(len, rows))
        padding = (self.tokenizer.pad_token_id, 0, IGNORED, len(TARGETS) + 1)
        padded = torch.tensor([row + [padding] * (length - len(row)) for row in rows])
        return Batch(*padded.unbind(dim=-1))


def loss_of(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the answers' tokens; nothing else is put through the vocabulary."""
    hidden = model.model(input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask).last_hidden_state
    labels = batch.labels[:, 1:]
    is_asked = labels != IGNORED
    logits = model.lm_head(hidden[:, :-1][is_asked])
    return torch.nn.functional.cross_entropy(logits.float(), labels[is_asked])


def exact_share(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, seed: int, pairs: int
) -> dict[str, float]:
    """Share of unseen texts (evenly of the three tasks) whose greedy translation is exactly right, per language."""
    shares = {}
    for language in TARGETS:
        asked = [
            pair(seed, "unseen", number, task, language, unseen=True) for task in TASKS for number in range(pairs // 3)
        ]
        answers = translate(model, tokenizer, [one.prompt(language) for one in asked])
        right = sum(answer == one.answer for answer, one in zip(answers, asked, strict=True))
        shares[language] = right / len(asked)
    return shares


@torch.no_grad()
def translate(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> list[str]:
    """Greedy answers, in batches of 100."""
    was_training, side = model.training, tokenizer.padding_side
    model.eval()
    tokenizer.padding_side = "left"
    answers: list[str] = []
    for start in range(0, len(prompts), 100):
        inputs = tokenizer(prompts[start : start + 100], padding=True, return_tensors="pt")
        ids = model.generate(
            inputs.input_ids, attention_mask=inputs.attention_mask, max_new_tokens=128, do_sample=False
        )
        answers += tokenizer.batch_decode(ids[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)
    model.train(was_training)
    tokenizer.padding_side = side
    return answers


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A vocabulary from 4,000 scenes in both styles and all six languages."""
    scenes = [sample_scene(random_for(seed, "words", number)) for number in range(4000)]
    texts = [state(scene, lang, style) for scene in scenes for lang in LANGUAGES for style in STYLES]
    return build_tokenizer([*texts, *[f" {MARKER} ("] * len(scenes)])


def train(plan: Plan) -> None:
    torch.manual_seed(plan.seed)
    tokenizer = make_tokenizer(plan.seed)
    model = build_model(tokenizer)
    parameters = [{"params": list(model.parameters()), "peak": plan.peak_rate}]
    fit(
        model,
        torch.optim.AdamW(parameters, lr=plan.peak_rate, weight_decay=0.01, betas=(0.9, 0.98)),
        batches_from=lambda step: Batches(tokenizer, seed=plan.seed, batch_size=plan.batch_size, first_step=step),
        loss_of=lambda batch: loss_of(model, batch),
        score=lambda: f"exact on 150 unseen: {exact_share(model, tokenizer, seed=plan.seed, pairs=150)}",
        plan=plan,
        name="translator",
    )
    # Half precision on disk (2 MB); the server computes in the precision that the recipe names.
    model.half().save_pretrained(MODEL_DIR)
    tokenizer.save_pretrained(MODEL_DIR)


if __name__ == "__main__":
    train(plan_from_command_line(__doc__, steps=5000, batch_size=125, peak_rate=2e-3))
