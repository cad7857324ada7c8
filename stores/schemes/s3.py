"""s3://: Amazon's store and those that speak its language. All settings are the standard AWS_ variables.

AWS_ENDPOINT_URL names another store than Amazon's; http:// is taken only where it says so. The store must honour
If-None-Match and If-Match on a PUT, as Amazon's does.
"""

from collections.abc import Mapping
from typing import Any

from obstore.store import S3Store

from florenz.stores.objects import ObjectStore

ADVICE = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN), AWS_REGION and AWS_ENDPOINT_URL"


def _connect(bucket: str, environment: Mapping[str, str], options: dict[str, Any]) -> S3Store:
    named = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    options["client_options"]["allow_http"] = named.startswith("http://")
    return S3Store(bucket, **options)


STORE = ObjectStore(scheme="s3", variables=("AWS_",), advice=ADVICE, connect=_connect)
