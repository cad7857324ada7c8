"""Objects that the threads of one process share, the steps of a graph among them."""

from __future__ import annotations

import uuid
from typing import Any
from weakref import WeakValueDictionary


class Here:
    """Steps that run as threads of this process get the object itself: it is pickled as its name."""

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex
        _LIVING[self._name] = self

    def __reduce__(self) -> tuple[Any, ...]:
        return _living, (self._name,)


_LIVING: WeakValueDictionary[str, Here] = WeakValueDictionary()


def _living(name: str) -> Here:
    return _LIVING[name]
