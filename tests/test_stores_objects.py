"""What goes wrong between us and an object store: retried, or said in one line; never half, twice or for ever."""

import io
import random
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest
from object_stores import way_into

from benchmarks.stand_in_stores import Faults, StandInStore
from florenz.images.folders import SourceFile
from florenz.images.references import ImageRef
from florenz.images.sources import read_image_bytes, read_source
from florenz.stores import files, objects

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(object_store: StandInStore) -> str:
    return f"{object_store.bucket}/{uuid.uuid4().hex}"


def write(path: str, content: bytes) -> None:
    with files.atomic_write(path) as file:
        file.write(content)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_store_that_is_busy_for_a_while_is_asked_again(folder: str, object_store: StandInStore, status: int) -> None:
    path = files.join(folder, "a.bin")
    object_store.order(Faults(method="PUT", times=2, status=status))
    write(path, b"1")
    object_store.order(Faults(method="GET", times=2, status=status))
    assert files.read_bytes(path) == b"1"
    object_store.order(Faults(method="GET", times=2, status=status))
    assert files.list_files(folder) == [path]
    object_store.order(Faults(method="PUT", times=2, status=status))
    assert files.create(files.join(folder, "b.bin"), b"1") and not files.create(files.join(folder, "b.bin"), b"1")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_breaks_is_made_anew(folder: str, object_store: StandInStore, moment: str) -> None:
    path = files.join(folder, "a.bin")
    object_store.order(Faults(method="PUT", reset=moment))
    write(path, b"1")
    object_store.order(Faults(method="GET", reset=moment))
    assert files.read_bytes(path) == b"1"


def test_who_came_first_is_known_even_where_the_answer_was_lost(folder: str, object_store: StandInStore) -> None:
    path = files.join(folder, "a.lock")
    object_store.order(Faults(method="PUT", reset="after"))
    assert files.create(path, b"the same") is True
    assert files.create(path, b"the same") is False
    version = files.read_versioned(path)
    assert version is not None
    object_store.order(Faults(method="PUT", reset="after"))
    swapped = files.swap(path, b"mine", version.version)
    found = files.read_versioned(path)
    assert found is not None and (found.content, found.version) == (b"mine", swapped)


