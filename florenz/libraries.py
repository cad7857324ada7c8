"""Importing large libraries, of which Python's collector would look at every object again and again.

torch, transformers and Beam are a million objects that live as long as the process. While they are made, nothing is
garbage; afterwards each full collection would go through all of them (docs/notes.md has what that takes). For imports
alone: what a model holds in a cycle has to be found when the model goes.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def importing_libraries() -> Iterator[None]:
    """No collection meanwhile, and none that looks at what is there by then: it stays. What is counted goes as ever."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
