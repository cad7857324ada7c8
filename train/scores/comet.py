"""COMET (Rei et al., 2022, aclanthology.org/2022.wmt-1.52) of translations, by its authors' program `comet-score`.

The program and not the package: unbabel-comet 2.2.7 wants numpy below 2, transformers below 5 and huggingface-hub below
1, so it can't be installed beside this project; and its checkpoints are pickles, which are not opened in this process.
`pipx install unbabel-comet` gives it an environment of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from florenz.limits.errors import TooLarge
from florenz.limits.printable import printable
from florenz.limits.reading import read_path
from florenz.limits.table import MIB

PROGRAM = "comet-score"
SCORES_BYTES = 1024 * MIB
MAX_WORDS = 300  # of what the program says went wrong


class CometError(OSError):
    """One line: the program failed, or wrote no scores."""


def problems(model: str) -> list[str]:
    """A line if it can't be asked; nothing is downloaded to find that out."""
    if shutil.which(PROGRAM) is not None:
        return []
    return [
        f"[evaluation] comet is '{model}', and there is no program {PROGRAM}: install it apart from this project, by "
        "pipx install unbabel-comet, or leave comet out"
    ]


def comet(
    model: str,
    sources: Sequence[str],
    systems: Mapping[str, Sequence[str]],
    references: Sequence[str],
    *,
    num_gpus: int,
) -> dict[str, list[float]]:
    """The score of each text, 0 to 1 for most models, in order, for each system. num_gpus: 0 or 1.

    systems: name -> its translations of the sources. The models see one reference for each.

    Raises:
        CometError: it failed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise CometError(problems(model)[0])
    with tempfile.TemporaryDirectory() as folder:
        for name, texts in {"sources": sources, "references": references, **systems}.items():
            assert len(texts) == len(sources), name
            Path(folder, name).write_text("".join(" ".join(text.split()) + "\n" for text in texts), encoding="utf-8")
        command = [program, "--sources", "sources", "--references", "references", "--translations", *systems]
        options = ["--model", model, "--gpus", str(num_gpus), "--quiet", "--only_system", "--to_json", "scores.json"]
        done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, errors="replace")
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise CometError(f"{PROGRAM} --model {model} failed: {printable(said[:MAX_WORDS])}")
        try:
            found = json.loads(read_path(Path(folder, "scores.json"), SCORES_BYTES))
            scores = {name: [float(one["COMET"]) for one in found[name]] for name in systems}
        except (OSError, ValueError, KeyError, TypeError, TooLarge) as problem:
            raise CometError(f"{PROGRAM} --model {model} wrote no scores that can be read: {problem!r}") from problem
    if any(len(of_system) != len(sources) for of_system in scores.values()):
        raise CometError(f"{PROGRAM} --model {model} did not score each of {len(sources)} texts")
    return scores
