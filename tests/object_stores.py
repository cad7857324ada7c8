"""A way into the stand-in stores that goes round obstore: boto3 for S3, plain requests for Google's."""

import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from benchmarks.stand_in_stores import BUCKET, StandInStore


class Way:
    """put, get, names, as `contracts/store.py` wants them; paths are whole URLs."""

    def __init__(self, store: StandInStore) -> None:
        self.store = store

    def put(self, path: str, content: bytes) -> None:
        self._ask("PUT", self._key(path), content)

    def get(self, path: str) -> bytes | None:
        try:
            return self._ask("GET", self._key(path))
        except urllib.error.HTTPError as refused:
            if refused.code == 404:
                return None
            raise

    def names(self, folder: str) -> list[str]:
        prefix = f"{self._key(folder)}/"
        return sorted(name.removeprefix(prefix) for name in self._keys(prefix))

    def _key(self, path: str) -> str:
        return path.removeprefix(f"{self.store.bucket}/")

    def _ask(self, method: str, key: str, content: bytes | None = None) -> bytes:
        url = f"{self.store.url}/{BUCKET}/{quote(key, safe='/')}"
        with urllib.request.urlopen(urllib.request.Request(url, data=content, method=method)) as answer:
            body: bytes = answer.read()
        return body

    def _keys(self, prefix: str) -> list[str]:
        with urllib.request.urlopen(f"{self.store.url}/{BUCKET}?prefix={quote(prefix)}&max-keys=100000") as answer:
            return [key.text or "" for key in ElementTree.fromstring(answer.read()).iter("Key")]


class S3Way(Way):
    def __init__(self, store: StandInStore) -> None:
        import boto3

        super().__init__(store)
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=store.url,
            region_name=store.variables["AWS_REGION"],
            aws_access_key_id="stand-in",
            aws_secret_access_key="stand-in",
        )

    def put(self, path: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=self._key(path), Body=content)

    def get(self, path: str) -> bytes | None:
        try:
            found: bytes = self.client.get_object(Bucket=BUCKET, Key=self._key(path))["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return found

    def _keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]


def way_into(store: StandInStore) -> Way:
    return S3Way(store) if store.scheme == "s3" else Way(store)
