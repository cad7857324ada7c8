"""Gemma-2 as a decoder: transformers' own layers, each with gated cross-attention between self-attention and FFN.

    h = h + tanh(gate) * RMSNorm(CrossAttention(h, encoder states))

as in the paper's code: keys and values are projected from the encoder's width, heads and scale are Gemma's own, no
rotary positions, the norm comes after the attention and starts as a copy of the layer's post-attention norm. The gate
starts at zero, so the first step is Gemma-2's, exactly.

Shapes: B examples, T new tokens, N encoder states, D width, H heads, K key-value heads, d width of a head.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import initialization
from transformers.cache_utils import EncoderDecoderCache
from transformers.masking_utils import (
    create_bidirectional_mask,
    create_causal_mask,
    create_sliding_window_causal_mask,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.gemma2.configuration_gemma2 import Gemma2Config
from transformers.models.gemma2.modeling_gemma2 import (
    Gemma2DecoderLayer,
    Gemma2PreTrainedModel,
    Gemma2RMSNorm,
    Gemma2RotaryEmbedding,
    Gemma2TextScaledWordEmbedding,
    eager_attention_forward,
)


class CrossAttention(nn.Module):
    """Gemma's grouped-query attention with keys and values from the encoder; computed once per text with a cache."""

    is_causal = False  # the attention functions read these three off the module

    def __init__(self, config: Gemma2Config, layer_idx: int, *, encoder_width: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        width, kv_width = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, width, bias=config.attention_bias)
        self.k_proj = nn.Linear(encoder_width, kv_width, bias=config.attention_bias)
        self.v_proj = nn.Linear(encoder_width, kv_width, bias=config.attention_bias)
        self.o_proj = nn.Linear(width, config.hidden_size, bias=config.attention_bias)

    def forward(
        self,
        hidden_BTD: torch.Tensor,
        states_BND: torch.Tensor,
        mask: torch.Tensor | None,
        cache: EncoderDecoderCache | None,
    ) -> torch.Tensor:
        query_BHTd = self._split(self.q_proj(hidden_BTD))
        key_BKNd, value_BKNd = self._keys_and_values(states_BND, cache)
        attend: Callable[..., tuple[torch.Tensor, Any]] = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        attended_BTHd, _ = attend(
            self,
            query_BHTd,
            key_BKNd,
            value_BKNd,
            mask,
            dropout=self.config.attention_dropout if self.training else 0.0,
            scaling=self.config.query_pre_attn_scalar**-0.5,
            softcap=self.config.attn_logit_softcapping,
        )
        return self.o_proj(attended_BTHd.flatten(2))

    def _keys_and_values(
        self, states_BND: torch.Tensor, cache: EncoderDecoderCache | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if cache is not None and cache.is_updated.get(self.layer_idx):
            layer = cache.cross_attention_cache.layers[self.layer_idx]
            return layer.keys, layer.values
        key_BKNd, value_BKNd = self._split(self.k_proj(states_BND)), self._split(self.v_proj(states_BND))
        if cache is not None:
            key_BKNd, value_BKNd = cache.cross_attention_cache.update(key_BKNd, value_BKNd, self.layer_idx)
            cache.is_updated[self.layer_idx] = True
        return key_BKNd, value_BKNd

    def _split(self, x_BTD: torch.Tensor) -> torch.Tensor:
        return x_BTD.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)


