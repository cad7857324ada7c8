"""Florence-2 with torch and transformers: pictures -> captions.

A picture goes through the vision tower once for all styles; on the playground's captioner, where that is most of the
work, two styles cost 1.6 times less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoProcessor, Florence2ForConditionalGeneration

from florenz.captioners.contract import Answer, CaptionerError
from florenz.captioners.florence2.settings import Settings
from florenz.captioners.florence2.tasks import TASK_OF_STYLE
from florenz.stores.models import local_model

MAX_NAMES_TOLD = 3


class Florence:
    """A Florence-2 and its processor. Shapes: B images, C colours, H x W px, T tokens, D dimensions."""

    def __init__(self, settings: Settings) -> None:
        name, revision = local_model(settings.model), settings.revision or None
        self._settings = settings
        self._device = _device(settings.device)
        if settings.cpu_threads is not None:
            torch.set_num_threads(settings.cpu_threads)
        # Pillow's resizing, also where torchvision is installed: its own gives other pixels, and so other captions than
        # those that stand in ledgers under the same fingerprint.
        self._processor = AutoProcessor.from_pretrained(name, revision=revision, trust_remote_code=False, backend="pil")
        self._model, found = Florence2ForConditionalGeneration.from_pretrained(
            name,
            revision=revision,
            dtype=getattr(torch, settings.dtype),
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told by us, with the others, instead of by a table in the log
        )
        _check_weights(name, found)
        self._model.to(self._device).eval()

    @property
    def num_cores(self) -> int:
        return torch.get_num_threads() if self._device == "cpu" else 0

    def prepare(self, picture: Image.Image) -> torch.Tensor:
        """The picture as the model wants it, (C, H, W)."""
        pixels_CHW: torch.Tensor = self._processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]
        return pixels_CHW

    def caption(self, prepared: Sequence[torch.Tensor], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
        """Style -> answer for each picture, one style after the other: prompts of one length, no padding."""
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
        pixels_BCHW = torch.stack(list(pictures_CHW)).to(self._device, self._model.dtype)
        features_BTD: torch.Tensor = self._model.get_image_features(pixels_BCHW).pooler_output
        return features_BTD

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
    """Nothing may be made up: weights that are not in the files would be random, and every caption noise.

    found: as transformers tells it; a tensor that is tied to one in the files is not missing.
    """
    wrong = {
        "missing": sorted(found["missing_keys"]),
        "unexpected": sorted(found["unexpected_keys"]),
        "of another shape": sorted(name for name, *_ in found["mismatched_keys"]),
    }
    told = [f"{len(names)} {fault} ({_first_of(names)})" for fault, names in wrong.items() if names]
    if told:
        raise CaptionerError(
            f"captioner {name!r} has not the weights of its config.json: {', '.join(told)}: "
            "copy the model anew, or choose one like florence-community/Florence-2-large"
        )


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES_TOLD]) + (", ..." if len(names) > MAX_NAMES_TOLD else "")


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
