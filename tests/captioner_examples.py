"""A miniature Florence-2 with random weights, and noise to look at: what it says is noise, how it says it is not."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from florenz.captioners.florence2 import Settings
from florenz.playground.captioner_model import build_model, build_processor, build_tokenizer

STYLES = ("short", "detailed")
TEXTS = ["A red cat on the grass.", "Two blue cars in a room. It is night.", *("What does the image describe?",) * 3]


def save_miniature(folder: Path) -> Path:
    """Weights large enough that what comes out depends on picture and prompt."""
    torch.manual_seed(3)
    tokenizer = build_tokenizer(TEXTS)
    model = build_model(tokenizer)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.4)
    model.tie_weights()
    model.save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
    return folder


def settings_of(folder: Path, **changes: object) -> Settings:
    values = {"model": str(folder), "max_new_tokens": 12, "cpu_threads": 1, **changes}
    return Settings(**values)  # type: ignore[arg-type]


def noise(number: int, *, width_px: int = 60, height_px: int | None = None) -> Image.Image:
    """One of five pictures of different brightness and height."""
    height_px = height_px or 40 + 30 * number
    pixels = np.random.default_rng(number).integers(0, 64, (height_px, width_px, 3), dtype=np.uint8)
    return Image.fromarray(pixels + 48 * (number % 5))  # type: ignore[arg-type]