class GemmaLayer(Gemma2DecoderLayer):
    """A Gemma-2 layer with cross-attention; names and order of Gemma's own weights are unchanged."""

    def __init__(self, config: Gemma2Config, layer_idx: int, *, encoder_width: int) -> None:
        super().__init__(config, layer_idx)
        self.cross_attn = CrossAttention(config, layer_idx, encoder_width=encoder_width)
        self.cross_attn_norm = Gemma2RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(  # type: ignore[override]
        self,
        hidden_BTD: torch.Tensor,
        states_BND: torch.Tensor,  # these two by position: re-entrant checkpointing sees no gradients of keywords
        *,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None,
        encoder_attention_mask: torch.Tensor | None,
        past_key_values: EncoderDecoderCache | None,
    ) -> torch.Tensor:
        attended_BTD, _ = self.self_attn(
            hidden_states=self.input_layernorm(hidden_BTD),
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            past_key_values=None if past_key_values is None else past_key_values.self_attention_cache,
        )
        hidden_BTD = hidden_BTD + self.post_attention_layernorm(attended_BTD)

        seen_BTD = self.cross_attn(hidden_BTD, states_BND, encoder_attention_mask, past_key_values)
        hidden_BTD = hidden_BTD + self.gate.tanh() * self.cross_attn_norm(seen_BTD)

        mixed_BTD = self.mlp(self.pre_feedforward_layernorm(hidden_BTD))
        return hidden_BTD + self.post_feedforward_layernorm(mixed_BTD)


class GemmaDecoder(Gemma2PreTrainedModel):
    """Gemma-2 without its head, with cross-attention to encoder states of another width."""

    _no_split_modules = ["GemmaLayer"]

    def __init__(self, config: Gemma2Config, *, encoder_width: int) -> None:
        super().__init__(config)
        if config.attn_logit_softcapping is not None and config._attn_implementation == "sdpa":
            config._attn_implementation = "eager"  # the fused one leaves out the soft cap, without a word
        self.embed_tokens = Gemma2TextScaledWordEmbedding(
            config.vocab_size, config.hidden_size, config.pad_token_id, embed_scale=config.hidden_size**0.5
        )
        self.layers = nn.ModuleList(
            GemmaLayer(config, index, encoder_width=encoder_width) for index in range(config.num_hidden_layers)
        )
        self.norm = Gemma2RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = Gemma2RotaryEmbedding(config)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, GemmaLayer):
            initialization.zeros_(module.gate)

    def start_cross_norms(self) -> None:
        """Give each cross-attention the norm of its layer's self-attention to start from."""
        for layer in self.layers:
            assert isinstance(layer, GemmaLayer)
            layer.cross_attn_norm.load_state_dict(layer.post_attention_layernorm.state_dict())

    def forward(
        self,
        input_ids: torch.Tensor,
        *,
        position_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        encoder_hidden_states: torch.Tensor,
        encoder_attention_mask: torch.Tensor | None,
        past_key_values: EncoderDecoderCache | None,
    ) -> torch.Tensor:
        """input_ids (B, T) at position_ids (B or 1, T), attention_mask (B, past + T) -> hidden states (B, T, D)."""
        hidden_BTD = self.embed_tokens(input_ids)
        self_masks = self._self_masks(hidden_BTD, attention_mask, past_key_values)
        cross_mask = create_bidirectional_mask(
            config=self.config,
            inputs_embeds=hidden_BTD,
            attention_mask=encoder_attention_mask,
            encoder_hidden_states=encoder_hidden_states,
        )
        position_embeddings = self.rotary_emb(hidden_BTD, position_ids)
        for index, layer in enumerate(self.layers):
            hidden_BTD = layer(
                hidden_BTD,
                encoder_hidden_states,
                position_embeddings=position_embeddings,
                attention_mask=self_masks[self.config.layer_types[index]],
                encoder_attention_mask=cross_mask,
                past_key_values=past_key_values,
            )
        return self.norm(hidden_BTD)

    def _self_masks(
        self, hidden_BTD: torch.Tensor, attention_mask: torch.Tensor | None, cache: EncoderDecoderCache | None
    ) -> dict[str, torch.Tensor | None]:
        arguments = {
            "config": self.config,
            "inputs_embeds": hidden_BTD,
            "attention_mask": attention_mask,
            "past_key_values": None if cache is None else cache.self_attention_cache,
        }
        return {
            "full_attention": create_causal_mask(**arguments),
            "sliding_attention": create_sliding_window_causal_mask(**arguments),
        }
