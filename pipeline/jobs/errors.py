"""Errors from inside a graph, as what they were: Beam wraps them in tracebacks, and a user needs one line with what to
do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from florenz.captioners.contract import CaptionerError
from florenz.languages.identification import LanguageModelError
from florenz.pipeline.workers.errors import ADVICE, WorkerError
from florenz.scorers.contract import ScorerError
from florenz.stores.files import StoreError, WriteError
from florenz.translators.endpoint import ServerError

# "translators.client.ServerError: the message [while running 'translate/...']", as it ends a worker's traceback.
_LAST_LINE = re.compile(r"^([\w.]+(?:Error|Exception))(?::\s*(.*?))?(?:\s*\[while running '.*)?$", re.MULTILINE)
_NO_FLORENZ = re.compile(r"ModuleNotFoundError: No module named 'florenz\b")
_STEP = re.compile(r" \[while running '.*'\]$")
_KNOWN: dict[str, type[Exception]] = {
    "WorkerError": WorkerError,
    "CaptionerError": CaptionerError,
    "ScorerError": ScorerError,
    "ServerError": ServerError,
    "StoreError": StoreError,
    "WriteError": WriteError,
    "LanguageModelError": LanguageModelError,
    "OSError": OSError,
    "PermissionError": PermissionError,
    "FileNotFoundError": FileNotFoundError,
}


@contextlib.contextmanager
def faults_of_graphs() -> Iterator[None]:
    """Re-raise an error of a worker as the error that it was, with its own message and nothing else.

    From another process it arrives as a RuntimeError full of tracebacks, from our own with the step's name at its end.
    """
    try:
        yield
    except tuple(_KNOWN.values()) as fault:
        if not _STEP.search(str(fault)):
            raise
        raise type(fault)(_STEP.sub("", str(fault))) from fault
    except RuntimeError as wrapped:
        original = original_fault(str(wrapped))
        if original is None:
            raise
        raise original from wrapped


def original_fault(text: str) -> Exception | None:
    """The last known error that the text of tracebacks names; None if there is none that a user could act on."""
    if _NO_FLORENZ.search(text):
        return WorkerError(f"the workers have no Florenz: {ADVICE}")
    found = [(kind.rpartition(".")[2], message or "") for kind, message in _LAST_LINE.findall(text)]
    known = [(kind, message) for kind, message in found if kind in _KNOWN]
    if not known:
        return None
    kind, message = known[-1]
    return _KNOWN[kind](message)
