"""Every captioner keeps the contract: none is without a test class that subclasses the suite."""

from pathlib import Path

import pytest
from contracts.model_kind import suites_in

from florenz.captioners.contract import ROOM, kind_of
from florenz.captioners.florence2 import Settings
from florenz.recipes.kinds import KindError, kinds_in

TESTS = Path(__file__).parent


@pytest.mark.parametrize("kind", kinds_in(ROOM))
def test_the_tests_of_a_captioner_include_the_suite(kind: str) -> None:
    suites = suites_in(TESTS / f"test_captioners_{kind}.py", "CaptionerContract")
    assert suites and all(name.startswith("Test") for name in suites), "pytest collects classes called Test..."


def test_there_is_a_captioner_to_look_at() -> None:
    assert "florence2" in kinds_in(ROOM) and "contract" not in kinds_in(ROOM)


def test_settings_of_no_kind_are_told_in_one_line() -> None:
    with pytest.raises(KindError, match="no such kind in captioners/: did you mean 'florence2'"):
        kind_of(Settings(kind="florence", model="org/model"))
