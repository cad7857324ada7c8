"""GPUs by name: how much memory they have and how fast they multiply, of NVIDIA's data sheets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Name -> memory in GiB, as torch sees it, and dense bfloat16 peak in FLOP/s.
GPUS = {
    "h200": (139.0, 989e12), "h100": (79.0, 989e12), "h100-pcie": (79.0, 756e12), "a100": (79.0, 312e12),
    "a100-40": (39.0, 312e12), "l40s": (44.0, 362e12), "l4": (22.0, 121e12),
}  # fmt: skip


def peak_of(name: str) -> float | None:
    """In FLOP/s, of a device as CUDA calls it, like "NVIDIA H100 80GB HBM3"; None for one that is not in the table."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    if "mig" in words:  # a slice of a GPU has a share of its peak
        return None
    found = [gpu for gpu in GPUS if set(gpu.split("-")) <= set(words)]
    return GPUS[max(found, key=len)][1] if found else None


def peak_of_device(device: torch.device) -> float | None:
    """None for a CPU, whose peak nobody has written down, and for a GPU that is not in the table."""
    if device.type != "cuda":
        return None
    from torch.cuda import get_device_name  # the table is read without torch too

    return peak_of(get_device_name(device))
