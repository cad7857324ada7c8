"""The state of a training as named tensors, each once and whole, whatever the ranks hold of it.

Names are those of the model's parameters. So a checkpoint can be read with nothing but safetensors, and neither DDP,
FSDP2 nor the order of the optimizer's groups shows in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from florenz.train.distributed import Place, as_piece_like, whole


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


def load_optimizer_state(optimizer: torch.optim.Optimizer, model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """The opposite of `optimizer_state_of`; each rank takes its piece."""
    parameters = dict(trained_parameters(model))
    for label, value in state.items():
        name, _, key = label.rpartition(":")
        parameter = parameters[name]
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


def gather(tensors: Mapping[str, torch.Tensor], place: Place) -> dict[str, torch.Tensor]:
    """Whole, on the CPU, in rank 0; the others help one tensor at a time and keep nothing. What is held in bfloat16
    comes as float32, the form of all checkpoints."""
    gathered = {}
    for name, tensor in tensors.items():
        complete = whole(tensor.detach())
        if place.is_first:
            dtype = torch.float32 if complete.dtype == torch.bfloat16 else complete.dtype
            gathered[name] = complete.cpu().to(dtype).contiguous()
    return gathered
