"""What fsspec opens, with its memory:// for an object store; the way round is the dictionary that holds its bytes."""

import uuid
from collections.abc import Iterator

import pytest
from contracts.store import StoreSuite
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from florenz.stores import files
from florenz.stores.schemes import remote

SCHEME = "memory:/"


class TestMemory(StoreSuite):
    store = remote

    @pytest.fixture
    def folder(self) -> Iterator[str]:
        name = f"/{uuid.uuid4().hex}"
        yield SCHEME + name
        for key in [key for key in MemoryFileSystem.store if key.startswith(name)]:
            del MemoryFileSystem.store[key]

    def put(self, path: str, content: bytes) -> None:
        key = path.removeprefix(SCHEME)
        MemoryFileSystem.store[key] = MemoryFile(None, key, content)

    def get(self, path: str) -> bytes | None:
        held = MemoryFileSystem.store.get(path.removeprefix(SCHEME))
        return None if held is None else held.getvalue()

    def names(self, folder: str) -> list[str]:
        prefix = folder.removeprefix(SCHEME) + "/"
        return sorted(key.removeprefix(prefix) for key in MemoryFileSystem.store if key.startswith(prefix))

    @pytest.mark.xfail(strict=True, raises=AssertionError, reason="memory:// hands the one open file to every reader")
    def test_two_readers_of_one_file_do_not_disturb_each_other(self, folder: str) -> None:
        super().test_two_readers_of_one_file_do_not_disturb_each_other(folder)

    @pytest.mark.skip(reason="memory:// shows a file before its bytes are in it; whether a reader looks then is chance")
    def test_a_reader_sees_one_writing_or_the_other_and_no_mixture(self, folder: str) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("url", ["nowhere://x/y", "remote://x/y", "no-where://x", "a/b://x"])
def test_a_scheme_that_nobody_knows_is_said_with_the_path(url: str) -> None:
    with pytest.raises(files.StoreError, match=f"^cannot open {url}: "):
        files.read_bytes(url)


def test_what_fsspec_chains_goes_to_fsspec() -> None:
    assert files.store_of("simplecache::memory://a") is remote
    assert files.store_of("local:///tmp/a") is remote
