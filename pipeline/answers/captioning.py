"""Step 2, caption: image -> English caption per style, by a Florence-2 through Beam's RunInference.

The picture goes through the vision tower once for all styles; on the playground's captioner, where that is most of the
work, two styles cost 1.6 times less. An image that can't be decoded costs its own captions and no others', which Beam's
own handlers don't give. Every batch of answers is in the ledger before RunInference hands it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from apache_beam.ml.inference.base import ModelHandler
from PIL import Image
from safetensors import SafetensorError
from transformers import AutoProcessor, Florence2ForConditionalGeneration

from florenz.captioners.styles import TASK_OF_STYLE
from florenz.images.decoding import BadImage, decode
from florenz.images.sources import ImageRef, read_image_bytes
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.progress import ProgressAddress, advance
from florenz.pipeline.recipe import Captioner as CaptionerSettings


class CaptionerError(ValueError):
    """The captioner can't be loaded; one line with what to do."""


@cache
def load_captioner(settings: CaptionerSettings) -> Florence:
    """The captioner, once per process: a run loads it before anything is asked, and its graph finds it loaded.

    Raises:
        CaptionerError: files are missing or damaged, or a library that it needs.
    """
    try:
        return Florence(settings)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as problem:
        first_line = str(problem).strip().partition("\n")[0]
        raise CaptionerError(
            f"captioner {settings.model!r} can't be loaded ({type(problem).__name__}: {first_line}): "
            "copy the model anew, or name another"
        ) from problem


class Florence:
    """A Florence-2 and its processor. Shapes: B images, C colours, H x W px, T tokens, D dimensions."""

    def __init__(self, settings: CaptionerSettings) -> None:
        name, revision = settings.model, settings.revision or None
        self._settings = settings
        self._device = _device(settings.device)
        if settings.cpu_threads is not None:
            torch.set_num_threads(settings.cpu_threads)
        self._processor = AutoProcessor.from_pretrained(name, revision=revision, trust_remote_code=False)
        self._model = Florence2ForConditionalGeneration.from_pretrained(
            name, revision=revision, dtype=getattr(torch, settings.dtype), use_safetensors=True
        )
        self._model.to(self._device).eval()  # type: ignore[arg-type]

    def pixels(self, picture: Image.Image) -> torch.Tensor:
        """The picture as the model wants it, (C, H, W). Small and of one size, where a photo may take 300 MB."""
        pixels_CHW: torch.Tensor = self._processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]
        return pixels_CHW

    @torch.inference_mode()
    def look(self, pictures_CHW: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the vision tower sees, (B, T, D): the part of captioning that does not depend on the style."""
        pixels_BCHW = torch.stack(list(pictures_CHW)).to(self._device, self._model.dtype)
        features_BTD: torch.Tensor = self._model.get_image_features(pixels_BCHW).pooler_output
        return features_BTD

    @torch.inference_mode()
    def caption(self, features_BTD: torch.Tensor, style: str) -> list[tuple[str, str]]:
        """(caption, finish reason) per picture; "length" when max_new_tokens cut the caption off, else "stop"."""
        prompt_BT = self._prompt(style).expand(len(features_BTD), -1)
        is_image_BT1 = (prompt_BT == self._model.config.image_token_id).unsqueeze(-1)
        embeddings_BTD = self._model.get_input_embeddings()(prompt_BT).masked_scatter(is_image_BT1, features_BTD)
        is_token_BT = torch.ones_like(prompt_BT)  # one style at a time: prompts of one length, no padding
        encoded = self._model.get_encoder()(inputs_embeds=embeddings_BTD, attention_mask=is_token_BT)
        max_new_tokens = self._settings.max_new_tokens
        ids_BT = self._model.generate(
            encoder_outputs=encoded,
            attention_mask=is_token_BT,
            max_new_tokens=max_new_tokens,
            num_beams=self._settings.num_beams,
            do_sample=False,
        )
        texts = self._processor.batch_decode(ids_BT, skip_special_tokens=True)
        # Neither end counts: Florence-2 starts a caption with </s> too, and forces one onto the last place.
        is_end_BT = ids_BT[:, 1:max_new_tokens] == self._model.config.text_config.eos_token_id
        has_ended = is_end_BT.any(dim=1).tolist()
        return [(text.strip(), "stop" if ended else "length") for text, ended in zip(texts, has_ended, strict=True)]

    def _prompt(self, style: str) -> torch.Tensor:
        """Image tokens and the style's task in words, (1, T): the same for every picture."""
        any_picture = Image.new("RGB", (32, 32))
        inputs = self._processor(images=[any_picture], text=[TASK_OF_STYLE[style]], return_tensors="pt")
        prompt_1T: torch.Tensor = inputs["input_ids"].to(self._device)
        return prompt_1T


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
        return load_captioner(self._settings)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": self._settings.batch_size, "max_batch_size": self._settings.batch_size}

    def run_inference(
        self, batch: Sequence[CaptionTask], model: Florence, inference_args: dict[str, Any] | None = None
    ) -> Iterable[CaptionRow]:
        rows: list[CaptionRow] = []
        readable: list[CaptionTask] = []
        pictures_CHW: list[torch.Tensor] = []
        for task in batch:
            try:
                pictures_CHW.append(self._pixels(task, model))
                readable.append(task)
            except BadImage as bad:
                rows += [
                    CaptionRow(key=task.key, style=style, text=None, reason=bad.reason, detail=bad.detail)
                    for style in task.styles
                ]
        if readable:
            rows += _captions(readable, model.look(pictures_CHW), model)
        Ledger(self._out).append_captions(self._fingerprint, rows)
        advance(self._progress, "caption", len(batch))
        return rows

    def _pixels(self, task: CaptionTask, model: Florence) -> torch.Tensor:
        data = read_image_bytes(ImageRef(uri=task.source), max_bytes=self._max_bytes)
        return model.pixels(decode(data, max_pixels=self._max_pixels))


def _captions(tasks: Sequence[CaptionTask], features_BTD: torch.Tensor, model: Florence) -> list[CaptionRow]:
    """Captions in those styles that each image lacks."""
    rows: list[CaptionRow] = []
    for style in sorted({style for task in tasks for style in task.styles}):
        places = [place for place, task in enumerate(tasks) if style in task.styles]
        for place, (text, finish_reason) in zip(places, model.caption(features_BTD[places], style), strict=True):
            rows.append(CaptionRow(key=tasks[place].key, style=style, text=text, finish_reason=finish_reason))
    return rows


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
