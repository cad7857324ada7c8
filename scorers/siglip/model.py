"""SigLIP with torch and transformers: (picture, text) -> their cosine, higher is better.

A picture goes through its tower once for all of its texts that are asked at once. Texts are in lower case and filled up
to the length that the model was trained with, without a mask, as in its training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, SiglipModel

from florenz.scorers._torch import OnDevice
from florenz.scorers.contract import Question
from florenz.scorers.siglip.settings import Settings
from florenz.stores.models import local_model

Item = TypeVar("Item")


class SigLIP(OnDevice):
    """Shapes: B pictures or texts, C colours, H x W px, T tokens, D dimensions."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, SiglipModel, settings.dtype)
        name, revision = local_model(settings.model), settings.revision or None
        self._tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
        # Pillow's resizing, also where torchvision is installed: its own gives other pixels, and so other scores.
        self._processor = AutoImageProcessor.from_pretrained(
            name, revision=revision, trust_remote_code=False, backend="pil"
        )
        self._num_tokens = self.model.config.text_config.max_position_embeddings

    def prepare(self, picture: Image.Image) -> torch.Tensor:
        """(C, H, W)."""
        pixels_CHW: torch.Tensor = self._processor(picture, return_tensors="pt")["pixel_values"][0]
        return pixels_CHW

    def score(self, questions: Sequence[Question]) -> list[float]:
        pictures = {id(one.picture): one.picture for one in questions}
        if not pictures:
            return []
        place = {name: number for number, name in enumerate(pictures)}
        with self.enough_memory(f"{self.settings.batch_size} texts or pictures at once"), torch.inference_mode():
            images_BD = self._together([self._images(some) for some in self._batches(list(pictures.values()))])
            texts_BD = self._together([self._texts(some) for some in self._batches([one.text for one in questions])])
            cosines_B = (texts_BD * images_BD[[place[id(one.picture)] for one in questions]]).sum(-1)
        scores: list[float] = cosines_B.clamp(-1.0, 1.0).tolist()
        return scores

    def _images(self, pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        pixels_BCHW = torch.stack(list(pictures)).to(self.device, self.model.dtype)
        features_BD: torch.Tensor = self.model.get_image_features(pixel_values=pixels_BCHW).pooler_output
        return features_BD

    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        ids_BT = self._tokenizer(
            [text.lower() for text in texts],
            padding="max_length",
            truncation=True,
            max_length=self._num_tokens,
            return_tensors="pt",
        )["input_ids"].to(self.device)
        features_BD: torch.Tensor = self.model.get_text_features(input_ids=ids_BT).pooler_output
        return features_BD

    def _batches(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        size = self.settings.batch_size
        return [items[start : start + size] for start in range(0, len(items), size)]

    @staticmethod
    def _together(features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Of length 1 each."""
        return torch.nn.functional.normalize(torch.cat(list(features)).float(), dim=-1)
