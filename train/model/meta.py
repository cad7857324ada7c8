"""Models without memory for their weights, to be filled from a checkpoint: nothing is there twice.

Parameters are made on torch's meta device, buffers (rotary frequencies, positions) as usual, since no checkpoint holds
those that follow from the configuration. `fill` then puts the checkpoint's tensors in place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import nn
from transformers import PreTrainedModel


@contextlib.contextmanager
def without_weights() -> Iterator[None]:
    """Parameters of modules that are made in the block have no memory."""
    register = nn.Module.register_parameter

    def register_on_meta(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None and parameter.device.type != "meta":
            parameter = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
        register(module, name, parameter)

    nn.Module.register_parameter = register_on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def is_without_weights(model: nn.Module) -> bool:
    return any(parameter.device.type == "meta" for parameter in model.parameters())


def fill(model: PreTrainedModel, weights: Mapping[str, torch.Tensor]) -> None:
    """weights: name -> tensor, each once even where two names share it. They are copied: what lies in a file's memory
    map is aligned to nothing, and sums of the same numbers can then differ in their last bits.

    `ValueError` if one is missing, none of the model's, or of another shape.
    """
    own = model.state_dict()
    for name, tensor in weights.items():
        if name in own and own[name].shape != tensor.shape:
            shapes = f"{list(tensor.shape)} in the checkpoint and {list(own[name].shape)} in the model"
            raise ValueError(f"a checkpoint does not fit the model: {name} is {shapes}")
    missing, unexpected = model.load_state_dict(
        {name: tensor.clone() for name, tensor in weights.items()}, strict=False, assign=True
    )
    model.tie_weights()
    left = [name for name, parameter in model.named_parameters() if parameter.device.type == "meta"]
    if left or unexpected:
        raise ValueError(f"a checkpoint does not fit the model: {[*left, *unexpected][0]} is in one of them alone")
