"""Every reader of strangers' bytes, on what the fuzzer once found, and on mutations of sound inputs."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_targets import FINDS, TARGETS

FOUND = sorted(path for path in FINDS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("name", list(TARGETS))
def test_sound_inputs_are_read(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert seeds
    for seed in seeds:
        TARGETS[name].survives(seed)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_once_found_is_survived(path: Path) -> None:
    TARGETS[path.parent.name].survives(path.read_bytes())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", list(TARGETS))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_mutated_inputs_give_what_is_promised(name: str, data: st.DataObject) -> None:
    """Bytes changed, a piece cut out, doubled or replaced."""
    content = bytearray(data.draw(st.sampled_from(list(TARGETS[name].seeds()))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), at + data.draw(st.integers(0, 64)))
        content[at:end] = data.draw(st.one_of(st.just(bytes(content[at:end]) * 2), st.binary(max_size=64)))
    TARGETS[name].survives(bytes(content))
