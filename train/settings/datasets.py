"""Keys that name datasets, with commas between them: that of the training, and that of a stage."""

from __future__ import annotations

import os
from collections.abc import Sequence


def folders_in(data: str) -> tuple[str, ...]:
    """Of the datasets that a key names."""
    return tuple(os.path.expanduser(folder.strip()) for folder in data.split(","))


def data_problems(data: str, weights: Sequence[float], *, typed: tuple[str, str] = ("", "")) -> list[str]:
    """What is wrong with datasets and their weights. typed: the Make variables that they may come from."""
    names = [f"{key}{typed_as}" for key, typed_as in zip(("data", "data_weights"), typed, strict=True)]
    if not data.strip():
        return [f"{names[0]} is empty: name the OUT of make dataset"]
    folders, problems = data.split(","), []
    if not all(folder.strip() for folder in folders):
        problems.append(f"{names[0]} is '{data}': there is no name between two commas")
    if weights and (len(weights) != len(folders) or not all(weight > 0 for weight in weights)):
        problems.append(
            f"{names[1]} is {', '.join(map(str, weights))} for {len(folders)} datasets: give each one a number "
            "above 0, or leave it out"
        )
    return problems
