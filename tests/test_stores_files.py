import errno
import os
import uuid
from pathlib import Path

import pytest

from florenz.stores import files


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "data") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def write(path: str, content: bytes) -> None:
    with files.atomic_write(path) as file:
        file.write(content)


def test_what_was_written_is_read_back_and_parent_folders_are_made(folder: str) -> None:
    path = files.join(folder, "a", "b.bin")
    write(path, b"bytes")
    assert files.read_bytes(path) == b"bytes"
    with files.open_read(path) as file:
        file.seek(2)
        assert file.read() == b"tes"


def test_nothing_appears_before_the_write_is_complete(folder: str) -> None:
    path = files.join(folder, "a.bin")
    with files.atomic_write(path) as file:
        file.write(b"half")
        file.flush()
        assert not files.exists(path)
        assert files.list_files(folder) == []
    assert files.exists(path)


def test_a_failed_write_leaves_nothing_behind(folder: str) -> None:
    with pytest.raises(KeyboardInterrupt), files.atomic_write(files.join(folder, "a.bin")) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert not files.exists(files.join(folder, "a.bin"))
    assert files.list_files(folder) == []
    if "://" not in folder:
        assert os.listdir(folder) == []


def test_a_failed_write_keeps_what_was_there(folder: str) -> None:
    path = files.join(folder, "a.bin")
    write(path, b"old")
    with pytest.raises(ZeroDivisionError), files.atomic_write(path) as file:
        file.write(b"new" if 1 // 0 else b"")
    assert files.read_bytes(path) == b"old"
    write(path, b"new")
    assert files.read_bytes(path) == b"new"


def test_what_the_system_refuses_is_told_in_one_line_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "a.bin"
    with pytest.raises(files.WriteError, match=rf"^can't write {path}: File exists; see whether"):
        write(str(path), b"x")
    full = OSError(errno.ENOSPC, "No space left on device", "/data/a.bin")
    assert files.in_words(full) == "/data/a.bin: No space left on device; make room"
    assert files.in_words(OSError("no number")) == "no number"


def test_an_error_about_another_file_is_not_blamed_on_the_one_being_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, files.atomic_write(str(tmp_path / "a.bin")):
        files.read_bytes(str(tmp_path / "source.bin"))
    assert not isinstance(caught.value, files.WriteError)


def test_a_pinned_folder_that_is_gone_or_another_one_takes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with files.pinned(str(folder)):
        write(str(folder / "a.bin"), b"x")
        folder.rename(tmp_path / "away")
        with pytest.raises(files.WriteError, match="is gone, or another folder is in its place"):
            write(str(folder / "b.bin"), b"x")
        folder.mkdir()
        with pytest.raises(files.WriteError, match="is gone"):
            write(str(folder / "sub" / "b.bin"), b"x")
        with pytest.raises(files.WriteError, match="is gone"):
            files.list_files(str(folder))
        assert list(folder.iterdir()) == []
        write(str(tmp_path / "elsewhere.bin"), b"x")
        folder.rmdir()
        (tmp_path / "away").rename(folder)
        write(str(folder / "b.bin"), b"x")
    folder.rename(tmp_path / "away")
    write(str(folder / "b.bin"), b"x")


def test_files_are_listed_at_any_depth_in_order_and_under_the_folder_as_given(folder: str) -> None:
    for name in ("b.txt", "a/z.txt", "a/b/c.txt"):
        write(files.join(folder, name), b"")
    expected = [files.join(folder, name) for name in ("a/b/c.txt", "a/z.txt", "b.txt")]
    assert files.list_files(folder) == expected
    assert files.list_files(folder + "/") == expected


def test_a_folder_that_is_not_there_lists_as_empty(folder: str) -> None:
    assert files.list_files(files.join(folder, "none")) == []


def test_a_neighbour_whose_name_begins_the_same_is_not_listed(folder: str) -> None:
    write(files.join(folder, "train", "a"), b"")
    write(files.join(folder, "train-old", "b"), b"")
    assert files.list_files(files.join(folder, "train")) == [files.join(folder, "train", "a")]


def test_what_a_killed_writer_left_is_not_listed(tmp_path: Path) -> None:
    for name in (".a.bin.123-0123456789abcdef.partial", "kept.partial", ".hidden"):
        (tmp_path / name).touch()
    assert files.list_files(str(tmp_path)) == [str(tmp_path / ".hidden"), str(tmp_path / "kept.partial")]


def test_removing_twice_is_no_error(folder: str) -> None:
    path = files.join(folder, "a.bin")
    write(path, b"")
    files.remove(path)
    assert not files.exists(path)
    files.remove(path)


def test_a_missing_file_is_named(folder: str) -> None:
    with pytest.raises(FileNotFoundError, match="none.bin"):
        files.open_read(files.join(folder, "none.bin"))
    with pytest.raises(FileNotFoundError, match="none.bin"):
        files.read_bytes(files.join(folder, "none.bin"))


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "up").symlink_to(tmp_path / "root")
    assert files.list_files(str(tmp_path / "root")) == [str(tmp_path / "root" / "link" / "a.jpg")]


def test_a_local_name_with_colons_is_a_name_and_not_a_chain_of_stores(tmp_path: Path) -> None:
    write(str(tmp_path / "a::b"), b"1")
    assert os.listdir(tmp_path) == ["a::b"]


def test_a_file_url_is_a_local_path(tmp_path: Path) -> None:
    write(f"file://{tmp_path}/a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_relative_path_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("a", b"1")
    assert files.list_files(".") == ["./a"]


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write(str(tmp_path / "written"), b"")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_unknown_kind_of_store_is_an_error_that_names_the_path() -> None:
    with pytest.raises(files.StoreError, match="cannot open nowhere://x/y: .*nowhere"):
        files.exists("nowhere://x/y")


@pytest.mark.parametrize(
    ("base", "parts", "joined"),
    [
        ("out", ("a", "b"), "out/a/b"),
        ("out/", ("a",), "out/a"),
        ("gs://bucket", ("a",), "gs://bucket/a"),
        ("memory://", ("a",), "memory://a"),
        ("/", ("a",), "/a"),
        ("", ("a", "b"), "a/b"),
        ("out", (), "out"),
    ],
)
def test_join_puts_one_slash_between(base: str, parts: tuple[str, ...], joined: str) -> None:
    assert files.join(base, *parts) == joined


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / "build" / f".train-000000.tar.123-{'0' * 16}.partial"
    mine = tmp_path / "mine.partial"
    left.parent.mkdir()
    left.write_bytes(b"half")
    mine.write_bytes(b"whole")
    assert files.remove_partials(str(tmp_path)) == 1
    assert not left.exists() and mine.exists()
    assert files.remove_partials(str(tmp_path / "absent")) == 0
    assert files.remove_partials("memory://somewhere") == 0
