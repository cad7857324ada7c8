"""Trains the playground's captioner from a seed: `make captioner`, about 75 minutes on one core.

Every step draws new scenes, puts them through JPEG as the data set does, and asks for both captions of each picture.
One scene in twenty, chosen by a hash, is never trained on: those are the unseen scenes that the model card's figures
are measured on.

Captions alone did not do: after 2,000 steps colours, counts, places and relations were right nine times in ten and
kinds were guessed (5% right), since two nouns among thirty tokens tell a vision tower too little about shapes. So, as
Florence-2 itself was pre-trained on regions besides captions, a linear head that is thrown away afterwards names what
stands in each image patch.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import IterableDataset
from transformers import Florence2ForConditionalGeneration, Florence2Processor

from florenz.playground.captioner_model import (
    IMAGE_SIDE_PX,
    TASK_PROMPTS,
    build_model,
    build_processor,
    build_tokenizer,
)
from florenz.playground.captions import STYLES, state
from florenz.playground.draw import SIDE_PX, draw_and_locate
from florenz.playground.scene import KINDS, Scene, is_unseen, random_for, sample_scene
from florenz.playground.training import IGNORED, Plan, fit, plan_from_command_line

MODEL_DIR = Path(__file__).parent / "models" / "captioner"


@dataclass(frozen=True)
class Drawn:
    """A scene, its picture after JPEG, and what stands where: (kind, x, y), centres in px."""

    scene: Scene
    image: Image.Image
    things: list[tuple[str, float, float]]


def draw_numbered(seed: int, name: str, number: int, *, unseen: bool) -> Drawn:
    """The scene of that number; redrawn until it lies on the wanted side of `is_unseen`."""
    rng = random_for(seed, name, number)
    scene = sample_scene(rng)
    while is_unseen(scene) is not unseen:
        scene = sample_scene(rng)
    image, things = draw_and_locate(scene, rng)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90)
    return Drawn(scene, Image.open(data).convert("RGB"), things)


class Batches(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches of new scenes from step `first_step` on: pixels (B, 3, 96, 96) and, per style, labels (B, T);
    `regions` (B, 36) is the kind in each patch."""

    def __init__(self, processor: Florence2Processor, *, seed: int, batch_size: int, first_step: int) -> None:
        self.processor, self.seed, self.batch_size, self.first_step = processor, seed, batch_size, first_step

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        step = self.first_step
        while True:
            numbers = range(step * self.batch_size, (step + 1) * self.batch_size)
            yield self.collate([draw_numbered(self.seed, "train", number, unseen=False) for number in numbers])
            step += 1

    def collate(self, drawn: list[Drawn]) -> dict[str, torch.Tensor]:
        pixels = self.processor.image_processor([one.image for one in drawn], return_tensors="pt").pixel_values
        batch = {"pixels": pixels, "regions": torch.stack([region_labels(one.things) for one in drawn])}
        for style in STYLES:
            texts = [state(one.scene, "en", style) for one in drawn]
            encoded = self.processor.tokenizer(texts, padding=True, return_tensors="pt")
            batch[style] = encoded.input_ids.masked_fill(encoded.attention_mask == 0, IGNORED)
        return batch


def region_labels(things: list[tuple[str, float, float]]) -> torch.Tensor:
    """(36,) the kind whose centre lies in each patch, row by row; IGNORED in the others."""
    patches = IMAGE_SIDE_PX // 16
    labels = torch.full((patches * patches,), IGNORED)
    for kind, x, y in things:
        column, row = (min(patches - 1, int(centre * patches / SIDE_PX)) for centre in (x, y))
        labels[row * patches + column] = KINDS.index(kind)
    return labels


def caption_loss(
    model: Florence2ForConditionalGeneration,
    prompts: dict[str, torch.Tensor],
    batch: dict[str, torch.Tensor],
    features: torch.Tensor,
) -> torch.Tensor:
    """Mean cross-entropy over both styles. features: (B, 37, 128), the picture's tokens, which both styles share."""
    total = features.new_zeros(())
    for style, prompt in prompts.items():
        embeds = model.get_input_embeddings()(prompt[None, features.shape[1] :]).expand(len(features), -1, -1)
        encoded = model.model.language_model.encoder(inputs_embeds=torch.cat([features, embeds], dim=1))
        total = total + model(encoder_outputs=encoded, labels=batch[style]).loss
    return total / len(prompts)


