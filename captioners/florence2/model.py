"""Florence-2 with torch and transformers: pictures -> captions.

A picture goes through the vision tower once for all styles; on the playground's captioner, where that is most of the
work, two styles cost 1.6 times less.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoProcessor, Florence2ForConditionalGeneration

from florenz.captioners.contract import Answer, CaptionerError
from florenz.captioners.florence2.pixels import PixelTable, fits
from florenz.captioners.florence2.settings import Settings
from florenz.captioners.florence2.tasks import TASK_OF_STYLE
from florenz.stores.gpus import Place, device_for
from florenz.stores.models import local_model
from florenz.stores.weights import faults_of_loading


class Florence:
    """A Florence-2 and its processor. Shapes: B images, C colours, H x W px, T tokens, D dimensions."""

    def __init__(self, settings: Settings) -> None:
        name, revision = local_model(settings.model), settings.revision or None
        self._settings = settings
        self._device, self._place = _device(settings.device)
        if settings.cpu_threads is not None:
            torch.set_num_threads(settings.cpu_threads)
        # Pillow's resizing, also where torchvision is installed: its own gives other pixels, and so other captions than
        # those that stand in ledgers under the same fingerprint.
        self._processor = AutoProcessor.from_pretrained(name, revision=revision, trust_remote_code=False, backend="pil")
        processor = self._processor.image_processor
        self._pixels = PixelTable(processor) if fits(processor) else None
        self._model, found = Florence2ForConditionalGeneration.from_pretrained(
            name,
            revision=revision,
            dtype=getattr(torch, settings.dtype),
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told by us, with the others, instead of by a table in the log
        )
        _check_weights(name, found)
        with self._enough_memory("the model", 'choose dtype = "bfloat16", a smaller model, or device = "cpu"'):
            self._model.to(self._device).eval()
        self._weight_bytes = 0 if self._device == "cpu" else torch.cuda.memory_allocated(self._device)

    @property
    def num_cores(self) -> int:
        return torch.get_num_threads() if self._device == "cpu" else 0

    @property
    def free_bytes(self) -> int | None:
        """Without what our batches leave with torch: that is this captioner's to work in, now and in the next batch."""
        if self._device == "cpu":
            return None
        free, _ = torch.cuda.mem_get_info(self._device)
        return free + torch.cuda.memory_reserved(self._device) - self._weight_bytes

    def close(self) -> None:
        """Its GPU and that GPU's memory are for others."""
        del self._model
        if self._place is not None:
            torch.cuda.empty_cache()
            self._place.leave()

    def prepare(self, picture: Image.Image) -> torch.Tensor:
        """The picture as the model wants it, (C, H, W)."""
        if self._pixels is not None:
            pixels_CHW = torch.from_numpy(self._pixels.values(picture))
        else:
            pixels_CHW = self._processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]
        return pixels_CHW.to(self._model.dtype)

    def caption(self, prepared: Sequence[torch.Tensor], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
        """Style -> answer for each picture, one style after the other: prompts of one length, no padding."""
        with self._enough_memory(f"{len(prepared)} pictures at once", "set batch_size lower"):
            return self._caption(prepared, styles)

    def _caption(self, prepared: Sequence[torch.Tensor], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
        features_BTD = self.look(prepared)
        answers: list[dict[str, Answer]] = [{} for _ in prepared]
        for style in sorted({style for wanted in styles for style in wanted}):
            numbers = [number for number, wanted in enumerate(styles) if style in wanted]
            for number, answer in zip(numbers, self._describe(features_BTD[numbers], style), strict=True):
                answers[number][style] = answer
        return answers

    @torch.inference_mode()
    def look(self, pictures_CHW: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the vision tower sees, (B, T, D): the part of captioning that does not depend on the style."""
        features_BTD: torch.Tensor = self._model.get_image_features(self._batch(pictures_CHW)).pooler_output
        return features_BTD

    def _batch(self, pictures_CHW: Sequence[torch.Tensor]) -> torch.Tensor:
        """(B, C, H, W) on the device; for a GPU by way of pinned memory, which it reads by itself."""
        if self._device == "cpu":
            return torch.stack(list(pictures_CHW)).to(self._model.dtype)
        size = (len(pictures_CHW), *pictures_CHW[0].shape)
        pinned_BCHW = torch.empty(size, dtype=self._model.dtype, pin_memory=True)
        return torch.stack(list(pictures_CHW), out=pinned_BCHW).to(self._device, non_blocking=True)

    @contextlib.contextmanager
    def _enough_memory(self, what: str, advice: str) -> Iterator[None]:
        """Raises CaptionerError where the GPU is too small."""
        try:
            yield
        except torch.OutOfMemoryError as fault:
            first = str(fault).partition(". ")[0]
            raise CaptionerError(
                f"captioner {self._settings.model!r}: {self._device} has too little memory for {what} ({first}): "
                f"{advice}, or leave it more (gpu_memory_utilization, if a server of ours is on it)"
            ) from fault

    @torch.inference_mode()
    def _describe(self, features_BTD: torch.Tensor, style: str) -> list[Answer]:
        """A caption per picture; "length" when max_new_tokens cut it off, else "stop"."""
        prompt_BT = self._prompt(style).expand(len(features_BTD), -1)
        is_image_BT1 = (prompt_BT == self._model.config.image_token_id).unsqueeze(-1)
        embeddings_BTD = self._model.get_input_embeddings()(prompt_BT).masked_scatter(is_image_BT1, features_BTD)
        is_token_BT = torch.ones_like(prompt_BT)
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
        return [
            Answer(text=text.strip(), finish_reason="stop" if ended else "length")
            for text, ended in zip(texts, has_ended, strict=True)
        ]

    def _prompt(self, style: str) -> torch.Tensor:
        """Image tokens and the style's task in words, (1, T): the same for every picture."""
        any_picture = Image.new("RGB", (32, 32))
        inputs = self._processor(images=[any_picture], text=[TASK_OF_STYLE[style]], return_tensors="pt")
        prompt_1T: torch.Tensor = inputs["input_ids"].to(self._device)
        return prompt_1T


def _check_weights(name: str, found: Mapping[str, Any]) -> None:
    """Nothing may be made up: weights that are not in the files would be random, and every caption noise."""
    if wrong := faults_of_loading(found):
        raise CaptionerError(
            f"captioner {name!r} has not the weights of its config.json: {wrong}: "
            "copy the model anew, or choose one like florence-community/Florence-2-large"
        )


def _device(name: str) -> tuple[str, Place | None]:
    """As `device_for`. Raises CaptionerError."""
    number = torch.cuda.device_count() if name != "cpu" else 0
    try:
        return device_for(name, number, lambda: [_uuid(gpu) for gpu in range(number)])
    except (ValueError, PermissionError) as problem:
        raise CaptionerError(str(problem)) from problem


def _uuid(gpu: int) -> str:
    return str(torch.cuda.get_device_properties(gpu).uuid)
