"""How much arithmetic examples take, by their lengths: what utilisation is a share of.

Counted is what the model asks for: forward, and backward for what is trained and what lies between it and the loss.
Padding, activations that are computed again and the loss's second projection are work that the model does not ask for,
so they lower the utilisation. An operation is an addition or a multiplication, as in GPUs' data sheets; matrices and
attention are counted, what runs along beside them (norms, softmax) is not.

`plan.py` has torch count the same on a model without memory; the two are held together by a test. This is a sum over
matrices instead, because a running training has examples of many lengths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig
from transformers.models.florence2.modeling_florence2 import Florence2VisionBackbone

from florenz.train.model.florenz import IGNORED, Florenz

Batch = dict[str, torch.Tensor]
TOWER = ("encoder.vision_tower.",)
BEFORE = (*TOWER, "encoder.multi_modal_projector.", "encoder.text_encoder.")
INTO_CROSS_ATTENTION = ("encoder_attn.k_proj", "encoder_attn.v_proj", "cross_attn.k_proj", "cross_attn.v_proj")


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Of one example with S prompt tokens, T text tokens, M of them targets; N = S + picture_tokens encoder positions,
    E encoder states (N, or the latents):

        constant + picture + encoder N + encoder_square N^2 + states E + decoder T + decoder_square T^2 + cross T E
        + head M
    """

    constant: float
    """Of learned queries."""

    picture: float
    picture_tokens: int
    encoder: float
    encoder_square: float
    num_latents: int
    states: float
    decoder: float
    decoder_square: float
    cross: float
    head: float

    def of_batch(self, batch: Batch, *, is_looked_at: bool = True) -> float:
        """Of a micro-batch as the stream gives it. is_looked_at: the vision tower runs, and no cache answers."""
        positions = torch.arange(1, batch["labels"].shape[1] + 1)
        is_target_BT = batch["labels"].cpu() != IGNORED
        text_B = (is_target_BT * positions).amax(1).double()
        has_picture = "pixel_values" in batch or "picture_features" in batch
        encoded_B = batch["attention_mask"].cpu().sum(1).double() + self.picture_tokens * has_picture
        states_B = torch.full_like(encoded_B, self.num_latents) if self.num_latents else encoded_B
        each_B = (
            self.constant
            + self.picture * (has_picture and is_looked_at)
            + self.encoder * encoded_B
            + self.encoder_square * encoded_B**2
            + self.states * states_B
            + self.decoder * text_B
            + self.decoder_square * text_B**2
            + self.cross * text_B * states_B
            + self.head * is_target_BT.sum(1)
        )
        return float(each_B.sum())


def operations_of(model: Florenz, image_px: int | None) -> Operations:
    """Of a model whose parts are frozen as the stage has them. image_px: None for a stage without pictures."""
    config = model.config
    text, decoder = config.florence_config.text_config, config.decoder_config
    own = {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear)}
    is_passed = {  # whether something before it waits for a gradient
        "projector": _is_any_trained(model, BEFORE[:2]),  # its positions are added before its matrix
        "encoder": _is_any_trained(model, BEFORE),
        "queries": True,
        "states": _is_any_trained(model, (*BEFORE, "encoder.latents.")),
        "decoder": True,  # of cross-attention alone, nothing waits before that of the first layer: a few percent
    }
    backward = 3 if is_passed["encoder"] else 1  # of attention, which has no weights
    sums = dict.fromkeys(is_passed, 0.0)
    for name, module in own.items():
        if (kind := _kind_of(name)) is not None:
            sums[kind] += _of_matrices(module, is_passed=is_passed[kind])
    width = text.d_model
    heads = getattr(decoder, "num_attention_heads", 0) or decoder.decoder_attention_heads
    attended = heads * (getattr(decoder, "head_dim", None) or decoder.hidden_size // heads)
    layers = config.num_hidden_layers
    tokens = picture_tokens(config.florence_config.vision_config, image_px) if image_px else 0
    look = 0.0
    if image_px:
        passes = 3 if _is_any_trained(model, TOWER) else 1
        look = _look(config.florence_config.vision_config.to_json_string(), image_px) * passes
        look += sums["projector"] * tokens
    return Operations(
        picture=look,
        picture_tokens=tokens,
        constant=sums["queries"] * config.num_latents,
        encoder=sums["encoder"] + 4.0 * width * config.num_latents * backward,
        encoder_square=4.0 * width * text.encoder_layers * backward,
        num_latents=config.num_latents,
        states=sums["states"],
        decoder=sums["decoder"],
        decoder_square=4.0 * attended * layers * 3,
        cross=4.0 * attended * layers * 3,
        head=_of_matrices(model.lm_head, is_passed=True),
    )


def picture_tokens(vision: Florence2VisionConfig, image_px: int) -> int:
    """A token for each place of the tower's last map, and their mean."""
    side = image_px
    for stride in vision.patch_stride:
        side = -(-side // stride)
    return side * side + 1


def _kind_of(name: str) -> str | None:
    """What a matrix is multiplied with: tokens of a picture, encoder positions, encoder states or text tokens."""
    if name.startswith("encoder.multi_modal_projector."):
        return "projector"
    if name.startswith("encoder.text_encoder."):
        return "encoder"
    if name.startswith("encoder.latents."):
        return "encoder" if name.endswith(("k_proj", "v_proj")) else "queries"
    if name.startswith("decoder."):
        return "states" if name.endswith(INTO_CROSS_ATTENTION) else "decoder"
    return None  # the vision tower, and the head


def _of_matrices(module: nn.Module, *, is_passed: bool) -> float:
    """For one row of input. is_passed: whether gradients go on through it, to something trained before it."""
    total = 0.0
    for parameter in module.parameters():
        if parameter.ndim == 2:
            total += 2.0 * parameter.numel() * (1 + is_passed + parameter.requires_grad)
    return total


def _is_any_trained(model: nn.Module, prefixes: tuple[str, ...]) -> bool:
    return any(one.requires_grad for name, one in model.named_parameters() if name.startswith(prefixes))


@cache
def _look(vision_config: str, image_px: int) -> float:
    """The vision tower on one picture, forward: convolutions and windows, which torch counts without memory."""
    settings: dict[str, Any] = json.loads(vision_config)
    with torch.device("meta"), torch.no_grad():
        tower = Florence2VisionBackbone(Florence2VisionConfig(**settings)).eval()
        with FlopCounterMode(display=False) as counter:
            tower(torch.zeros(1, 3, image_px, image_px))
    return float(counter.get_total_flops())
