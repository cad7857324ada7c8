"""The suite of all stores against moto's S3, in a process of its own; the way round it is `object_stores.py`."""

import uuid

import pytest
from contracts.store import StoreSuite
from object_stores import way_into

from benchmarks.stand_in_stores import StandInStore, Way
from florenz.stores.schemes import s3


class TestS3(StoreSuite):
    store = s3.STORE
    way: Way

    @pytest.fixture
    def folder(self, s3_store: StandInStore) -> str:
        type(self).way = way_into(s3_store)
        return f"{s3_store.bucket}/{uuid.uuid4().hex}"

    def put(self, path: str, content: bytes) -> None:
        self.way.put(path, content)

    def get(self, path: str) -> bytes | None:
        return self.way.get(path)

    def names(self, folder: str) -> list[str]:
        return self.way.names(folder)
