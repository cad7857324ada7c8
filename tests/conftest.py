"""What all tests share: which of them are slow, no limits of time for hypothesis, and one real vLLM server.

`pytest -m "not slow"` is what people run before each commit. Slow is by itself whatever needs the real server, which
takes too long to come up to be started twice, and every file test_run_*, which are whole runs; other tests of more than
a few seconds bear the marker themselves.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apache_beam.runners.portability.fn_api_runner import execution
from hypothesis import HealthCheck, settings

from benchmarks.stand_in_stores import StandInStore, stand_in_store
from florenz.pipeline.recipe import load_recipe
from florenz.translators.server import Server

ROOT = Path(__file__).resolve().parents[1]
# Miniatures are slower on several threads than on one, two processes of tests share two cores, and what is learned
# depends on the number. Torch reads it when it is imported, which is after this; what tests start inherits it.
os.environ["OMP_NUM_THREADS"] = "1"
collect_ignore = ["readers"]  # in an environment of their own: make test-readers

# How long an example takes, and is drawn, says more about what else this machine does than about the code. Fixtures may
# be shared by all examples of a test: a server, a folder that is only read.
NO_CHECKS_OF = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("busy machine", deadline=None, suppress_health_check=NO_CHECKS_OF)
settings.load_profile("busy machine")


def pytest_configure() -> None:
    """What a script starts in the background ignores Ctrl-C, and so would all that tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks slow tests and puts them first, those of the server before all others.

    Of two processes the first then starts at the slow tests and the second at the quick ones, and takes slow ones from
    the far end when it is done: one server is started and not two, and no long test begins when all else has ended.
    """
    for item in items:
        if needs_server(item) or item.path.name.startswith("test_run_"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: (not needs_server(item), item.get_closest_marker("slow") is None))


def needs_server(item: pytest.Item) -> bool:
    return "translation_endpoint" in getattr(item, "fixturenames", ())


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


@pytest.fixture
def held_by_beam(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All that the in-process runner is given to hold from now on, between stages and where it groups."""
    held: list[bytes] = []

    def noted(append: Callable[[Any, bytes], None]) -> Callable[[Any, bytes], None]:
        def note(buffer: Any, data: bytes) -> None:
            held.append(data)
            append(buffer, data)

        return note

    for kind in (execution.ListBuffer, execution.GroupingBuffer):
        monkeypatch.setattr(kind, "append", noted(kind.append))
    return held


@pytest.fixture(scope="session")
def _s3_process() -> Iterator[StandInStore]:
    with stand_in_store("s3") as store:
        yield store


@pytest.fixture(scope="session")
def _gs_process() -> Iterator[StandInStore]:
    with stand_in_store("gs") as store:
        yield store


@pytest.fixture
def s3_store(_s3_process: StandInStore, monkeypatch: pytest.MonkeyPatch) -> StandInStore:
    """A running S3 that does as it is told, and an environment in which it is the one that s3:// means."""
    return _entered(_s3_process, monkeypatch)


@pytest.fixture
def gs_store(_gs_process: StandInStore, monkeypatch: pytest.MonkeyPatch) -> StandInStore:
    return _entered(_gs_process, monkeypatch)


@pytest.fixture(params=["s3", "gs"])
def object_store(request: pytest.FixtureRequest) -> StandInStore:
    """Each of both, one after the other."""
    store: StandInStore = request.getfixturevalue(f"{request.param}_store")
    return store


def _entered(store: StandInStore, monkeypatch: pytest.MonkeyPatch) -> StandInStore:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "STORAGE_"))]:
        monkeypatch.delenv(name)
    for name, value in store.variables.items():
        monkeypatch.setenv(name, value)
    store.order()
    return store


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Whatever a test sets: a training takes the number of its recipe."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="module")
def one_build() -> Iterator[None]:
    """For modules with many short trainings. Torch is imported where it is needed alone."""
    from training_examples import one_build

    with one_build():
        yield
