"""Florence-2 as transformers has it: the light half, which asks no model. `model.py` is the heavy one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from florenz.captioners.contract import Captioner
from florenz.captioners.florence2.settings import Settings
from florenz.captioners.florence2.tasks import TASK_OF_STYLE
from florenz.libraries import importing_libraries
from florenz.recipes.fingerprints import decided_since
from florenz.recipes.kinds import KindError, need_packages
from florenz.stores.models import ModelProblem, fingerprint_of_model, local_model, read_config
from florenz.stores.weights import problem_with_weights

__all__ = ["Settings", "fingerprint_parts", "known_styles", "load", "problems"]

PACKAGES = ("torch", "transformers")
MODULES_OF_TRANSFORMERS = ("model.", "lm_head.")  # what its weights' names begin with; the original's begin otherwise
CODE_OF_ITS_OWN = "auto_map"  # in the config of the original repositories, and in those tuned from them
ADVICE = "choose one like florence-community/Florence-2-large"

# Captions were paid for under fingerprints of these fields alone. A field that is added later is left out here.
_FIRST_FIELDS = ("model", "revision", "max_new_tokens", "num_beams", "dtype")


def known_styles(settings: Settings) -> tuple[str, ...]:
    return tuple(TASK_OF_STYLE)


def fingerprint_parts(settings: Settings) -> dict[str, Any]:
    """Weights, the styles' prompts, search, precision; and what came later, where it is not at its default."""
    return {
        "model": fingerprint_of_model(settings.model, settings.revision),
        "tasks": TASK_OF_STYLE,
        "max_new_tokens": settings.max_new_tokens,
        "num_beams": settings.num_beams,
        "dtype": settings.dtype,
        **decided_since(settings, _FIRST_FIELDS),
    }


def problems(settings: Settings) -> Iterator[str]:
    """At most one: whether the packages are there, and a Florence-2 in transformers' format, its weights no pickles."""
    name = settings.model
    try:
        need_packages(settings.kind, PACKAGES)
        config = read_config(name, settings.revision)
    except (KindError, ModelProblem) as problem:
        yield str(problem)
        return
    if (model_type := config.get("model_type")) != "florence2":
        yield f"{name!r} is a {model_type}, not a Florence-2 as transformers reads it: {ADVICE}"
    elif Path(folder := local_model(name)).is_dir():
        yield from problem_with_weights(folder, MODULES_OF_TRANSFORMERS, ADVICE)
    elif CODE_OF_ITS_OWN in config:
        yield f"{name!r} is for code of its own, and its weights have other names than transformers': {ADVICE}"


def load(settings: Settings) -> Captioner:
    with importing_libraries():
        from florenz.captioners.florence2.model import Florence  # torch and transformers

    return Florence(settings)
