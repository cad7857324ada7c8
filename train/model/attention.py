"""How the decoder attends, chosen after it is built.

Gemma-2 caps its attention scores softly (tanh), which torch's fused attention leaves out without a word.

`blocks` is attention with the cap and without the memory: a block of queries at a time, computed again for the backward
pass, so that no scores are kept. At 768 px a text of 128 tokens attends to some 700 states in each head of each layer.

Shapes: B examples, H heads, K key-value heads, T queries, N keys, d width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from florenz.train.model.florenz import Florenz

BLOCKS = "blocks"
QUERIES_AT_ONCE = 32
LONG_PX = 384  # above it, scores of all queries at once take more memory than computing them twice is worth


def attend_as(model: Florenz, attention: str, image_px: int) -> None:
    """attention: a name of `settings.ATTENTIONS`. auto: as it was built, and blocks for long inputs of Gemma-2."""
    has_cap = getattr(model.config.decoder_config, "attn_logit_softcapping", None) is not None
    if attention == "auto":
        if not has_cap or image_px <= LONG_PX:
            return
        attention = BLOCKS
    model.decoder.config._attn_implementation = attention


def attend_in_blocks(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """query (B, H, T, d), key and value (B, K, N, d), attention_mask (B, 1, T, N), added -> (B, T, H, d).

    The arguments are those of every attention function of transformers.
    """
    groups = query.shape[1] // key.shape[1]
    key_BHNd, value_BHNd = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    share = dropout if module.training else 0.0

    def attend(query_BHQd: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        scores_BHQN = query_BHQd @ key_BHNd.transpose(2, 3) * scale
        if softcap is not None:
            scores_BHQN = torch.tanh(scores_BHQN / softcap) * softcap
        if mask is not None:
            scores_BHQN = scores_BHQN + mask
        shares_BHQN = scores_BHQN.softmax(-1, dtype=torch.float32).to(query_BHQd.dtype)
        return nn.functional.dropout(shares_BHQN, share, training=share > 0) @ value_BHNd

    blocks = []
    for start in range(0, query.shape[2], QUERIES_AT_ONCE):
        rows = slice(start, start + QUERIES_AT_ONCE)
        mask = attention_mask if attention_mask is None or attention_mask.shape[2] == 1 else attention_mask[:, :, rows]
        blocks.append(checkpoint(attend, query[:, :, rows], mask, use_reentrant=False))
    return torch.cat(blocks, dim=2).transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register(BLOCKS, attend_in_blocks)
ALL_MASK_ATTENTION_FUNCTIONS.register(BLOCKS, eager_mask)
