"""Florenz: Florence-2's encoder and one of two decoders, as one transformers model.

The decoder is Florence-2's own BART with another vocabulary, or Gemma-2 with gated cross-attention; which one, its
configuration says. Encoder and decoder have vocabularies of their own. Because it is a `PreTrainedModel` with
`GenerationMixin`, greedy, beam and sampled generation, caches, saving and loading are transformers' own.

Shapes: B examples, S prompt tokens, T text tokens, N encoder states, V decoder vocabulary, D width.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, GenerationMixin, PreTrainedConfig, initialization
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput
from transformers.models.florence2.configuration_florence2 import Florence2Config
from transformers.models.florence2.modeling_florence2 import Florence2PreTrainedModel

from florenz.train.model.bart import FlorenceDecoder
from florenz.train.model.encoder import Encoder
from florenz.train.model.fused import fused_cross_entropy
from florenz.train.model.gemma import GemmaDecoder
from florenz.train.model.latents import LatentQueries
from florenz.train.model.loss import LARGE_VOCABULARY, chunked_cross_entropy

IGNORED = -100  # the label of padding, and of what is given instead of predicted


class FlorenzConfig(PreTrainedConfig):
    """florence_config: all of Florence-2, of which the encoder is used. decoder_config: BART or Gemma-2.

    num_latents: learned queries between the two, 0 for none. image_mean, image_std: per colour, of pixels in 0..1.
    """

    model_type = "florenz"
    sub_configs = {"florence_config": Florence2Config, "decoder_config": AutoConfig}

    florence_config: Any = None  # a configuration, or its dict as it stands in config.json
    decoder_config: Any = None
    num_latents: int = 0
    image_mean: list[float] | tuple[float, ...] = (0.485, 0.456, 0.406)
    image_std: list[float] | tuple[float, ...] = (0.229, 0.224, 0.225)
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    decoder_start_token_id: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if isinstance(self.florence_config, dict):
            self.florence_config = Florence2Config(**self.florence_config)
        elif self.florence_config is None:
            self.florence_config = Florence2Config()
        if self.decoder_config is None:
            self.decoder_config = self.florence_config.text_config
        elif isinstance(self.decoder_config, dict):
            self.decoder_config = AutoConfig.for_model(**self.decoder_config)
        super().__post_init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        """Of the decoder; what transformers' generation asks for."""
        return int(self.decoder_config.vocab_size)

    @property
    def num_hidden_layers(self) -> int:
        """Of the decoder: how many layers a cache has."""
        config = self.decoder_config
        return int(config.decoder_layers if config.model_type == "bart" else config.num_hidden_layers)

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> PreTrainedConfig:
        """Itself. Gemma-2's own configuration would make `generate` build caches with sliding windows, and the
        window would then cut the encoder's states as well; masks alone hold it here.
        """
        return self


class FlorenzPreTrainedModel(Florence2PreTrainedModel):
    config: FlorenzConfig
    config_class = FlorenzConfig
    input_modalities = ("image", "text")
    _no_split_modules = ["BartEncoderLayer", "BartDecoderLayer", "GemmaLayer", "Florence2VisionBlock"]
    _supports_flex_attn = False
    _can_compile_fullgraph = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, LatentQueries):
            initialization.normal_(module.queries, mean=0.0, std=1.0)  # as the layer norm after it would leave them


