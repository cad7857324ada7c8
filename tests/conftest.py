"""What all tests share: which of them are slow, no limits of time for hypothesis, and one real vLLM server.

`pytest -m "not slow"` is what people run before each commit. Slow is by itself whatever needs the real server, which
takes too long to come up to be started twice, and every file test_run_*, which are whole runs; other tests of more than
a few seconds bear the marker themselves.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from florenz.pipeline.recipe import load_recipe
from florenz.translators.server import Server

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes, and is drawn, says more about what else this machine does than about the code. Fixtures may
# be shared by all examples of a test: a server, a folder that is only read.
NO_CHECKS_OF = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("busy machine", deadline=None, suppress_health_check=NO_CHECKS_OF)
settings.load_profile("busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "translation_endpoint" in getattr(item, "fixturenames", ()) or item.path.name.startswith("test_run_"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def translation_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of the tiny translator, with the settings and under the name of the default recipe.

    The recipe's model folder is relative to the project, where pytest is started too.
    """
    recipe = load_recipe(str(ROOT / "configs" / "playground.toml"))
    patient = replace(recipe.translator.settings, startup_timeout_s=900)
    with Server(patient, tmp_path_factory.mktemp("server") / "vllm.log") as server:
        server.wait_ready()
        yield server.endpoint
