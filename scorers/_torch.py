"""What scorers that compute here with torch have in common: a device of their own, and weights that nobody made up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from florenz.scorers.contract import ScorerError, ScorerSettings
from florenz.stores.gpus import Place, device_for
from florenz.stores.models import local_model
from florenz.stores.weights import faults_of_loading


class OnDevice:
    """A model of transformers on the device that its settings name."""

    model: Any

    def __init__(self, settings: ScorerSettings, architecture: Any, dtype: str) -> None:
        """Raises ScorerError, and what libraries raise for missing files."""
        self.settings = settings
        self.device, self._place = _device(settings.device)
        if settings.cpu_threads is not None:
            torch.set_num_threads(settings.cpu_threads)
        self.model, found = architecture.from_pretrained(
            local_model(settings.model),
            revision=settings.revision or None,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told by us, with the others, instead of by a table in the log
        )
        if wrong := faults_of_loading(found):
            raise ScorerError(
                f"scorer {settings.model!r} has not the weights of its config.json: {wrong}: copy the model anew"
            )
        with self.enough_memory("the model"):
            self.model.to(self.device).eval()

    def close(self) -> None:
        """Its GPU and that GPU's memory are for others."""
        del self.model
        if self._place is not None:
            torch.cuda.empty_cache()
            self._place.leave()

    @contextlib.contextmanager
    def enough_memory(self, what: str) -> Iterator[None]:
        """Raises ScorerError where the GPU is too small."""
        try:
            yield
        except torch.OutOfMemoryError as fault:
            first = str(fault).partition(". ")[0]
            raise ScorerError(
                f"scorer {self.settings.model!r}: {self.device} has too little memory for {what} ({first}): "
                'set batch_size lower, choose a smaller model or dtype = "bfloat16", or device = "cpu"'
            ) from fault


def _device(name: str) -> tuple[str, Place | None]:
    number = torch.cuda.device_count() if name != "cpu" else 0
    try:
        return device_for(
            name, number, lambda: [str(torch.cuda.get_device_properties(gpu).uuid) for gpu in range(number)]
        )
    except (ValueError, PermissionError) as problem:
        raise ScorerError(str(problem)) from problem
