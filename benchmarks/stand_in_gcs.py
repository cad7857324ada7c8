"""Google's store as its XML API describes it, as far as a client needs that reads, writes on conditions and lists.

Emulators that can be had are not complete: one ignores preconditions, another refuses an upload by PUT. Generations,
`x-goog-if-generation-match` and ETags follow https://cloud.google.com/storage/docs/xml-api/reference-headers. Objects
live in memory; whoever serves this asks for one request at a time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes
from xml.sax.saxutils import escape

META = "HTTP_X_GOOG_META_"
FIRST_GENERATION = 1_700_000_000_000_000


@dataclass(frozen=True, kw_only=True)
class Stored:
    content: bytes
    generation: int
    meta: dict[str, str] = field(default_factory=dict)
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            ("ETag", self.etag),
            ("x-goog-generation", str(self.generation)),
            ("Last-Modified", format_datetime(self.modified, usegmt=True)),
            *((f"x-goog-meta-{name}", value) for name, value in self.meta.items()),
        ]


class Refused(Exception):
    def __init__(self, status: str, code: str) -> None:
        self.status, self.code = status, code


class FakeGCS:
    """A WSGI application: {bucket: {name: object}}."""

    def __init__(self, buckets: Iterable[str]) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {name: {} for name in buckets}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.generation = FIRST_GENERATION

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = unquote_to_bytes(environ.get("RAW_URI", environ["PATH_INFO"]).partition("?")[0]).decode()
        bucket, _, name = path.lstrip("/").partition("/")
        query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        body = environ["wsgi.input"].read()
        try:
            if bucket not in self.buckets:
                raise Refused("404 Not Found", "NoSuchBucket")
            status, headers, content = self._answer(environ, self.buckets[bucket], name, query, body)
        except Refused as refused:
            status, headers = refused.status, []
            content = f"<Error><Code>{refused.code}</Code><Message>{refused.code}</Message></Error>".encode()
        length = next((value for key, value in headers if key == "Content-Length"), str(len(content)))
        rest = [(key, value) for key, value in headers if key != "Content-Length"]
        start(status, [*rest, ("Content-Length", length), ("Content-Type", "application/octet-stream")])
        return [content]

    def _answer(
        self, environ: dict[str, Any], objects: dict[str, Stored], name: str, query: dict[str, str], body: bytes
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        method = environ["REQUEST_METHOD"]
        if method == "GET" and not name:
            return "200 OK", [], self._listing(objects, query)
        if method in ("GET", "HEAD"):
            return self._read(environ, objects, name, is_head=method == "HEAD")
        if method == "POST" and "uploads" in query:
            upload = secrets.token_hex(8)
            self.uploads[upload] = {}
            said = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return "200 OK", [], said.encode()
        if method == "PUT" and "uploadId" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return "200 OK", [("ETag", f'"{hashlib.md5(body).hexdigest()}"')], b""
        if method == "POST" and "uploadId" in query:
            parts = self.uploads.pop(query["uploadId"])
            stored = self._store(environ, objects, name, b"".join(parts[number] for number in sorted(parts)))
            said = f"<CompleteMultipartUploadResult><ETag>{stored.etag}</ETag></CompleteMultipartUploadResult>"
            return "200 OK", stored.headers, said.encode()
        if method == "PUT":
            return "200 OK", self._store(environ, objects, name, body).headers, b""
        if method == "DELETE":
            if objects.pop(name, None) is None:
                raise Refused("404 Not Found", "NoSuchKey")
            return "204 No Content", [], b""
        raise Refused("405 Method Not Allowed", "MethodNotAllowed")

    def _store(self, environ: dict[str, Any], objects: dict[str, Stored], name: str, content: bytes) -> Stored:
        wanted = environ.get("HTTP_X_GOOG_IF_GENERATION_MATCH")
        current = objects[name].generation if name in objects else 0
        if wanted is not None and int(wanted) != current:
            raise Refused("412 Precondition Failed", "PreconditionFailed")
        self.generation += 1
        meta = {
            key.removeprefix(META).lower().replace("_", "-"): value
            for key, value in environ.items()
            if key.startswith(META)
        }
        objects[name] = Stored(content=content, generation=self.generation, meta=meta)
        return objects[name]

    def _read(
        self, environ: dict[str, Any], objects: dict[str, Stored], name: str, *, is_head: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        if name not in objects:
            raise Refused("404 Not Found", "NoSuchKey")
        stored = objects[name]
        if environ.get("HTTP_IF_MATCH", stored.etag) != stored.etag:
            raise Refused("412 Precondition Failed", "PreconditionFailed")
        size = len(stored.content)
        if is_head:
            return "200 OK", [*stored.headers, ("Content-Length", str(size))], b""
        if not (wanted := environ.get("HTTP_RANGE", "")):
            return "200 OK", stored.headers, stored.content
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if not int(first) < size:
            raise Refused("416 Range Not Satisfiable", "InvalidRange")
        end = min(int(last) + 1, size) if last else size
        headers = [*stored.headers, ("Content-Range", f"bytes {first}-{end - 1}/{size}")]
        return "206 Partial Content", headers, stored.content[int(first) : end]

    def _listing(self, objects: dict[str, Stored], query: dict[str, str]) -> bytes:
        prefix, after = query.get("prefix", ""), query.get("continuation-token") or query.get("start-after", "")
        names = sorted(name for name in objects if name.startswith(prefix) and name > after)
        page = names[: int(query.get("max-keys", "1000"))]
        has_more = len(page) < len(names)
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(objects[name].content)}</Size>"
            f"<LastModified>{objects[name].modified.isoformat()}</LastModified>"
            f"<ETag>{objects[name].etag}</ETag></Contents>"
            for name in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if has_more else ""
        return f"<ListBucketResult>{entries}{token}</ListBucketResult>".encode()
