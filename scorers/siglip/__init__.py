"""SigLIP and SigLIP 2 of fixed resolution: how well a text fits its image, as the cosine of both, from -1 to 1.

Zhai et al. 2023 (arXiv 2303.15343), Tschannen et al. 2025 (arXiv 2502.14786), whose texts are multilingual. The light
half, which asks no model. `model.py` is the heavy one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from florenz.recipes.fingerprints import decided_since
from florenz.recipes.kinds import KindError, need_packages
from florenz.scorers.contract import Facts, Scorer
from florenz.scorers.siglip.settings import Settings
from florenz.stores.models import ModelProblem, fingerprint_of_model, local_model, read_config
from florenz.stores.weights import problem_with_weights

__all__ = ["Settings", "facts", "fingerprint_parts", "load", "problems"]

PACKAGES = ("torch", "transformers")
MODULES = ("text_model.", "vision_model.", "logit_")
FILES = ("preprocessor_config.json", "tokenizer_config.json")
ADVICE = "choose one of fixed resolution, like google/siglip2-base-patch16-256"

# Scores were made under fingerprints of these fields. A field that is added later is left out here.
_FIRST_FIELDS = ("model", "revision", "dtype")


def facts(settings: Settings) -> Facts:
    return Facts(needs_image=True, lower_is_better=False, lowest=-1.0, highest=1.0)


def fingerprint_parts(settings: Settings) -> dict[str, Any]:
    """Weights and precision; of a folder its content, not its path."""
    return {
        "model": fingerprint_of_model(settings.model, settings.revision),
        "score": "cosine, text in lower case",
        "dtype": settings.dtype,
        **decided_since(settings, _FIRST_FIELDS),
    }


def problems(settings: Settings) -> Iterator[str]:
    """At most one: packages, a SigLIP as transformers reads it, its weights no pickles, its processor beside it."""
    name = settings.model
    try:
        need_packages(settings.kind, PACKAGES)
        config = read_config(name, settings.revision)
    except (KindError, ModelProblem) as problem:
        yield str(problem)
        return
    folder = Path(local_model(name))
    if (model_type := config.get("model_type")) != "siglip":
        yield f"{name!r} is a {model_type}, not a siglip: {ADVICE}"
    elif folder.is_dir() and (missing := [file for file in FILES if not (folder / file).is_file()]):
        yield f"the folder {name!r} has no {missing[0]}: copy all of the model"
    elif folder.is_dir():
        yield from problem_with_weights(str(folder), MODULES, ADVICE)


def load(settings: Settings) -> Scorer:
    from florenz.scorers.siglip.model import SigLIP  # torch and transformers

    return SigLIP(settings)
