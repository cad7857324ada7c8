"""The loss over a large vocabulary by a kernel of Liger's (github.com/linkedin/Liger-Kernel), where it is installed.

`loss.py` does the same in plain torch, which every machine has; the two agree to 1e-5, and "auto" takes the kernel on a
GPU if there is one to take. It projects a part of the tokens at a time as well, but computes gradients
in the forward pass, so that nothing is projected twice. Needs Triton and a GPU (or TRITON_INTERPRET=1, for tests).

Gemma-2's capped logits stay with the plain loss: Liger has a cap, which Triton's interpreter cannot run, so nothing
here would test it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

PACKAGES = ("liger_kernel", "triton")


def is_installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def takes_kernel(wanted: str, device: torch.device) -> bool:
    """wanted: auto, plain or liger. `ValueError` if it is liger and cannot be."""
    can_run = device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
    if wanted != "liger":
        return wanted == "auto" and device.type == "cuda" and is_installed()
    if not is_installed():
        raise ValueError('loss is liger, which is not installed: pip install liger-kernel, or set loss = "auto"')
    if not can_run:
        raise ValueError(f'loss is liger, which needs a GPU, and the device is {device.type}: set loss = "auto"')
    return True


def fused_cross_entropy(hidden_MD: torch.Tensor, weight_VD: torch.Tensor, labels_M: torch.Tensor) -> torch.Tensor:
    """As `loss.chunked_cross_entropy` of at least one token, without a cap of the logits."""
    loss: torch.Tensor = _kernel()(hidden_MD, weight_VD, labels_M, reduction="mean", accum_dtype=torch.float32)
    return loss.float()


@cache
def _kernel() -> Callable[..., Any]:
    from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

    function: Callable[..., Any] = liger_fused_linear_cross_entropy
    return function
