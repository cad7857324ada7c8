"""Object stores for tests and benchmarks, in processes of their own on loopback: S3 by moto, Google's by our own fake.

Requests are served one after the other, so that each is one step as in the real stores (moto looks and then writes).
Faults are ordered through `Faults`: so many requests that match are answered with a status, or cut off before or after
they were carried out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
CONTROL = "/_stand_in"
BUCKET = "florenz-bucket"
# moto refuses an anonymous reader, and believes whoever says a name.
ANYBODY = "AWS4-HMAC-SHA256 Credential=stand-in/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What happens to the next `times` requests of this method ("" for any) with this word in their path.

    status: the answer, unless 0. reset: "" or "before" or "after" the request is carried out the connection is cut.
    skip: so many that match are let through first.
    """

    method: str = ""
    word: str = ""
    times: int = 1
    skip: int = 0
    status: int = 0
    reset: str = ""
    code: str = "SlowDown"


class OneAtATime:
    """A WSGI application around another, which it asks one request at a time, counts and disturbs as it was told to."""

    def __init__(self, inner: Application) -> None:
        self.inner, self.lock, self.seen = inner, threading.Lock(), Counter[str]()
        self.faults: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # more would wait for ever
        with self.lock:
            if environ["PATH_INFO"] == CONTROL:
                return self._control(body, start)
            environ["wsgi.input"] = io.BytesIO(body)
            self.seen[environ["REQUEST_METHOD"]] += 1
            fault = self._fault_for(environ)
            if fault and fault["reset"] == "before":
                return _cut(environ)
            if fault and fault["status"]:
                start(f"{fault['status']} as ordered", [("Content-Type", "application/xml")])
                return [f"<Error><Code>{fault['code']}</Code><Message>as ordered</Message></Error>".encode()]
            answer = b"".join(self.inner(environ, start if not fault else lambda *_: None))
            return _cut(environ) if fault else [answer]

    def _control(self, body: bytes, start: Callable[..., Any]) -> list[bytes]:
        if body:
            self.faults = json.loads(body)
        seen = json.dumps({"seen": self.seen, "faults": self.faults}).encode()
        self.seen = Counter() if body else self.seen
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(seen)))])
        return [seen]

    def _fault_for(self, environ: dict[str, Any]) -> dict[str, Any] | None:
        for fault in self.faults:
            where = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
            if fault["times"] and fault["word"] in where and fault["method"] in ("", environ["REQUEST_METHOD"]):
                if fault["skip"]:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None


def _cut(environ: dict[str, Any]) -> list[bytes]:
    with contextlib.suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return []


@dataclass(frozen=True, kw_only=True)
class StandInStore:
    """A running one. variables: what has to stand in the environment of those who use it."""

    scheme: str
    url: str
    variables: dict[str, str]

    @property
    def bucket(self) -> str:
        return f"{self.scheme}://{BUCKET}"

    def order(self, *faults: Faults) -> None:
        """These faults instead of those before; requests are counted anew."""
        self._ask(json.dumps([asdict(fault) for fault in faults]).encode())

    def seen(self) -> Counter[str]:
        """Method -> number of requests since the last order."""
        return Counter(json.loads(self._ask(None))["seen"])

    def _ask(self, body: bytes | None) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.url + CONTROL, data=body)) as answer:
            content: bytes = answer.read()
        return content


class Way:
    """A way into a stand-in that goes round obstore: plain requests. Paths are whole URLs."""

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

    def remove(self, path: str) -> None:
        self._ask("DELETE", self._key(path))

    def names(self, folder: str) -> list[str]:
        prefix = f"{self._key(folder)}/"
        return sorted(name.removeprefix(prefix) for name in self._keys(prefix))

    def _key(self, path: str) -> str:
        return path.removeprefix(f"{self.store.bucket}/")

    def _ask(self, method: str, key: str, content: bytes | None = None) -> bytes:
        url = f"{self.store.url}/{BUCKET}/{quote(key, safe='/')}"
        request = urllib.request.Request(url, data=content, method=method)
        request.add_header("Content-Type", "application/octet-stream")
        request.add_header("Authorization", ANYBODY)
        with urllib.request.urlopen(request) as answer:
            body: bytes = answer.read()
        return body

    def _keys(self, prefix: str) -> list[str]:
        with urllib.request.urlopen(f"{self.store.url}/{BUCKET}?prefix={quote(prefix)}&max-keys=100000") as answer:
            return [key.text or "" for key in ElementTree.fromstring(answer.read()).findall(".//{*}Key")]


@contextlib.contextmanager
def stand_in_store(scheme: str) -> Iterator[StandInStore]:
    """A store of this scheme ("s3", "gs") with an empty bucket BUCKET, until the block ends."""
    words = [sys.executable, "-m", "benchmarks.stand_in_stores", scheme]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            assert line, "the stand-in store did not start"
            url = f"http://{HOST}:{int(line[0])}"
            yield StandInStore(scheme=scheme, url=url, variables=_variables(scheme, url))
        finally:
            process.kill()


def _variables(scheme: str, url: str) -> dict[str, str]:
    if scheme == "gs":
        return {"STORAGE_EMULATOR_HOST": url}
    keys = {"AWS_ACCESS_KEY_ID": "stand-in", "AWS_SECRET_ACCESS_KEY": "stand-in"}
    return {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", **keys}


def _application(scheme: str) -> Application:
    if scheme == "gs":
        from benchmarks.stand_in_gcs import FakeGCS

        return FakeGCS({BUCKET})
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3.models import s3_backends

    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, "us-east-1")
    application: Application = DomainDispatcherApplication(create_backend_app)
    return application


def main(scheme: str) -> None:
    import logging

    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *_: object) -> None:
            pass

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server(HOST, 0, OneAtATime(_application(scheme)), threaded=True, request_handler=Handler)
    print(server.server_port, flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
