"""Paths of this machine: the suite of all stores, and what is said where the disk is in the way."""

from pathlib import Path

import pytest
from contracts.store import StoreSuite

from florenz.stores import files
from florenz.stores.errors import WriteError
from florenz.stores.pinning import pinned_folder
from florenz.stores.schemes import local


class TestLocal(StoreSuite):
    store = local

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return str(tmp_path / "data")

    def put(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)

    def get(self, path: str) -> bytes | None:
        return Path(path).read_bytes() if Path(path).is_file() else None

    def names(self, folder: str) -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


class TestFileUrl(TestLocal):
    """The same disk through file://; the way round it leaves that out."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/data"

    def put(self, path: str, content: bytes) -> None:
        super().put(path.removeprefix("file://"), content)

    def get(self, path: str) -> bytes | None:
        return super().get(path.removeprefix("file://"))

    def names(self, folder: str) -> list[str]:
        return super().names(folder.removeprefix("file://"))


def test_a_path_from_home_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.create("~/a.bin", b"1") and (tmp_path / "a.bin").read_bytes() == b"1"
    assert files.local_path("~/a.bin") == str(tmp_path / "a.bin")


def test_a_file_in_the_way_of_a_folder_is_no_lost_race(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=f"can't write {tmp_path}/file/a.bin: File exists; see whether"):
        local.create(str(tmp_path / "file" / "a.bin"), b"1")


def test_what_is_missing_below_a_pinned_folder_that_is_gone_is_not_just_a_missing_file(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pinned_folder(str(folder)):
        with pytest.raises(FileNotFoundError):
            local.read_bytes(str(folder / "part"))
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(WriteError, match="is gone, or another folder is in its place"):
            local.read_bytes(str(folder / "part"))


def test_nothing_is_created_below_a_pinned_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pinned_folder(str(tmp_path / "out")):
        (tmp_path / "out").rename(tmp_path / "away")
        with pytest.raises(WriteError, match="is gone"):
            local.create(str(tmp_path / "out" / "a.bin"), b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["away"] and list((tmp_path / "away").iterdir()) == []
