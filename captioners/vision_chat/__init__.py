"""Any vision-language model behind an OpenAI-compatible server: the light half. `model.py` asks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

from florenz.captioners.contract import Captioner
from florenz.captioners.vision_chat.settings import Settings
from florenz.recipes.fingerprints import decided_since
from florenz.stores.models import ModelProblem, fingerprint_of_served, read_config
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.server import require_vllm
from florenz.translators.settings import KEY_WITHOUT_SERVER

__all__ = ["Settings", "fingerprint_parts", "known_styles", "load", "problems"]

# What the fingerprint has held from the start; a field that is added later is left out here.
_FIRST_FIELDS = (
    "kind", "model", "revision", "prompts", "system", "temperature", "top_p", "seed", "max_tokens", "max_side_px",
    "jpeg_quality", "dtype",
)  # fmt: skip
CLEANING = ("thoughts.1", "fence.1", "quotes.1")
SIGHT = ("vision", "visual", "vit", "image", "img")  # what the config of a model that sees has keys with

PACKAGES = {"smolvlm": "num2words"}  # model_type -> what its processor wants beyond vLLM's own packages


def known_styles(settings: Settings) -> tuple[str, ...]:
    """Those that the recipe has a prompt for."""
    return settings.styles


def fingerprint_parts(settings: Settings) -> dict[str, Any]:
    """All that decides, with the model's content in the place of its name, and how an answer is cleaned."""
    first = {name: getattr(settings, name) for name in _FIRST_FIELDS}
    model = _content_of(settings.model, settings.revision)
    return {**first, **decided_since(settings, _FIRST_FIELDS), "model": model, "cleaning": CLEANING}


@cache  # it is asked for each style, and hashing a large model's weights takes a minute
def _content_of(model: str, revision: str) -> str:
    return fingerprint_of_served(model, revision)


def problems(settings: Settings) -> Iterator[str]:
    """Whether the servers that are named serve it, or else that it is there, can be served here, and sees."""
    if settings.key_variable and settings.starts_server:
        yield KEY_WITHOUT_SERVER
    for endpoint in settings.running_servers:
        try:
            check_endpoint(endpoint, settings.model, key_variable=settings.key_variable)
        except (ServerError, ValueError) as problem:
            yield str(problem)
    try:
        if settings.running_servers:
            fingerprint_of_served(settings.model, settings.revision)
            return
        require_vllm()
        config = read_config(settings.model, settings.revision)
        kind = str(config.get("model_type"))
        if not _sees(config):
            yield f"{settings.model!r} is a {kind}, which sees no pictures: name a vision-language model"
        elif kind in PACKAGES and find_spec(PACKAGES[kind]) is None:
            needed = PACKAGES[kind]
            yield f"{settings.model!r} is a {kind}, whose processor needs the package {needed!r}: pip install {needed}"
    except (ServerError, ModelProblem, ValueError) as problem:
        yield str(problem)


def load(settings: Settings) -> Captioner:
    from florenz.captioners.vision_chat.model import VisionChat

    return VisionChat(settings)


def _sees(config: dict[str, Any]) -> bool:
    return any(word in key for key in config for word in SIGHT)
