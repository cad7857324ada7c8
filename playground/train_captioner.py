"""Trains the playground's captioner from a seed: `make captioner`, about 75 minutes on one core.

Every step draws new scenes, puts them through JPEG as the data set does, and asks for the short caption of one half of
the pictures and the detailed one of the other: text is a third of a step, and every picture is new anyway. One scene in
twenty, chosen by a hash, is never trained on: the model card's figures are measured on those.

Captions alone did not do: after 2,000 steps colours, counts, places and relations were right nine times in ten and
kinds were guessed (5% right), since two nouns among thirty tokens tell a vision tower too little about shapes. So, as
Florence-2 itself was pre-trained on regions besides captions, a linear head that is thrown away afterwards says of what
is in each image patch its kind, colour, size and pose.
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
    pixels_of,
)
from florenz.playground.captions import STYLES, state
from florenz.playground.draw import SIDE_PX, Placed, draw_and_locate
from florenz.playground.scene import COLOURS, KINDS, POSES, SIZES, Scene, is_unseen, random_for, sample_scene
from florenz.playground.training import IGNORED, Plan, fit, plan_from_command_line

MODEL_DIR = Path(__file__).parent / "models" / "captioner"
LOOKS = {"kind": KINDS, "colour": COLOURS, "size": SIZES, "pose": POSES}  # what the region head tells apart


@dataclass(frozen=True)
class Drawn:
    """A scene, its picture after JPEG, and what is where."""

    scene: Scene
    image: Image.Image
    things: list[Placed]


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
    """Endless batches of new scenes from step `first_step` on: pixels (B, 3, 96, 96) and, per style, labels (B / 2, T);
    `regions` (B, 36, 4) are the looks of what is in each patch."""

    def __init__(self, processor: Florence2Processor, *, seed: int, batch_size: int, first_step: int) -> None:
        self.processor, self.seed, self.batch_size, self.first_step = processor, seed, batch_size, first_step

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        step = self.first_step
        while True:
            numbers = range(step * self.batch_size, (step + 1) * self.batch_size)
            yield self.collate([draw_numbered(self.seed, "train", number, unseen=False) for number in numbers])
            step += 1

    def collate(self, drawn: list[Drawn]) -> dict[str, torch.Tensor]:
        pixels = pixels_of([one.image for one in drawn])
        batch = {"pixels": pixels, "regions": torch.stack([region_labels(one.things) for one in drawn])}
        share = len(drawn) // len(STYLES)
        for start, style in zip(range(0, len(drawn), share), STYLES, strict=True):
            texts = [state(one.scene, "en", style) for one in drawn[start : start + share]]
            encoded = self.processor.tokenizer(texts, padding=True, return_tensors="pt")
            batch[style] = encoded.input_ids.masked_fill(encoded.attention_mask == 0, IGNORED)
        return batch


def region_labels(things: list[Placed]) -> torch.Tensor:
    """(36, 4) the looks of the thing whose centre lies in each patch, row by row; IGNORED in the others."""
    patches = IMAGE_SIDE_PX // 16
    labels = torch.full((patches * patches, len(LOOKS)), IGNORED)
    for thing in things:
        column, row = (min(patches - 1, int(centre * patches / SIDE_PX)) for centre in (thing.x, thing.y))
        looks = [values.index(getattr(thing.group, name)) for name, values in LOOKS.items()]
        labels[row * patches + column] = torch.tensor(looks)
    return labels


def build_head(model: Florence2ForConditionalGeneration) -> torch.nn.Linear:
    return torch.nn.Linear(model.config.vision_config.projection_dim, sum(map(len, LOOKS.values())))


def caption_loss(
    model: Florence2ForConditionalGeneration,
    prompts: dict[str, torch.Tensor],
    batch: dict[str, torch.Tensor],
    features: torch.Tensor,
) -> torch.Tensor:
    """Mean cross-entropy over both styles, of which each picture learns one: the first pictures the first style, and so
    on. features: (B, 37, 128), the pictures' tokens.
    """
    total, start = features.new_zeros(()), 0
    for style, prompt in prompts.items():
        end = start + len(batch[style])
        seen = features[start:end]
        embeds = model.get_input_embeddings()(prompt[None, features.shape[1] :]).expand(len(seen), -1, -1)
        encoded = model.model.language_model.encoder(inputs_embeds=torch.cat([seen, embeds], dim=1))
        total = total + model(encoder_outputs=encoded, labels=batch[style]).loss
        start = end
    return total / len(prompts)


def region_loss(head: torch.nn.Linear, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the looks in the patches that have some. The first token is the picture's mean: no patch.

    features: (B, 37, 128). labels: (B, 36, 4).
    """
    logits = head(features[:, 1:]).split([len(values) for values in LOOKS.values()], dim=-1)
    losses = [
        torch.nn.functional.cross_entropy(of_look.flatten(0, 1), labels[..., look].flatten(), ignore_index=IGNORED)
        for look, of_look in enumerate(logits)
    ]
    return torch.stack(losses).mean()


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
    head = build_head(model)
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
    train(plan_from_command_line(__doc__, steps=5000, batch_size=64, peak_rate=4e-4))
