"""One more store is one more file: a shelf:// that this test writes into a folder of its own, and no edit anywhere."""

import importlib
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.store import StoreSuite
from shards_dataset import write_dataset

from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.reader import iter_samples
from florenz.stores import files, schemes
from florenz.train.data.examples import examples_of

SCHEME = "shelf://"
SHELF = '''
    """shelf://: a dictionary of bytes."""

    import contextlib
    import io

    from florenz.stores.contract import Facts

    FACTS = Facts(can_create_only=True)
    SHELF = {}


    def open_read(path):
        return io.BytesIO(read_bytes(path))


    def read_bytes(path):
        if path not in SHELF:
            raise FileNotFoundError(path)
        return SHELF[path]


    @contextlib.contextmanager
    def atomic_write(path):
        file = io.BytesIO()
        yield file
        SHELF[path] = file.getvalue()


    def create(path, content):
        mine = bytes(bytearray(content))  # not the caller's object: who came first is told by identity
        return SHELF.setdefault(path, mine) is mine


    def exists(path):
        return path in SHELF or any(name.startswith(path + "/") for name in SHELF)


    def remove(path):
        SHELF.pop(path, None)


    def list_names(folder):
        prefix = folder.rstrip("/") + "/"
        return [name.removeprefix(prefix) for name in list(SHELF) if name.startswith(prefix)]
'''


@pytest.fixture(scope="module", autouse=True)
def _shelf_is_added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("schemes")
    (folder / "shelf.py").write_text(textwrap.dedent(SHELF))
    (folder / "lacking.py").write_text("import a_package_that_nobody_has\n")
    schemes.__path__.append(str(folder))
    importlib.invalidate_caches()
    TestShelf.store = importlib.import_module("florenz.stores.schemes.shelf")
    yield
    schemes.__path__.remove(str(folder))
    files._store_for.cache_clear()


class TestShelf(StoreSuite):
    @pytest.fixture
    def folder(self) -> str:
        return f"{SCHEME}{uuid.uuid4().hex}"

    def put(self, path: str, content: bytes) -> None:
        self.store.SHELF[path] = content  # type: ignore[attr-defined]

    def get(self, path: str) -> bytes | None:
        return self.store.SHELF.get(path)  # type: ignore[attr-defined, no-any-return]

    def names(self, folder: str) -> list[str]:
        shelf = self.store.SHELF  # type: ignore[attr-defined]
        return sorted(path.removeprefix(f"{folder}/") for path in shelf if path.startswith(f"{folder}/"))

    def test_shards_and_manifest_lie_on_the_shelf_as_on_a_disk(self, folder: str, tmp_path: Path) -> None:
        manifest, on_disk = write_dataset(folder), write_dataset(str(tmp_path))
        paths = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
        assert self.names(folder) == sorted(paths) and "manifest.json" in paths and len(paths) > 3
        assert all(self.get(files.join(folder, path)) == (tmp_path / path).read_bytes() for path in paths)
        assert read_manifest(folder) == manifest == on_disk
        for shard in manifest.shards:
            here, there = (shard_path(out, manifest.build, shard.path) for out in (folder, str(tmp_path)))
            assert list(iter_samples(here)) == list(iter_samples(there))

    def test_a_training_reads_them_there(self, folder: str, tmp_path: Path) -> None:
        write_dataset(folder)
        write_dataset(str(tmp_path / "data"))
        found = list(examples_of(folder, "train", None, cache_folder=str(tmp_path / "cache")))
        assert found == list(examples_of(str(tmp_path / "data"), "train", None)) != []


def test_a_package_that_a_store_needs_and_that_is_missing_is_one_sentence() -> None:
    with pytest.raises(files.StoreError) as caught:
        files.read_bytes("lacking://a")
    said = "cannot open lacking://a: it needs the package a_package_that_nobody_has, which is missing"
    assert str(caught.value) == said
