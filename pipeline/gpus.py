"""GPUs of this machine: those that the recipe names and that are not there, told before pictures are drawn and models
loaded; and one that a captioner and a server would take from each other.

Without torch, whose import a rerun that asks nothing does not wait for: the driver's files say how many there can be at
most. What this lets through (a GPU that another process has for itself, a broken driver) is told when a model is
loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from florenz.captioners.contract import CaptionerSettings
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.routing import Translator
from florenz.pipeline.runners.contract import facts_of
from florenz.recipes.checks import DEVICE
from florenz.translators.settings import ServedSettings

DEVICES, DRIVER = Path("/dev"), Path("/proc/driver/nvidia/gpus")
OTHERS = ("kfd", "dxg")  # AMD's, and Windows' for Linux within it, which say no number here
VISIBLE = "CUDA_VISIBLE_DEVICES"
MEMORY_OPTIONS = ("--gpu-memory-utilization", "--kv-cache-memory-bytes")


def problems(recipe: Recipe) -> Iterator[str]:
    """Of models that are loaded on this machine; elsewhere the workers have GPUs, and this machine need not."""
    most = most_gpus()
    if most is None or not facts_of(recipe.running).is_on_this_machine:
        return
    for captioner in recipe.captioners:
        device = _device_of(captioner)
        if device.startswith("cuda") and most <= int(device.partition(":")[2] or 0):
            yield f'captioner: device = {device!r}, and there {_are(most)}: name another, or write device = "auto"'
        if isinstance(captioner, ServedSettings) and captioner.starts_server:
            yield from _parallel_problems("captioner", captioner, most)
    for label, several in (("translator", recipe.translators), ("rephraser", recipe.rephrasers)):
        for one in several:
            if not one.running_servers:
                yield from _parallel_problems(label, one.settings, most)


def _parallel_problems(label: str, settings: ServedSettings, most: int) -> Iterator[str]:
    """A server on a CPU may be parallel too, and one with options of its own may have GPUs of other machines."""
    wanted = _num_gpus(settings)
    if 0 < most < wanted and not settings.server_args:
        named = [
            f"{name} = {number}"
            for name in ("tensor_parallel", "data_parallel")
            if (number := getattr(settings, name)) is not None
        ]
        yield (
            f"{label}: {' and '.join(named)} {'takes' if len(named) == 1 else 'take'} {wanted} GPUs, "
            f"and there {_are(most)}: lower it"
        )


def _are(most: int) -> str:
    number = {0: "is no GPU", 1: "is 1 GPU"}.get(most, f"are {most} GPUs")
    return f"{number} here" + (f" ({VISIBLE} is {os.environ[VISIBLE]!r})" if VISIBLE in os.environ else "")


def takes_its_gpu(recipe: Recipe, captioner: CaptionerSettings, translator: Translator) -> bool:
    """Whether a server that we start would take the captioner's GPU for itself: unless the recipe says how much, vLLM
    takes nine tenths of the first GPUs, and refuses one of which too much is taken.
    """
    settings, device, most = translator.settings, _device_of(captioner), most_gpus()
    if translator.running_servers or device == "cpu" or most == 0:
        return False
    is_told = any(option.startswith(MEMORY_OPTIONS) for option in settings.server_args)
    if is_told or settings.gpu_memory_utilization is not None or settings.kv_cache_gib is not None:
        return False
    _, _, named = device.partition(":")
    first = int(named) if named else max(0, (most or 0) - recipe.workers)  # they take the last ones (stores/gpus.py)
    return first < _num_gpus(settings)


def _device_of(captioner: CaptionerSettings) -> str:
    """auto, cpu, cuda or cuda:1; cpu for a kind that says nothing of it, or in other words."""
    device = str(getattr(captioner, "device", "cpu"))
    return device if DEVICE.fullmatch(device) else "cpu"


def _num_gpus(settings: ServedSettings) -> int:
    return (settings.tensor_parallel or 1) * (settings.data_parallel or 1)


def most_gpus(
    devices: Path = DEVICES, driver: Path = DRIVER, environment: Mapping[str, str] = os.environ
) -> int | None:
    """That CUDA can see here; None where nothing here says how many there are."""
    if any((devices / name).exists() for name in OTHERS):
        return None
    listed = [path for path in devices.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    there = max(len(listed), len(list(driver.glob("*"))))
    visible = environment.get(VISIBLE)
    if visible is None or not there:
        return there
    named = [name for name in visible.split(",") if name.strip() and not name.strip().startswith("-")]
    is_in_parts = any("MIG" in name for name in named)  # several of one GPU
    return len(named) if is_in_parts else min(there, len(named))