def test_a_store_that_stays_away_is_one_line(
    folder: str, object_store: StandInStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(objects.RETRY, "max_retries", 0)
    monkeypatch.setattr(objects, "FIRST_PAUSE_S", 0.01)
    objects._connected.cache_clear()
    object_store.order(Faults(times=10_000, status=503))
    path = files.join(folder, "a.bin")
    for attempt in (files.read_bytes, files.exists, files.list_files, files.remove, lambda path: write(path, b"1")):
        with pytest.raises(files.StoreUnavailable) as caught:
            attempt(path)
        assert "503 SlowDown as ordered" in str(caught.value) or "503" in str(caught.value)
        assert path in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert object_store.seen().total() <= 30
    objects._connected.cache_clear()


def test_no_rights_are_not_asked_for_twice_and_said_with_what_to_look_at(
    folder: str, object_store: StandInStore
) -> None:
    object_store.order(Faults(times=10_000, status=403, code="AccessDenied"))
    path = files.join(folder, "a.bin")
    attempts = (files.read_bytes, files.exists, files.list_files, files.open_read, lambda path: files.create(path, b""))
    for attempt in attempts:
        with pytest.raises(files.StoreError, match=r"the store refuses it \(403.*\): check ") as caught:
            attempt(path)
        assert path in str(caught.value) and "\n" not in str(caught.value) and "stand-in" not in str(caught.value)
    assert object_store.seen().total() == len(attempts)


def test_a_bucket_that_is_not_there_is_no_missing_file(object_store: StandInStore) -> None:
    path = f"{object_store.scheme}://no-such-bucket/a/b.bin"
    attempts = (files.read_bytes, files.exists, files.list_files, files.open_read, lambda path: write(path, b"1"))
    for attempt in attempts:
        with pytest.raises(files.StoreError, match="there is no such bucket: check its name"):
            attempt(path)
    with pytest.raises(files.StoreError, match="names no bucket"):
        files.read_bytes(f"{object_store.scheme}:///a")


@pytest.mark.parametrize(("scheme", "said"), [("s3", "AWS_ACCESS_KEY_ID"), ("gs", "GOOGLE_APPLICATION_CREDENTIALS")])
def test_no_credentials_are_one_line(
    scheme: str, said: str, monkeypatch: pytest.MonkeyPatch, s3_store: StandInStore, tmp_path: Path
) -> None:
    """Who has none asks the machine for its own, by an address that here nobody answers at."""
    for name in s3_store.variables:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9/latest/meta-data/")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(objects.RETRY, "max_retries", 0)
    monkeypatch.setattr(objects, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setitem(objects.CLIENT, "connect_timeout", objects.timedelta(seconds=0.5))
    objects._connected.cache_clear()
    with pytest.raises(files.StoreError, match=f"there are no credentials for it here: check {said}") as caught:
        files.read_bytes(f"{scheme}://bucket/a")
    assert "\n" not in str(caught.value)
    objects._connected.cache_clear()


def test_what_is_replaced_while_it_is_read_is_not_read_half_and_half(folder: str, object_store: StandInStore) -> None:
    path = files.join(folder, "a.bin")
    write(path, bytes(2_000_000))
    with files.open_read(path) as file:
        assert file.read(10) == bytes(10)
        write(path, b"1" * 2_000_000)
        with pytest.raises(files.StoreUnavailable, match="has changed while it was read"):
            file.read()


def test_folders_that_consoles_make_are_no_files(folder: str, object_store: StandInStore) -> None:
    way = way_into(object_store)
    way.put(f"{folder}/photos/", b"")
    way.put(f"{folder}/photos/empty/", b"")
    way.put(f"{folder}/photos/a.jpg", b"1")
    way.put(f"{folder}/photos/b.jpg", b"")
    assert files.list_files(folder) == [f"{folder}/photos/a.jpg", f"{folder}/photos/b.jpg"]


@pytest.mark.slow
def test_a_listing_of_many_pages_is_whole_though_it_breaks_off(folder: str, object_store: StandInStore) -> None:
    way = way_into(object_store)
    names = [f"{number:04d}" for number in range(2_100)]
    for name in names:
        way.put(f"{folder}/{name}", b"1")
    # Answered 503 until obstore gives up on the third page, and once more after that.
    object_store.order(Faults(method="GET", word="list-type", skip=2, times=7, status=503))
    assert list(files.store_of(folder).list_names(folder)) == names


def test_a_name_that_no_object_can_have_is_one_line(object_store: StandInStore) -> None:
    with pytest.raises(files.StoreError, match="empty path segment"):
        files.read_bytes(f"{object_store.bucket}/a//b")


def test_a_forked_process_is_told_instead_of_waiting_for_ever(folder: str, object_store: StandInStore) -> None:
    path = files.join(folder, "a.bin")
    write(path, b"1")
    code = (
        "import os, sys\n"
        "from florenz.stores import files\n"
        "assert files.read_bytes(sys.argv[1]) == b'1'\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        files.read_bytes(sys.argv[1])\n"
        "    except files.StoreError as problem:\n"
        "        os._exit(7 if 'forked' in str(problem) else 1)\n"
        "    os._exit(1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, timeout=120).returncode == 7


@pytest.mark.parametrize(("num_bytes", "most"), [(63_000, 8), (400_000, 9), (3_000_000, 13)])
def test_a_tar_costs_a_request_for_each_window_or_large_member_and_each_picture_one(
    folder: str, object_store: StandInStore, num_bytes: int, most: int
) -> None:
    """Members are passed over, short ones by reading on: 12 MB are fewer windows than members."""
    contents = [
        b"\xff\xd8\xff\xe0" + random.Random(number).randbytes(num_bytes) for number in range(12_000_000 // num_bytes)
    ]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, content in enumerate(contents):
            info = tarfile.TarInfo(f"{number:06}.jpg")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    path = files.join(folder, "a.tar")
    way_into(object_store).put(path, buffer.getvalue())
    object_store.order()
    refs = [found for found in read_source(SourceFile(path=path, kind="tar")) if isinstance(found, ImageRef)]
    assert len(refs) == len(contents) and object_store.seen()["GET"] <= most
    object_store.order()
    for number in (len(refs) - 1, 1, 0):
        assert read_image_bytes(refs[number], max_bytes=1 << 30) == contents[number]
    assert object_store.seen()["GET"] == 3
