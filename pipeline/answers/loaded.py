"""Models that this process has loaded: each once, however many threads ask for it, until they are forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from safetensors import SafetensorError

from florenz.recipes.kinds import Closing

FAULTS_OF_LOADING = (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError)


class ModelSettings(Hashable, Protocol):
    @property
    def model(self) -> str: ...


Settings = TypeVar("Settings", bound=ModelSettings)
Model = TypeVar("Model")


class LoadedModels(Generic[Settings, Model]):
    """what: the models are called in messages. error: is raised for one that can't be loaded, with a line for the
    user. make: loads one. prove: asks it something, before the first question that counts.
    """

    def __init__(
        self,
        what: str,
        error: type[ValueError],
        *,
        make: Callable[[Settings], Model],
        prove: Callable[[Model, Settings], None],
    ) -> None:
        self._what, self._error, self._make, self._prove = what, error, make, prove
        self._loading = threading.Lock()  # Beam's workers have several threads, and a model is loaded once
        self._proven: dict[Settings, Model] = {}
        self._open: list[Model] = []  # those that failed their proof too: they are to be closed

    def load(self, settings: Settings) -> Model:
        """Raises `error`: files are missing or damaged, or a library that it needs; and what `prove` raises."""
        with self._loading:
            if settings not in self._proven:
                model = self._made(settings)
                self._open.append(model)
                self._prove(model, settings)
                self._proven[settings] = model
            return self._proven[settings]

    def open(self) -> list[Model]:
        with self._loading:
            return list(self._open)

    def forget(self) -> None:
        """Their servers end, where they have some; their memory is free once nobody else holds them."""
        with self._loading:
            for model in self._open:
                if isinstance(model, Closing):
                    model.close()
            self._open.clear()
            self._proven.clear()

    def _made(self, settings: Settings) -> Model:
        try:
            return self._make(settings)
        except self._error:
            raise
        except FAULTS_OF_LOADING as problem:
            first_line = str(problem).strip().partition("\n")[0]
            is_package = isinstance(problem, ModuleNotFoundError)
            advice = "install what is missing" if is_package else "copy the model anew, or name another"
            told = f"{self._what} {settings.model!r} can't be loaded ({type(problem).__name__}: {first_line})"
            raise self._error(f"{told}: {advice}") from problem
