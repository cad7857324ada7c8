"""The members of the family by name, and what the paper trained in each. Nothing here needs torch.

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
"""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from florenz.train.data.prompts import PrefixKind

_PLAYGROUND = Path(__file__).parents[2] / "playground" / "models"


@dataclass(frozen=True, kw_only=True)
class Size:
    """florence, gemma, tokenizer: hub names or folders of the encoder, of Gemma-2's weights (None: random ones) and of
    the decoder's vocabulary. image_px: of training. num_latents: 0 as in the paper. max_*_tokens: of prompts and texts.
    trained_parts: what a stage trains that names no parts, from `parts.PARTS`.
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

# All but the vision tower: a random decoder has nothing to keep.
_IN_PLAYGROUND = (
    "projector", "text_encoder", "encoder_embeddings", "latents", "decoder", "cross_attention", "gates",
    "decoder_embeddings",
)  # fmt: skip

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
    trained_parts=_IN_PLAYGROUND,
)  # fmt: skip

SIZES: dict[str, Size] = {
    "playground": _PLAYGROUND_FLORENCE,
    "playground-gemma": dataclasses.replace(_PLAYGROUND_FLORENCE, decoder="gemma"),
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


def warning_of_parts(name: str, stage: str, parts: Collection[str]) -> str:
    """A line if a stage trains what the paper leaves as it was published, of 11.2b 10.86 B instead of 2.53; else ""."""
    size = size_named(name)
    more = [part for part in parts if part not in size.trained_parts]
    if size.gemma is None or not more:
        return ""
    return (
        f"warning: stage {stage} trains {' and '.join(more)} too, which the paper leaves as published in {name}: leave "
        "parts out to train what it did"
    )
