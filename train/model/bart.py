"""Florence-2's own decoder, a BART, that takes prompts of different length in one batch.

transformers' `BartDecoder` numbers positions by column, so a row that is padded on the left, as `generate` needs it
for language prefixes of different length, would stand at the wrong ones. Layers and weights are its own; only
the forward pass is written anew, with positions as an input.

Shapes: B examples, T new tokens, N encoder states, D width.
"""

from typing import Any

import torch
from torch.nn import functional
from transformers.cache_utils import EncoderDecoderCache
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.models.bart.modeling_bart import BartDecoder


class FlorenceDecoder(BartDecoder):
    def forward(  # type: ignore[override]
        self,
        input_ids: torch.Tensor,
        *,
        position_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        encoder_hidden_states: torch.Tensor,
        encoder_attention_mask: torch.Tensor | None,
        past_key_values: EncoderDecoderCache | None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """input_ids (B, T) at position_ids (B or 1, T), attention_mask (B, past + T) -> hidden states (B, T, D).

        Raises:
            ValueError: the text is longer than the decoder has positions.
        """
        if (num_tokens := input_ids.shape[1] + self._past_length(past_key_values)) > self.max_target_positions:
            raise ValueError(f"the decoder has {self.max_target_positions} positions, {num_tokens} tokens are too many")
        hidden_BTD = self.embed_tokens(input_ids)
        self_mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_BTD,
            attention_mask=attention_mask,
            past_key_values=None if past_key_values is None else past_key_values.self_attention_cache,
        )
        cross_mask = create_bidirectional_mask(
            config=self.config,
            inputs_embeds=hidden_BTD,
            attention_mask=encoder_attention_mask,
            encoder_hidden_states=encoder_hidden_states,
        )
        # BartLearnedPositionalEmbedding keeps two unused rows in front, and its own forward takes one row of positions.
        hidden_BTD = hidden_BTD + functional.embedding(
            position_ids + self.embed_positions.offset, self.embed_positions.weight
        )
        hidden_BTD = self.layernorm_embedding(hidden_BTD)
        hidden_BTD = functional.dropout(hidden_BTD, p=self.dropout, training=self.training)
        for layer in self.layers:
            hidden_BTD = layer(
                hidden_BTD,
                self_mask,
                encoder_hidden_states,
                encoder_attention_mask=cross_mask,
                past_key_values=past_key_values,
            )
        return hidden_BTD

    @staticmethod
    def _past_length(past_key_values: EncoderDecoderCache | None) -> int:
        return 0 if past_key_values is None else past_key_values.get_seq_length()
