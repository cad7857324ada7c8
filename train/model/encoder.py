"""Florence-2's encoder, from transformers' own classes: vision tower, projector, text encoder.

A picture's tokens come first, then the prompt's. `Florence2ForConditionalGeneration` puts the picture where the prompt
has `<image>` tokens; its processor puts these in front, so the result is the same and prompts stay text.

Shapes: B examples, S prompt tokens, P picture tokens, N encoder states (P + S, or the number of latents), D width.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.bart.modeling_bart import BartEncoder
from transformers.models.florence2.configuration_florence2 import Florence2Config
from transformers.models.florence2.modeling_florence2 import Florence2MultiModalProjector, Florence2VisionBackbone

from florenz.train.model.latents import LatentQueries

MAX_PIXEL = 255.0


class Encoder(nn.Module):
    """image_mean, image_std: per colour, of pixels scaled to 0..1. num_latents: 0 for none."""

    main_input_name = "input_ids"  # `generate` asks its encoder

    def __init__(
        self, config: Florence2Config, *, num_latents: int, image_mean: list[float], image_std: list[float]
    ) -> None:
        super().__init__()
        text_config = config.text_config
        self.image_mean, self.image_std = image_mean, image_std
        self.vision_tower = Florence2VisionBackbone(config=config.vision_config)
        self.multi_modal_projector = Florence2MultiModalProjector(config)
        self.text_encoder = BartEncoder(text_config)
        self.latents = (
            LatentQueries(
                num_latents=num_latents, width=text_config.d_model, num_heads=text_config.encoder_attention_heads
            )
            if num_latents
            else None
        )

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        picture_features: torch.Tensor | None = None,
        **_: Any,  # `generate` passes output_attentions and the like to every encoder
    ) -> BaseModelOutput:
        """input_ids (B, S) with attention_mask (B, S), pixel_values uint8 (B, 3, H, W) -> last_hidden_state (B, N, D).

        picture_features: what `look` has made of the pixels, instead of them.

        Raises:
            ValueError: picture and prompt together have more tokens than the text encoder has positions.
        """
        embeds_BND = self.text_encoder.embed_tokens(input_ids)
        if pixel_values is not None:
            picture_features = self.look(pixel_values)
        if picture_features is not None:
            picture_BPD = self.multi_modal_projector(picture_features).to(embeds_BND.dtype)
            embeds_BND = torch.cat([picture_BPD, embeds_BND], dim=1)
        if embeds_BND.shape[1] > self.text_encoder.max_source_positions:
            raise ValueError(
                f"picture and prompt have {embeds_BND.shape[1]} tokens, the encoder has "
                f"{self.text_encoder.max_source_positions} positions: shorten the prompt or make the picture smaller"
            )
        mask_BN = self._mask(embeds_BND, attention_mask)
        states_BND = self.text_encoder(inputs_embeds=embeds_BND, attention_mask=mask_BN).last_hidden_state
        if self.latents is not None:
            states_BND = self.latents(states_BND, mask_BN)
        return BaseModelOutput(last_hidden_state=states_BND)

    def see(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """uint8 pixels (B, 3, H, W) -> the picture's tokens (B, P, D): Florence-2's `get_image_features`."""
        return self.multi_modal_projector(self.look(pixels_BCHW))

    def look(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """uint8 pixels (B, 3, H, W) -> what the vision tower sees, (B, width of the tower, h, w)."""
        dtype = self.multi_modal_projector.image_projection.weight.dtype
        features_BChw: torch.Tensor = self.vision_tower(self.normalise(pixels_BCHW).to(dtype)).last_hidden_state
        return features_BChw

    def normalise(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """uint8 to float32, mean 0 and deviation 1 over natural pictures. Here, since bytes are a quarter to move."""
        if pixels_BCHW.dtype != torch.uint8:
            raise ValueError(f"pixel_values are {pixels_BCHW.dtype}, uint8 wanted: the model normalises them itself")
        mean_C11 = torch.tensor(self.image_mean, device=pixels_BCHW.device)[:, None, None]
        std_C11 = torch.tensor(self.image_std, device=pixels_BCHW.device)[:, None, None]
        return (pixels_BCHW.float() / MAX_PIXEL - mean_C11) / std_C11

    def mask_of_states(self, states_BND: torch.Tensor, attention_mask_BS: torch.Tensor | None) -> torch.Tensor | None:
        """Which states the decoder may attend to, (B, N); None: all, as with latents."""
        return None if self.latents is not None else self._mask(states_BND, attention_mask_BS)

    @staticmethod
    def _mask(states_BND: torch.Tensor, attention_mask_BS: torch.Tensor | None) -> torch.Tensor | None:
        if attention_mask_BS is None:
            return None
        num_picture_tokens = states_BND.shape[1] - attention_mask_BS.shape[1]
        return functional.pad(attention_mask_BS, (num_picture_tokens, 0), value=1)
