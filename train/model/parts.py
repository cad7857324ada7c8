"""The parts of Florenz by name: what a stage of training trains, and what it leaves frozen.

vision                Florence-2's vision tower
projector             from patches to the encoder's width, with their positions
text_encoder          layers, positions and norms of the text encoder
encoder_embeddings    the encoder's vocabulary
latents               learned queries between encoder and decoder, where there are any
decoder               everything of the decoder that is not named below
cross_attention       of the decoder, with its own norms
gates                 of the cross-attention (Gemma-2 only)
decoder_embeddings    the decoder's vocabulary, input and output: one tied table
"""

from collections.abc import Collection, Iterable

import torch
from torch import nn

_PREFIXES = {
    "encoder.vision_tower.": "vision",
    "encoder.multi_modal_projector.": "projector",
    "encoder.text_encoder.embed_tokens.": "encoder_embeddings",
    "encoder.text_encoder.": "text_encoder",
    "encoder.latents.": "latents",
    "decoder.embed_tokens.": "decoder_embeddings",
    "lm_head.": "decoder_embeddings",
}
_CROSS_ATTENTION = ("encoder_attn", "cross_attn")  # in BART's layers, in Gemma's

PARTS = (
    "vision", "projector", "text_encoder", "encoder_embeddings", "latents", "decoder", "cross_attention", "gates",
    "decoder_embeddings",
)  # fmt: skip


def parts_of(model: nn.Module) -> dict[str, list[tuple[str, nn.Parameter]]]:
    """Every parameter of a `Florenz`, by name, in exactly one part; a part that the model lacks is empty."""
    parts: dict[str, list[tuple[str, nn.Parameter]]] = {part: [] for part in PARTS}
    for name, parameter in model.named_parameters():
        parts[_part_of(name)].append((name, parameter))
    return parts


def train_only(model: nn.Module, parts: Collection[str]) -> None:
    """Gradients for exactly these parts. `ValueError` for an unknown name, or if nothing would be left to train."""
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"no part is called '{unknown[0]}': parts are {', '.join(PARTS)}")
    found = parts_of(model)
    if not any(found[part] for part in parts):
        raise ValueError(f"this model has nothing to train in [{', '.join(parts)}]: name a part that it has")
    for part, parameters in found.items():
        for _, parameter in parameters:
            parameter.requires_grad_(part in parts)


def never_trained(of_stages: Iterable[Collection[str]]) -> tuple[str, ...]:
    """The parts that are frozen in all stages. of_stages: the parts that each of them trains."""
    trained = {part for parts in of_stages for part in parts}
    return tuple(part for part in PARTS if part not in trained)


def hold_in_bfloat16(model: nn.Module, parts: Collection[str]) -> None:
    """Round the matrices of these parts, all of them frozen."""
    for parameter in matrices_of(model, parts):
        assert not parameter.requires_grad
        parameter.data = parameter.data.to(torch.bfloat16)


def matrices_of(model: nn.Module, parts: Collection[str]) -> list[nn.Parameter]:
    """Kernels and tables too. Norms and biases are a thousandth of a model, and their arithmetic is float32."""
    found = parts_of(model)
    return [parameter for part in parts for _, parameter in found[part] if parameter.ndim >= 2]


def set_modes(model: nn.Module) -> None:
    """Training mode for modules that train something, and for nothing else: no dropout or dropped path in what is
    frozen, which would then answer the same picture in another way each time."""
    model.eval()
    for module in model.modules():
        if any(parameter.requires_grad for parameter in module.parameters()):
            module.training = True
    for module in model.modules():  # a dropout has no parameters: it goes with what it stands in
        for child in module.children():
            if module.training and not any(True for _ in child.parameters()):
                child.train()


def _part_of(name: str) -> str:
    # torch.compile and checkpoint wrappers put their own steps into the path of a parameter.
    name = name.replace("_orig_mod.", "").replace("_checkpoint_wrapped_module.", "").removeprefix("module.")
    for prefix, part in _PREFIXES.items():
        if name.startswith(prefix):
            return part
    assert name.startswith("decoder."), f"parameter {name} belongs to no part"
    if name.endswith(".gate"):
        return "gates"
    return "cross_attention" if any(step in name for step in _CROSS_ATTENTION) else "decoder"
