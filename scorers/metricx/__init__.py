"""MetricX-24: how bad a translation is, without a reference, from 0 (nothing to mend) to 25.

An mT5 that was trained to predict how many errors people marked, and how grave ones (Juraska et al. 2024,
aclanthology.org/2024.wmt-1.35). The light half, which asks no model. `model.py` is the heavy one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from florenz.recipes.fingerprints import decided_since
from florenz.recipes.kinds import KindError, need_packages
from florenz.scorers.contract import Facts, Scorer
from florenz.scorers.metricx.settings import Settings
from florenz.stores.models import ModelProblem, fingerprint_of_model, local_model, read_config
from florenz.stores.weights import problem_with_weights

__all__ = ["Settings", "facts", "fingerprint_parts", "load", "problems"]

PACKAGES = ("torch", "transformers")
MODULES = ("shared.", "encoder.", "decoder.", "lm_head.")
TOKENIZER_FILES = ("tokenizer.json", "spiece.model")
PROMPT = "source: {source} candidate: {text}"  # without an end token, as it was trained
WORST = 25.0
ADVICE = "choose one like google/metricx-24-hybrid-large-v2p6"

# Scores were made under fingerprints of these fields. A field that is added later is left out here.
_FIRST_FIELDS = ("model", "revision", "tokenizer", "dtype", "score_token_id", "max_tokens")


def facts(settings: Settings) -> Facts:
    return Facts(needs_image=False, lower_is_better=True, lowest=0.0, highest=WORST)


def fingerprint_parts(settings: Settings) -> dict[str, Any]:
    """Weights, words, prompt and where the score stands; of folders their content, not their path."""
    return {
        "model": fingerprint_of_model(settings.model, settings.revision),
        "tokenizer": fingerprint_of_model(settings.tokenizer) if settings.tokenizer else "",
        "prompt": PROMPT,
        "dtype": settings.dtype,
        "score_token_id": settings.score_token_id,
        "max_tokens": settings.max_tokens,
        **decided_since(settings, _FIRST_FIELDS),
    }


def problems(settings: Settings) -> Iterator[str]:
    """At most one: packages, an mT5 as transformers reads it with a word for the score, weights that are no pickles, a
    tokenizer.
    """
    name = settings.model
    try:
        need_packages(settings.kind, PACKAGES)
        config = read_config(name, settings.revision)
        if settings.tokenizer and not Path(local_model(settings.tokenizer)).is_dir():
            read_config(settings.tokenizer, "")
    except (KindError, ModelProblem) as problem:
        yield str(problem)
        return
    if (model_type := config.get("model_type")) != "mt5":
        yield f"{name!r} is a {model_type}, not an mT5: {ADVICE}"
    elif not isinstance(size := config.get("vocab_size"), int) or settings.score_token_id >= size:
        yield f"score_token_id is {settings.score_token_id}, and {name!r} has {size} words: {ADVICE}"
    elif Path(folder := local_model(name)).is_dir():
        yield from problem_with_weights(folder, MODULES, ADVICE)
    yield from _problem_with_tokenizer(settings)


def load(settings: Settings) -> Scorer:
    from florenz.scorers.metricx.model import MetricX  # torch and transformers

    return MetricX(settings)


def _problem_with_tokenizer(settings: Settings) -> Iterator[str]:
    """Of a folder; what the hub has is not known before it is loaded."""
    folder = Path(local_model(settings.tokenizer or settings.model))
    if folder.is_dir() and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        advice = 'name one, as tokenizer = "google/mt5-large"'
        yield f"the folder {str(folder)!r} has no tokenizer ({' or '.join(TOKENIZER_FILES)}): {advice}"