class Florenz(FlorenzPreTrainedModel, GenerationMixin):
    """Picture and prompt in, text in the target language out."""

    has_fused_loss = False  # by a kernel (`fused.py`); a training says so
    _tied_weights_keys = {"lm_head.weight": "decoder.embed_tokens.weight"}

    def __init__(self, config: FlorenzConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(
            config.florence_config,
            num_latents=config.num_latents,
            image_mean=list(config.image_mean),
            image_std=list(config.image_std),
        )
        encoder_width = config.florence_config.text_config.d_model
        kind = config.decoder_config.model_type
        if kind == "bart":
            if config.decoder_config.d_model != encoder_width:
                raise ValueError(
                    f"Florence-2's decoder is {config.decoder_config.d_model} wide and its encoder {encoder_width}: "
                    "they must be equal"
                )
            self.decoder = FlorenceDecoder(config.decoder_config)
        elif kind == "gemma2":
            self.decoder = GemmaDecoder(config.decoder_config, encoder_width=encoder_width)
        else:
            raise ValueError(f"a decoder of type '{kind}' is not known: it is bart (Florence-2's own) or gemma2")
        self.lm_head = nn.Linear(config.decoder_config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        return self.encoder

    def get_decoder(self) -> nn.Module:
        return self.decoder

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.text_encoder.embed_tokens

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        picture_features: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        encoder_outputs: BaseModelOutput | None = None,
        past_key_values: EncoderDecoderCache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **_: Any,  # what `generate` hands on: output_attentions, return_dict ...
    ) -> Seq2SeqLMOutput:
        """Logits (B, T, V) for `decoder_input_ids` (B, T), and the mean cross-entropy over `labels` (B, T) that are
        not IGNORED. In training mode with a large vocabulary there is the loss alone, without logits (`loss.py`).

        input_ids, attention_mask: (B, S), padded on the right. pixel_values: uint8 (B, 3, H, W); None: only text.
        picture_features: what `Encoder.look` has made of the pixels, instead of them.
        decoder_attention_mask: (B, past + T), needed only where texts are padded on the left. encoder_outputs: as the
        encoder gave them, instead of pixel_values and input_ids. logits_to_keep: only the last ones, 0 for all.
        """
        if encoder_outputs is None:
            encoder_outputs = self.encoder(
                input_ids,
                attention_mask=attention_mask,
                pixel_values=pixel_values,
                picture_features=picture_features,
            )
        states_BND = encoder_outputs[0]
        if use_cache and past_key_values is None:
            past_key_values = EncoderDecoderCache(DynamicCache(), DynamicCache())
        hidden_BTD = self.decoder(
            decoder_input_ids,
            position_ids=_positions(decoder_input_ids, decoder_attention_mask, past_key_values),
            attention_mask=decoder_attention_mask,
            encoder_hidden_states=states_BND,
            encoder_attention_mask=self.encoder.mask_of_states(states_BND, attention_mask),
            past_key_values=past_key_values,
        )
        if labels is not None and self.training and self.config.vocab_size >= LARGE_VOCABULARY:
            is_target_BT = labels != IGNORED
            loss = self._loss(hidden_BTD[is_target_BT], labels[is_target_BT])
            return Seq2SeqLMOutput(loss=loss, encoder_last_hidden_state=states_BND)
        logits_BTV = self._logits(hidden_BTD[:, -logits_to_keep:])
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits_BTV.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        return Seq2SeqLMOutput(
            loss=loss, logits=logits_BTV, past_key_values=past_key_values, encoder_last_hidden_state=states_BND
        )

    def _loss(self, hidden_MD: torch.Tensor, labels_M: torch.Tensor) -> torch.Tensor:
        if self.has_fused_loss and self._cap is None and len(labels_M):
            return fused_cross_entropy(hidden_MD, self.lm_head.weight, labels_M)
        return chunked_cross_entropy(hidden_MD, self.lm_head.weight, labels_M, cap=self._cap)

    def _logits(self, hidden_BTD: torch.Tensor) -> torch.Tensor:
        logits_BTV = self.lm_head(hidden_BTD)
        return logits_BTV if self._cap is None else torch.tanh(logits_BTV / self._cap) * self._cap

    @property
    def _cap(self) -> float | None:
        cap: float | None = getattr(self.config.decoder_config, "final_logit_softcapping", None)
        return cap


def _positions(
    input_ids_BT: torch.Tensor, mask: torch.Tensor | None, past_key_values: EncoderDecoderCache | None
) -> torch.Tensor:
    """(B or 1, T): the place of each token in its own text; padding on the left does not count."""
    num_new = input_ids_BT.shape[1]
    if mask is None:
        past = 0 if past_key_values is None else past_key_values.get_seq_length()
        return torch.arange(past, past + num_new, device=input_ids_BT.device)[None]
    return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -num_new:]
