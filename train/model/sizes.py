"""The architecture of each size, written down here so that it can be counted and timed without a download.

`train/model/loading.py` takes them from the weights that it loads; `family.py` says what each size is made of.
"""

from typing import Literal

import torch
from transformers import BartConfig, Florence2Config, Gemma2Config
from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig

from florenz.train.model.family import size_named
from florenz.train.model.florenz import Florenz, FlorenzConfig

_GEMMA_VOCABULARY = 256_000
_PLAYGROUND_VOCABULARY = 1_601  # the translator's, which has no token for English, and that
_FLORENCE_VOCABULARY = 51_289
TINY_WIDTH, TINY_LAYERS = 128, 4


def config_of(name: str) -> FlorenzConfig:
    """The whole architecture of a size; nothing is downloaded."""
    size = size_named(name)
    if name.startswith("playground"):
        florence = Florence2Config.from_pretrained(size.florence)
        vocab_size, special = _PLAYGROUND_VOCABULARY, {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    else:
        florence = florence2_config("base" if name == "0.4b" else "large")
        vocab_size, special = _GEMMA_VOCABULARY, {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    if size.decoder == "florence":
        decoder = bart_with_vocabulary(florence.text_config, vocab_size, special)
    elif size.gemma is None:
        decoder = tiny_gemma2_config(vocab_size, special)
    else:
        decoder = gemma2_config("9b" if name == "11.2b" else "2b")
    return florenz_config(florence, decoder, num_latents=size.num_latents, special=special)


def florenz_config(
    florence: Florence2Config, decoder: BartConfig | Gemma2Config, *, num_latents: int, special: dict[str, int]
) -> FlorenzConfig:
    """special: bos_, eos_ and pad_token_id of the decoder's vocabulary; texts start with the first."""
    return FlorenzConfig(
        florence_config=florence,
        decoder_config=decoder,
        num_latents=num_latents,
        decoder_start_token_id=special["bos_token_id"],
        **special,
    )


def num_parameters(name: str) -> int:
    """Of a size, each tensor once. Takes no memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Florenz(config_of(name)).parameters())


def bart_with_vocabulary(text: BartConfig, vocab_size: int, special: dict[str, int]) -> BartConfig:
    """Florence-2's decoder as `text` has it, but with another vocabulary."""
    return BartConfig(
        **{
            **text.to_dict(),
            "vocab_size": vocab_size,
            **special,
            "decoder_start_token_id": special["bos_token_id"],
            "forced_eos_token_id": None,
        }
    )


def florence2_config(kind: Literal["base", "large"]) -> Florence2Config:
    """microsoft/Florence-2-base and -large."""
    scale, width, layers = (1, 768, 6) if kind == "base" else (2, 1024, 12)
    heads = width // 64
    text = BartConfig(
        vocab_size=_FLORENCE_VOCABULARY, d_model=width, encoder_layers=layers, decoder_layers=layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width, max_position_embeddings=1024 if kind == "base" else 4096,
    )  # fmt: skip
    vision = Florence2VisionConfig(
        depths=(1, 1, 9, 1), embed_dim=tuple(scale * dim for dim in (128, 256, 512, 1024)),
        num_heads=tuple(scale * num for num in (4, 8, 16, 32)),
        num_groups=tuple(scale * num for num in (4, 8, 16, 32)), projection_dim=width,
    )  # fmt: skip
    return Florence2Config(text_config=text.to_dict(), vision_config=vision.to_dict())


def gemma2_config(kind: Literal["2b", "9b"]) -> Gemma2Config:
    """google/gemma-2-2b and -9b. Both scale attention by a head's 256."""
    if kind == "2b":
        return Gemma2Config()
    return Gemma2Config(
        hidden_size=3584, intermediate_size=14336, num_hidden_layers=42, num_attention_heads=16, num_key_value_heads=8
    )


def tiny_gemma2_config(
    vocab_size: int, special: dict[str, int], *, width: int = TINY_WIDTH, layers: int = TINY_LAYERS
) -> Gemma2Config:
    """A Gemma-2 small enough to train on one core, 1.3 million parameters by default. width: a multiple of 64."""
    assert width >= 64 and width % 64 == 0, width
    heads = width // 32
    return Gemma2Config(
        vocab_size=vocab_size, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads // 2, head_dim=32, query_pre_attn_scalar=32,
        max_position_embeddings=512, sliding_window=512, **special,
    )  # fmt: skip
