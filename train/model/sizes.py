"""The members of the family by name: what each is made of, and what the paper trained in it.

| size             | encoder                     | decoder                              | parameters |
|------------------|-----------------------------|--------------------------------------|-----------:|
| playground       | the playground's Florence-2 | its own, the translator's vocabulary |      4.0 M |
| playground-gemma | the playground's Florence-2 | a random Gemma-2 of four layers      |      4.4 M |
| 0.4b             | Florence-2-base             | its own, Gemma's vocabulary          |     0.43 B |
| 1.0b             | Florence-2-large            | its own, Gemma's vocabulary          |     1.04 B |
| 3.5b             | Florence-2-large            | Gemma-2 2B with cross-attention      |     3.49 B |
| 11.2b            | Florence-2-large            | Gemma-2 9B with cross-attention      |    11.22 B |

Every tensor counts once: the decoder's input and output embeddings are one tied table, the encoder keeps a vocabulary
of its own, and frozen parameters count as well.

The big architectures are written down here, so that they can be counted and timed without a download;
`train/loading.py` takes them from the weights that it loads.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import BartConfig, Florence2Config, Gemma2Config
from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig

from florenz.train.data.prompts import PrefixKind
from florenz.train.model.florenz import Florenz, FlorenzConfig

_PLAYGROUND = Path(__file__).parents[2] / "playground" / "models"
_GEMMA_VOCABULARY = 256_000
_PLAYGROUND_VOCABULARY = 1_601  # the translator's, which has no token for English, and that
_FLORENCE_VOCABULARY = 51_289
TINY_WIDTH, TINY_LAYERS = 128, 4


@dataclass(frozen=True, kw_only=True)
class Size:
    """florence, gemma, tokenizer: hub names or folders of the encoder, of Gemma-2's weights (None: random ones) and of
    the decoder's vocabulary. image_px: of training. num_latents: 0 as in the paper. max_*_tokens: of prompts and texts.
    trained_parts: names from `train/parts.py`.
    """

    decoder: Literal["florence", "gemma"]
    florence: str
    gemma: str | None = None
    tokenizer: str
    image_px: int
    prefix: PrefixKind
    num_latents: int = 0
    max_prompt_tokens: int = 128
    max_text_tokens: int = 128
    trained_parts: tuple[str, ...]


# As the paper's released code has it: the vision tower is frozen up to its projection, and of Gemma-2 only what is new
# trains, and the embeddings.
_WITH_FLORENCE = ("text_encoder", "encoder_embeddings", "latents", "decoder", "cross_attention", "decoder_embeddings")
_WITH_GEMMA = ("text_encoder", "encoder_embeddings", "latents", "cross_attention", "gates", "decoder_embeddings")

_PAPER_FLORENCE = Size(
    decoder="florence", florence="florence-community/Florence-2-base", tokenizer="google/gemma-2-2b", image_px=224,
    prefix="words", trained_parts=_WITH_FLORENCE,
)  # fmt: skip
_PAPER_GEMMA = Size(
    decoder="gemma", florence="florence-community/Florence-2-large", gemma="google/gemma-2-2b",
    tokenizer="google/gemma-2-2b", image_px=224, prefix="words", trained_parts=_WITH_GEMMA,
)  # fmt: skip
_PLAYGROUND_FLORENCE = Size(
    decoder="florence", florence=str(_PLAYGROUND / "captioner"), tokenizer=str(_PLAYGROUND / "translator"),
    image_px=96, prefix="token", num_latents=16, max_prompt_tokens=112, max_text_tokens=96,
    trained_parts=_WITH_FLORENCE,
)  # fmt: skip

SIZES: dict[str, Size] = {
    "playground": _PLAYGROUND_FLORENCE,
    "playground-gemma": dataclasses.replace(
        _PLAYGROUND_FLORENCE, decoder="gemma", trained_parts=(*_WITH_GEMMA, "decoder")
    ),
    "0.4b": _PAPER_FLORENCE,
    "1.0b": dataclasses.replace(_PAPER_FLORENCE, florence="florence-community/Florence-2-large"),
    "3.5b": _PAPER_GEMMA,
    "11.2b": dataclasses.replace(_PAPER_GEMMA, gemma="google/gemma-2-9b", tokenizer="google/gemma-2-9b"),
}


def size_named(name: str) -> Size:
    """`ValueError` for a name that is none."""
    if name not in SIZES:
        raise ValueError(f"no size is called '{name}': sizes are {', '.join(SIZES)}")
    return SIZES[name]


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
