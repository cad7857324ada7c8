"""Importing large libraries without a collection, and what is collected afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from florenz.libraries import importing_libraries


class Node:
    """Is garbage in a cycle once nobody else holds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_meanwhile_and_everything_new_afterwards() -> None:
    with importing_libraries():
        assert not gc.isenabled()
        there = Node()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(one is there for one in gc.get_objects()), "what was made meanwhile is looked at again"
    later = weakref.ref(Node())
    gc.collect()
    assert later() is None


def test_a_failed_import_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), importing_libraries():
        import florenz.no_such_room  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    with importing_libraries():
        pass
    assert not gc.isenabled()


def said_by(script: str) -> list[str]:
    """The words that a process of its own prints."""
    said = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    return said.stdout.split()


def test_a_run_imports_so() -> None:
    """Beam among it, which each full collection of the run's threads would go through."""
    script = (
        "import gc, sys\n"
        "from florenz.pipeline.__main__ import main\n"
        "code = main(['configs/playground.toml', 'BUDGET=never'])\n"
        "beam = vars(sys.modules['apache_beam'])\n"
        "print(code, gc.isenabled(), any(one is beam for one in gc.get_objects()))\n"
    )
    assert said_by(script) == ["2", "True", "False"]


def test_a_captioner_imports_so_and_is_itself_looked_at() -> None:
    """What a model holds in a cycle must be found when the model goes, or a translator lacks that memory."""
    script = (
        "import gc, sys\n"
        "from florenz.captioners.florence2 import Settings, load\n"
        "captioner = load(Settings(model='playground/models/captioner'))\n"
        "import torch\n"
        "seen = gc.get_objects()\n"
        "is_there = any(isinstance(one, torch.nn.Module) for one in seen)\n"
        "print(gc.isenabled(), any(one is vars(torch) for one in seen), is_there)\n"
    )
    assert said_by(script) == ["True", "False", "True"]
