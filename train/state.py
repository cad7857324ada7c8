"""The state of a training as named tensors, each once and whole, whatever the ranks hold of it.

Names are those of the model's parameters. So a checkpoint can be read with nothing but safetensors, and neither DDP,
FSDP2 nor the order of the optimizer's groups shows in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from florenz.train.distributed import as_piece_like, with_rows
from florenz.train.tensor_files import TensorFile


def trained_parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Name -> parameter or buffer, each once even where two names share it."""
    seen: set[int] = set()
    weights = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            weights[name] = tensor
            seen.add(id(tensor))
    return weights


def optimizer_state_of(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, torch.Tensor]:
    """`parameter:key` -> tensor, such as `lm_head.weight:exp_avg`."""
    return {
        f"{name}:{key}": value
        for name, parameter in trained_parameters(model)
        for key, value in optimizer.state[parameter].items()
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, model: nn.Module, state: Mapping[str, torch.Tensor] | TensorFile
) -> None:
    """The opposite of `optimizer_state_of`. state: whole tensors, or a file of which each rank reads its rows."""
    parameters = dict(trained_parameters(model))
    for label in state:
        name, _, key = label.rpartition(":")
        parameter = parameters[name]
        if isinstance(state, TensorFile):
            is_like = state.shape(label) == parameter.shape and parameter.ndim > 0
            piece = state.piece(label, parameter if is_like else torch.empty(()))
            optimizer.state[parameter][key] = with_rows(piece, parameter) if is_like else piece.to(parameter.device)
            continue
        value = state[label]
        is_piecewise = value.shape == parameter.shape and value.ndim > 0
        optimizer.state[parameter][key] = (
            as_piece_like(value, parameter) if is_piecewise else value.to(parameter.device)
        )


def load_weights(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """The opposite of `weights_of`, for a model that is not spread yet."""
    own = weights_of(model)
    assert own.keys() == weights.keys(), own.keys() ^ weights.keys()
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])
