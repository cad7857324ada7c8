"""What all tests share: one real vLLM server, which takes too long to come up to be started twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from florenz.pipeline.recipe import load_recipe
from florenz.translators.server import Server

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def translation_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of the tiny translator, with the settings and under the name of the default recipe.

    The recipe's model folder is relative to the project, where pytest is started too.
    """
    recipe = load_recipe(str(ROOT / "configs" / "playground.toml"))
    settings = replace(recipe.translator.settings, startup_timeout_s=600)
    with Server(settings, tmp_path_factory.mktemp("server") / "vllm.log") as server:
        server.wait_ready()
        yield server.endpoint
