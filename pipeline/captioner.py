"""Step 2, caption: image -> English caption per style, by a Florence-2 through Beam's RunInference.

The picture goes through the vision tower once for all styles. One result or failure per item, as Beam's own handlers
don't give: one image that can't be decoded costs its own captions and no others'. Every batch of answers is in the
ledger before RunInference hands it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from apache_beam.ml.inference.base import ModelHandler
from PIL import Image
from transformers import AutoProcessor, Florence2ForConditionalGeneration

from pipeline.images import ImageRef, read_image_bytes
from pipeline.ledger import CaptionRow, Ledger
from pipeline.pixels import BadImage, decode
from pipeline.progress import ProgressAddress, advance
from pipeline.recipe import Captioner as CaptionerSettings
from pipeline.styles import TASK_OF_STYLE


@dataclass(frozen=True, kw_only=True)
class CaptionTask:
    """One image and the styles that the ledger has no caption for."""

    key: str
    source: str
    styles: tuple[str, ...]


class Florence:
    """A Florence-2 and its processor, ready to caption."""

    def __init__(self, settings: CaptionerSettings) -> None:
        name, revision = settings.model, settings.revision or None
        self._settings = settings
        self._device = _device(settings.device)
        self._processor = AutoProcessor.from_pretrained(name, revision=revision, trust_remote_code=False)
        self._model = Florence2ForConditionalGeneration.from_pretrained(
            name, revision=revision, dtype=getattr(torch, settings.dtype), use_safetensors=True
        )
        self._model.to(self._device).eval()  # type: ignore[arg-type]

    @torch.inference_mode()
    def caption(self, pictures: Sequence[Image.Image], style: str) -> list[tuple[str, str]]:
        """(caption, finish reason) per picture; "length" when max_new_tokens cut the caption off, else "stop"."""
        prompts = [TASK_OF_STYLE[style]] * len(pictures)
        inputs = self._processor(images=list(pictures), text=prompts, return_tensors="pt").to(self._device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        ids = self._model.generate(
            **inputs,
            max_new_tokens=self._settings.max_new_tokens,
            num_beams=self._settings.num_beams,
            do_sample=False,
        )
        texts = self._processor.batch_decode(ids, skip_special_tokens=True)
        # The first token is the decoder's start, which Florence-2 writes as </s> too.
        has_ended = (ids[:, 1:] == self._model.config.text_config.eos_token_id).any(dim=1).tolist()
        return [(text.strip(), "stop" if ended else "length") for text, ended in zip(texts, has_ended, strict=True)]


class CaptionHandler(ModelHandler[CaptionTask, CaptionRow, Florence]):
    """What RunInference needs to know about captioning."""

    def __init__(
        self,
        settings: CaptionerSettings,
        *,
        out: str,
        fingerprint: str,
        max_bytes: int,
        max_pixels: int,
        progress: ProgressAddress,
    ) -> None:
        super().__init__()
        self._settings, self._out, self._fingerprint = settings, out, fingerprint
        self._max_bytes, self._max_pixels, self._progress = max_bytes, max_pixels, progress

    def load_model(self) -> Florence:
        return Florence(self._settings)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": self._settings.batch_size, "max_batch_size": self._settings.batch_size}

    def run_inference(
        self, batch: Sequence[CaptionTask], model: Florence, inference_args: dict[str, Any] | None = None
    ) -> Iterable[CaptionRow]:
        rows: list[CaptionRow] = []
        pictures: dict[str, Image.Image] = {}
        for task in batch:
            try:
                data = read_image_bytes(ImageRef(uri=task.source), max_bytes=self._max_bytes)
                pictures[task.key] = decode(data, max_pixels=self._max_pixels)
            except BadImage as bad:
                rows += [
                    CaptionRow(key=task.key, style=style, text=None, reason=bad.reason, detail=bad.detail)
                    for style in task.styles
                ]
        for style in sorted({style for task in batch for style in task.styles}):
            keys = [task.key for task in batch if style in task.styles and task.key in pictures]
            rows += self._captions(model, keys, [pictures[key] for key in keys], style)
        Ledger(self._out).append_captions(self._fingerprint, rows)
        advance(self._progress, "caption", len(batch))
        return rows

    def _captions(
        self, model: Florence, keys: Sequence[str], pictures: Sequence[Image.Image], style: str
    ) -> list[CaptionRow]:
        if not keys:
            return []
        answers = model.caption(pictures, style)
        return [
            CaptionRow(key=key, style=style, text=text, finish_reason=finish_reason)
            for key, (text, finish_reason) in zip(keys, answers, strict=True)
        ]


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
