"""Cross-entropy over a large vocabulary without the logits: at target positions alone, a part of them at a time.

With 256,000 words the logits of 4,096 tokens are 4 GiB in float32, and the loss keeps them twice more. Here a sixteenth
of the tokens is projected at a time, and again for the backward pass (torch's checkpointing), which costs one more
projection: a third more arithmetic of the head. Same sums, up to their order.

Shapes: M target tokens, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

NUM_CHUNKS = 16
LEAST_TOKENS = 64  # in a chunk: below, starting operations costs more than memory is worth
LARGE_VOCABULARY = 32_000  # from here on a model in training mode goes without logits


def chunked_cross_entropy(
    hidden_MD: torch.Tensor, weight_VD: torch.Tensor, labels_M: torch.Tensor, *, cap: float | None
) -> torch.Tensor:
    """The mean over M tokens, in float32, of what `lm_head` with this weight would give; 0 of nothing.

    cap: of the logits, softly; None for none.
    """
    num_tokens = max(len(labels_M), 1)
    rows = max(-(-num_tokens // NUM_CHUNKS), LEAST_TOKENS)
    total = hidden_MD.sum(dtype=torch.float32) * 0.0  # its gradient is there even where no token counts
    for start in range(0, len(labels_M), rows):
        part = slice(start, start + rows)
        total = total + checkpoint(
            _summed, hidden_MD[part], weight_VD, labels_M[part], cap, use_reentrant=False, preserve_rng_state=False
        )
    return total / num_tokens


def _summed(
    hidden_MD: torch.Tensor, weight_VD: torch.Tensor, labels_M: torch.Tensor, cap: float | None
) -> torch.Tensor:
    logits_MV = functional.linear(hidden_MD, weight_VD)
    if cap is not None:
        logits_MV = torch.tanh(logits_MV / cap) * cap
    return functional.cross_entropy(logits_MV.float(), labels_M, reduction="sum")
