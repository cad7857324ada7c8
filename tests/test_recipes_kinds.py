"""The folder is the table: a room made up in a temporary folder, found beside the real ones."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import florenz
from florenz.recipes.kinds import KindError, kinds_in, load_kind


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "gardens"
    (folder / "rose").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "contract.py").touch()
    (folder / "_tools.py").touch()
    (folder / "notes.toml").touch()
    (folder / "rose" / "__init__.py").write_text("KIND = 'rose'")
    (folder / "tulip.py").write_text("import no_such_package_at_all")
    (folder / "fern.py").write_text("from florenz.gardens import no_such_file")
    (folder / "moss.py").write_text("import florenz.gardens.no_such_file")
    monkeypatch.setattr(florenz, "__path__", [*florenz.__path__, str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("florenz.gardens")]:
        del sys.modules[name]
    vars(florenz).pop("gardens", None)


def test_kinds_are_the_modules_and_packages_of_a_room_and_none_is_imported(room: Path) -> None:
    assert kinds_in("gardens") == ("fern", "moss", "rose", "tulip")
    assert not any(name.startswith("florenz.gardens.") for name in sys.modules)


def test_one_more_file_is_one_more_kind(room: Path) -> None:
    (room / "ivy.py").write_text("KIND = 'ivy'")
    assert "ivy" in kinds_in("gardens") and load_kind("gardens", "ivy").KIND == "ivy"


def test_only_the_chosen_one_is_imported(room: Path) -> None:
    assert load_kind("gardens", "rose").KIND == "rose"
    assert "florenz.gardens.tulip" not in sys.modules


@pytest.mark.parametrize("kind", ["ross", "contract", "_tools", "notes", "", "rose.thorn"])
def test_an_unknown_kind_is_refused_in_one_line(room: Path, kind: str) -> None:
    with pytest.raises(KindError, match="there is no such kind in gardens/") as caught:
        load_kind("gardens", kind)
    assert "\n" not in str(caught.value)


def test_the_nearest_is_suggested(room: Path) -> None:
    with pytest.raises(KindError, match="did you mean 'rose'"):
        load_kind("gardens", "ross")


def test_a_missing_package_is_one_sentence(room: Path) -> None:
    with pytest.raises(KindError, match="kind = 'tulip' needs the package 'no_such_package_at_all', which is missing"):
        load_kind("gardens", "tulip")


@pytest.mark.parametrize("kind", ["fern", "moss"])
def test_a_fault_of_our_own_is_no_missing_package(room: Path, kind: str) -> None:
    with pytest.raises(ImportError) as caught:
        load_kind("gardens", kind)
    assert not isinstance(caught.value, KindError)


def test_a_room_that_is_not_there_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="no room 'cellar'"):
        kinds_in("cellar")
