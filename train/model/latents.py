"""Learned queries between encoder and decoder: whatever the encoder read, the decoder sees `num_latents` vectors.

In trial runs in a tiny world, captions in a language that was only ever translated got better with training when the
decoder attended to latents, and not when it attended to patches and words directly: what it attends to must look the
same whether it came from a picture or from a sentence. The price is a bottleneck, and one more thing to learn from
nothing. The paper's models have none.

Shapes: B examples, L latents, N encoder states, D width of the encoder, H heads.
"""

import torch
from torch import nn
from torch.nn import functional

FFN_FACTOR = 4


class LatentQueries(nn.Module):
    """One layer: latents attend to the encoder's states, then a feed-forward block; residual, normalised before."""

    def __init__(self, *, num_latents: int, width: int, num_heads: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"a width of {width} can't be split over {num_heads} heads")
        self.num_heads = num_heads
        self.queries = nn.Parameter(torch.empty(num_latents, width))
        self.query_norm = nn.LayerNorm(width)
        self.state_norm = nn.LayerNorm(width)
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.ffn_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, FFN_FACTOR * width)
        self.fc2 = nn.Linear(FFN_FACTOR * width, width)
        self.final_norm = nn.LayerNorm(width)

    def forward(self, states_BND: torch.Tensor, mask_BN: torch.Tensor | None) -> torch.Tensor:
        """(B, L, D). mask_BN: true where there is a state to attend to; None: everywhere."""
        latents_BLD = self.queries.expand(len(states_BND), -1, -1)
        states_BND = self.state_norm(states_BND)
        attended_BHLd = functional.scaled_dot_product_attention(
            self._split(self.q_proj(self.query_norm(latents_BLD))),
            self._split(self.k_proj(states_BND)),
            self._split(self.v_proj(states_BND)),
            attn_mask=None if mask_BN is None else mask_BN[:, None, None, :].bool(),
        )
        latents_BLD = latents_BLD + self.out_proj(attended_BHLd.transpose(1, 2).flatten(2))
        latents_BLD = latents_BLD + self.fc2(functional.gelu(self.fc1(self.ffn_norm(latents_BLD))))
        return self.final_norm(latents_BLD)

    def _split(self, x_BTD: torch.Tensor) -> torch.Tensor:
        return x_BTD.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
