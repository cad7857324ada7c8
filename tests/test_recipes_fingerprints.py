"""What enters a fingerprint: everything, unless it is marked."""

from dataclasses import dataclass, field, replace

import pytest

from florenz.recipes.fingerprints import decided_since, deciding, effort, fingerprint, remark


@dataclass(frozen=True, kw_only=True)
class Settings:
    model: str
    size: int = 3
    names: dict[str, str] = field(default_factory=dict)
    timeout_s: float = effort(9.0)
    licence: str = remark()
    source: str = remark("")


SETTINGS = Settings(model="m", licence="MIT")


def test_everything_decides_unless_it_is_marked() -> None:
    assert deciding(SETTINGS) == {"model": "m", "size": 3, "names": {}}


def test_marked_fields_keep_their_defaults_and_may_be_required() -> None:
    assert SETTINGS.timeout_s == 9.0 and SETTINGS.source == ""
    with pytest.raises(TypeError, match="licence"):
        Settings(model="m")  # type: ignore[call-arg]


def test_only_what_is_not_at_its_default_came_since() -> None:
    assert decided_since(SETTINGS, known=("model",)) == {}
    changed = replace(SETTINGS, size=4, names={"de": "German"}, timeout_s=1.0, licence="GPL")
    assert decided_since(changed, known=("model",)) == {"size": 4, "names": {"de": "German"}}
    assert decided_since(changed, known=("model", "size", "names")) == {}


def test_a_field_without_a_default_is_always_in() -> None:
    assert decided_since(SETTINGS, known=()) == {"model": "m"}


def test_a_fingerprint_is_the_same_for_ever_and_for_any_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [True, None, "ü"]}) == fingerprint({"b": [True, None, "ü"], "a": 1})
    assert fingerprint({"a": 1}) == "015abd7f5cc57a2d" and fingerprint({"a": 2}) != fingerprint({"a": 1})


def test_tuples_are_lists_and_texts_are_no_numbers() -> None:
    assert fingerprint({"a": (1, 2)}) == fingerprint({"a": [1, 2]}) != fingerprint({"a": ["1", "2"]})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes"])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint({"a": value})