def region_loss(head: torch.nn.Linear, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the kind in the patches that have one. The first token is the picture's mean: no patch."""
    return torch.nn.functional.cross_entropy(
        head(features[:, 1:]).flatten(0, 1), labels.flatten(), ignore_index=IGNORED
    )


@torch.no_grad()
def exact_share(
    model: Florence2ForConditionalGeneration, processor: Florence2Processor, *, seed: int, scenes: int
) -> dict[str, float]:
    """Share of unseen scenes whose greedy caption is exactly right, per style."""
    model.eval()
    right = dict.fromkeys(STYLES, 0)
    for start in range(0, scenes, 100):
        numbers = range(start, min(start + 100, scenes))
        drawn = [draw_numbered(seed, "unseen", number, unseen=True) for number in numbers]
        for style in STYLES:
            prompts = [TASK_PROMPTS[style]] * len(drawn)
            inputs = processor(images=[one.image for one in drawn], text=prompts, return_tensors="pt")
            ids = model.generate(**inputs, max_new_tokens=96, num_beams=1, do_sample=False)
            answers = processor.batch_decode(ids, skip_special_tokens=True)
            right[style] += sum(
                answer.strip() == state(one.scene, "en", style) for answer, one in zip(answers, drawn, strict=True)
            )
    model.train()
    return {style: count / scenes for style, count in right.items()}


def make_processor(seed: int) -> Florence2Processor:
    """A processor whose vocabulary comes from 5,000 scenes and the task prompts."""
    scenes = [sample_scene(random_for(seed, "words", number)) for number in range(5000)]
    texts = [state(scene, "en", style) for scene in scenes for style in STYLES]
    bare = build_processor(build_tokenizer([]))
    return build_processor(build_tokenizer(texts + list(bare.task_prompts_without_inputs.values()) * 20))


def train(plan: Plan) -> None:
    torch.manual_seed(plan.seed)
    processor = make_processor(plan.seed)
    model = build_model(processor.tokenizer)
    head = torch.nn.Linear(model.config.vision_config.projection_dim, len(KINDS))
    blank = Image.new("RGB", (IMAGE_SIDE_PX, IMAGE_SIDE_PX))
    prompts = {
        style: processor(images=blank, text=TASK_PROMPTS[style], return_tensors="pt").input_ids[0] for style in STYLES
    }

    def loss_of(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        features = model.get_image_features(batch["pixels"]).pooler_output
        return caption_loss(model, prompts, batch, features) + region_loss(head, features, batch["regions"])

    fit(
        torch.nn.ModuleDict({"model": model, "head": head}),
        _optimizer(model, head, plan.peak_rate),
        batches_from=lambda step: Batches(processor, seed=plan.seed, batch_size=plan.batch_size, first_step=step),
        loss_of=loss_of,
        score=lambda: f"exact on 200 unseen: {exact_share(model, processor, seed=plan.seed, scenes=200)}",
        plan=plan,
        name="captioner",
    )
    save(model, processor, MODEL_DIR)


def _optimizer(
    model: Florence2ForConditionalGeneration, head: torch.nn.Linear, peak_rate: float
) -> torch.optim.Optimizer:
    """The vision tower is pre-norm and bears 2.5 times the rate of the post-norm text half."""
    vision = [*model.model.vision_tower.parameters(), *head.parameters()]
    ids = {id(parameter) for parameter in vision}
    text = [parameter for parameter in model.parameters() if id(parameter) not in ids]
    groups = [{"params": text, "peak": peak_rate}, {"params": vision, "peak": 2.5 * peak_rate}]
    return torch.optim.AdamW(groups, lr=peak_rate, weight_decay=0.01, betas=(0.9, 0.98))


def save(model: Florence2ForConditionalGeneration, processor: Florence2Processor, folder: Path) -> None:
    """Half precision on disk (7 MB); the pipeline computes in single precision."""
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)


if __name__ == "__main__":
    train(plan_from_command_line(__doc__, steps=6500, batch_size=64, peak_rate=4e-4))
