"""A stand-in for the Hugging Face Hub's uploads: `with StandInHub() as hub: hub.endpoint`, on 127.0.0.1.

As much of the protocol as huggingface_hub 2.4 needs to upload a folder of a dataset: make a repository, ask how files
go (`preupload`), upload large ones (git-LFS batch and PUT; or Xet: a token, xorbs, a shard), commit, list, delete. What
was committed stands in `files`. `fail_after`: from so many uploads of content on, no more are taken, until it is set
to None.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

LARGE = (".tar", ".parquet")
TOKEN = "hf_StandInToken"


class StandInHub:
    """files: path -> SHA-256 of a large file, or the content of a small one. Sizes of large ones are in `sizes`."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, Any]] = {}
        self.files: dict[str, str | bytes] = {}
        self.sizes: dict[str, int] = {}
        self.objects: dict[str, bytes] = {}  # git-LFS: SHA-256 -> content
        self.xorbs: list[int] = []  # Xet: bytes of each piece of content
        self.commits: list[list[str]] = []
        self.requests: list[str] = []
        self.strangers = 0  # requests without the token
        self.fail_after: int | None = None
        self.num_uploads = 0
        self.lock = threading.Lock()

    def __enter__(self) -> StandInHub:
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def may_upload(self) -> bool:
        with self.lock:
            self.num_uploads += 1
            return self.fail_after is None or self.num_uploads <= self.fail_after

    def commit(self, lines: list[dict[str, Any]]) -> None:
        names = []
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[value["path"]] = value["oid"]
                self.sizes[value["path"]] = value["size"]
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]
            else:
                continue
            names.append(("-" if line["key"] == "deletedFile" else "+") + value["path"])
        self.commits.append(names)


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, record: object, status: int = 200) -> None:
        content = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._answer(b"")

    def do_HEAD(self) -> None:
        self._send({}, 404)

    def do_PUT(self) -> None:
        self._answer(self._body())

    def do_POST(self) -> None:
        self._answer(self._body())

    def _answer(self, body: bytes) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        hub.requests.append(f"{self.command} {path}")
        if path == "/api/agent-harnesses":  # asked without a token, whatever it is for
            return self._send({}, 404)
        if TOKEN not in self.headers.get("Authorization", "") and not path.startswith("/lfs/"):
            hub.strangers += 1
            return self._send({"error": "Invalid username or password."}, 401)
        is_content = path.startswith("/lfs/") or "/xorbs/" in path
        if is_content and not hub.may_upload():
            return self._send({"error": "no room left"}, 403)  # an answer that the client does not try again
        for part, answer in (
            ("/api/repos/create", self._create),
            ("/preupload/", self._preupload),
            ("/info/lfs/objects/batch", self._batch),
            ("/lfs/", self._lfs),
            ("/commit/", self._commit),
            ("/tree/", self._tree),
            ("-write-token/", self._xet_token),
            ("/xorbs/", self._xorb),
            ("/v1/shards", self._shard),
            ("/validate-yaml", self._yaml),
        ):
            if part in path:
                return answer(path, body)
        if path.startswith("/api/datasets/"):
            return self._send({"id": path[len("/api/datasets/") :], "sha": "0" * 40, "siblings": []})
        return self._send({"error": f"no such thing: {path}"}, 404)

    def _create(self, path: str, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        status = 409 if name in self.hub.repos else 200
        self.hub.repos.setdefault(name, asked)
        self._send({"url": f"{self.hub.endpoint}/datasets/{name}", "error": "You already created this"}, status)

    def _preupload(self, path: str, body: bytes) -> None:
        def told(name: str) -> dict[str, object]:
            found = self.hub.files.get(name)
            mode = "lfs" if name.endswith(LARGE) else "regular"
            oid = found if isinstance(found, str) else found and _git_sha1(found)
            return {"path": name, "uploadMode": mode, "shouldIgnore": False, **({"oid": oid} if oid else {})}

        self._send({"files": [told(one["path"]) for one in json.loads(body)["files"]]})

    def _batch(self, path: str, body: bytes) -> None:
        def told(one: dict[str, Any]) -> dict[str, Any]:
            href = {"href": f"{self.hub.endpoint}/lfs/{one['oid']}"}
            return {**one, **({} if one["oid"] in self.hub.objects else {"actions": {"upload": href}})}

        self._send({"transfer": "basic", "objects": [told(one) for one in json.loads(body)["objects"]]})

    def _lfs(self, path: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != path.rpartition("/")[2]:
            return self._send({"error": "other bytes than announced"}, 400)
        self.hub.objects[path.rpartition("/")[2]] = body
        return self._send({})

    def _commit(self, path: str, body: bytes) -> None:
        self.hub.commit([json.loads(line) for line in body.splitlines()])
        number = f"{len(self.hub.commits):040d}"
        repo = path.removeprefix("/api/").partition("/commit/")[0]
        url = f"{self.hub.endpoint}/{repo}/commit/{number}"
        self._send({"success": True, "commitOid": number, "commitUrl": url})

    def _tree(self, path: str, body: bytes) -> None:
        self._send([{"type": "file", "path": name, "size": 0, "oid": "0" * 40} for name in sorted(self.hub.files)])

    def _yaml(self, path: str, body: bytes) -> None:
        self._send({"warnings": [], "errors": []})

    def _xet_token(self, path: str, body: bytes) -> None:
        record = {"accessToken": TOKEN, "exp": int(time.time()) + 3600, "casUrl": f"{self.hub.endpoint}/cas"}
        self._send(record)

    def _xorb(self, path: str, body: bytes) -> None:
        self.hub.xorbs.append(len(body))
        self._send({"was_inserted": True})

    def _shard(self, path: str, body: bytes) -> None:
        self._send({"result": 1})


def _git_sha1(content: bytes) -> str:
    """As git names a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
