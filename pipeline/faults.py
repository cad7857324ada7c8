"""Errors from inside a graph, as what they were: Beam wraps them in tracebacks, and a user needs one line with what to
do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from filters.language_id import LanguageModelError
from shards.files import StoreError
from translators.endpoint import ServerError

# "translators.client.ServerError: the message [while running 'translate/...']", as it ends a worker's traceback.
_LAST_LINE = re.compile(r"^([\w.]+(?:Error|Exception))(?::\s*(.*?))?(?:\s*\[while running '.*)?$", re.MULTILINE)
_KNOWN: dict[str, type[Exception]] = {
    "ServerError": ServerError,
    "StoreError": StoreError,
    "LanguageModelError": LanguageModelError,
    "OSError": OSError,
    "PermissionError": PermissionError,
    "FileNotFoundError": FileNotFoundError,
}


@contextlib.contextmanager
def faults_of_graphs() -> Iterator[None]:
    """Re-raise an error of a worker, which arrives as a RuntimeError full of tracebacks, as the error that it was."""
    try:
        yield
    except RuntimeError as wrapped:
        fault = original_fault(str(wrapped))
        if fault is None or isinstance(wrapped, ServerError):
            raise
        raise fault from wrapped


def original_fault(text: str) -> Exception | None:
    """The last known error that the text of tracebacks names; None if there is none that a user could act on."""
    found = [(kind.rpartition(".")[2], message or "") for kind, message in _LAST_LINE.findall(text)]
    known = [(kind, message) for kind, message in found if kind in _KNOWN]
    if not known:
        return None
    kind, message = known[-1]
    return _KNOWN[kind](message)
