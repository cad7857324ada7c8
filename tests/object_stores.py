"""A way into the stand-in stores that goes round obstore: boto3 for S3, plain requests for Google's."""

from typing import Any

from benchmarks.stand_in_stores import BUCKET, StandInStore, Way


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
