"""Whether a model's files hold the weights of its code: by their names before the work, and as it was loaded.

Libraries fill in what is missing with random numbers and say so in a log; what such a model answers looks like answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

MAX_NAMES_TOLD = 3


def problem_with_weights(folder: str, modules: tuple[str, ...], advice: str) -> Iterator[str]:
    """At most one line: no safetensors in the folder, or names that begin with none of `modules`.

    Only the names are read, of which each file has a list at its start.
    """
    paths = sorted(Path(folder).glob("*.safetensors"))
    if not paths:
        yield f"the folder {folder!r} has no weights (*.safetensors): make the model, or copy all of it"
    for path in paths:
        try:
            with safe_open(path, framework="numpy") as weights:
                foreign = [name for name in weights.keys() if not name.startswith(modules)]  # noqa: SIM118
        except (OSError, SafetensorError) as problem:
            yield f"the weights {str(path)!r} are damaged ({problem}): copy the model anew"
            return
        if foreign:
            yield f"the weights of {folder!r} have other names than transformers' ({min(foreign)!r}): {advice}"
            return


def faults_of_loading(found: Mapping[str, Any]) -> str:
    """What is wrong with weights that were loaded, as a part of a sentence; "" for nothing.

    found: as transformers tells it; a tensor that is tied to one in the files is not missing.
    """
    wrong = {
        "missing": sorted(found["missing_keys"]),
        "unexpected": sorted(found["unexpected_keys"]),
        "of another shape": sorted(name for name, *_ in found["mismatched_keys"]),
    }
    return ", ".join(f"{len(names)} {fault} ({_first_of(names)})" for fault, names in wrong.items() if names)


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES_TOLD]) + (", ..." if len(names) > MAX_NAMES_TOLD else "")
