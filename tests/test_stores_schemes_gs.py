"""The suite of all stores against a fake of Google's XML API, in its own process; the way round is `object_stores`."""

import uuid

import pytest
from contracts.store import StoreSuite
from object_stores import way_into

from benchmarks.stand_in_stores import StandInStore, Way
from florenz.stores.schemes import gs


class TestGS(StoreSuite):
    store = gs.STORE
    way: Way

    @pytest.fixture
    def folder(self, gs_store: StandInStore) -> str:
        type(self).way = way_into(gs_store)
        return f"{gs_store.bucket}/{uuid.uuid4().hex}"

    def put(self, path: str, content: bytes) -> None:
        self.way.put(path, content)

    def get(self, path: str) -> bytes | None:
        return self.way.get(path)

    def names(self, folder: str) -> list[str]:
        return self.way.names(folder)
