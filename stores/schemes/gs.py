"""gs://: Google's store. Credentials as everywhere at Google: GOOGLE_APPLICATION_CREDENTIALS, a login, the machine's.

STORAGE_EMULATOR_HOST names an emulator, which is then spoken to without credentials.
"""

import json
from collections.abc import Mapping
from typing import Any

from obstore.store import GCSStore

from florenz.stores.objects import ObjectStore

ADVICE = "check GOOGLE_APPLICATION_CREDENTIALS, or log in with `gcloud auth application-default login`"


def _connect(bucket: str, environment: Mapping[str, str], options: dict[str, Any]) -> GCSStore:
    emulator = environment.get("STORAGE_EMULATOR_HOST", "")
    if not emulator:
        return GCSStore(bucket, **options)
    url = emulator if "://" in emulator else f"http://{emulator}"
    options["client_options"]["allow_http"] = url.startswith("http://")
    account = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    return GCSStore(bucket, service_account_key=json.dumps(account), **options)


STORE = ObjectStore(scheme="gs", variables=("GOOGLE_", "STORAGE_EMULATOR_HOST"), advice=ADVICE, connect=_connect)
