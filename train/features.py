"""What a frozen vision tower sees in a picture, kept in memory: each picture is looked at once in a training.

In the playground the tower takes more than half of a step. What it sees changes only where it is trained, so it can be
kept, up to a number of bytes; pictures beyond that are looked at in each step that has them.

The cache is filled before the first step, in the order of the shards, BATCH_SIZE pictures at a time. Filled on the way,
it would hold sums of other batches after a kill, other in their last bits, and a training that goes on must end with
the weights of one that was not disturbed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from florenz.train.model.encoder import Encoder

Batch = dict[str, torch.Tensor]
BATCH_SIZE = 64


class PictureCache:
    """encoder: its vision tower must be frozen, and in eval mode; pictures and batches come to its device."""

    def __init__(self, encoder: Encoder, *, max_bytes: float = math.inf) -> None:
        tower = encoder.vision_tower
        assert not tower.training and not any(parameter.requires_grad for parameter in tower.parameters())
        self._encoder = encoder
        self._max_bytes = max_bytes
        self._kept: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        """Pictures that are kept."""
        return len(self._kept)

    def fill(self, pictures: Iterable[tuple[int, torch.Tensor]]) -> None:
        """Look at pictures, (id, uint8 (3, H, W)), until there is no room for another batch of them."""
        waiting: dict[int, torch.Tensor] = {}
        num_bytes = 0
        for name, picture_CHW in pictures:
            waiting[name] = picture_CHW
            if len(waiting) == BATCH_SIZE:
                num_bytes += self._keep(waiting)
                waiting = {}
                if num_bytes + num_bytes * BATCH_SIZE // len(self._kept) > self._max_bytes:
                    return
        if waiting:
            self._keep(waiting)

    def seen(self, batch: Batch) -> Batch:
        """The batch with picture_features (B, C, h, w) in place of pixel_values and picture_ids; any other as it is."""
        if "pixel_values" not in batch:
            return batch
        others = {name: tensor for name, tensor in batch.items() if name not in ("pixel_values", "picture_ids")}
        names = batch["picture_ids"].tolist()
        fresh = [place for place, name in enumerate(names) if name not in self._kept]
        looked_at = dict(zip(fresh, self._look(batch["pixel_values"][fresh]), strict=True)) if fresh else {}
        features = [looked_at[place] if place in looked_at else self._kept[name] for place, name in enumerate(names)]
        return {**others, "picture_features": torch.stack(features)}

    def _keep(self, pictures: dict[int, torch.Tensor]) -> int:
        features_BChw = self._look(torch.stack(list(pictures.values())))
        self._kept |= dict(zip(pictures, features_BChw, strict=True))
        return features_BChw.nbytes

    @torch.no_grad()
    def _look(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        device = self._encoder.multi_modal_projector.image_projection.weight.device
        return self._encoder.look(pixels_BCHW.to(device))
