"""The small server of `make sample`: gives out one sheet and keeps what is clicked. On 127.0.0.1 alone.

Any web page that the reader has open can send requests to 127.0.0.1. So an answer must bear the token that stands in
the page alone, and a request the address that we listen on (a name that was pointed at 127.0.0.1 is not it).
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from florenz.reports.judging import SAMPLES, SampleError, add_answers
from florenz.stores import files

MAX_BODY_BYTES = 4096
TIMEOUT_S = 30


def make_server(out: str, name: str, port: int = 0) -> ThreadingHTTPServer:
    """A server of the sheet, listening; `serve_forever` runs it. port 0: any that is free."""
    page = files.read_bytes(files.join(out, SAMPLES, f"{name}.html"))
    token = secrets.token_urlsafe(16)
    page = page.replace(b'data-token=""', f'data-token="{token}"'.encode(), 1)
    one_at_a_time = threading.Lock()  # answers are joined with those that were there

    def keep(record: object) -> str:
        with one_at_a_time:
            return add_answers(out, record)

    return ThreadingHTTPServer(("127.0.0.1", port), _handler(page, token, keep))


def _handler(page: bytes, token: str, keep: Callable[[object], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S  # of one connection: a client that sends nothing holds no thread for ever

        def do_GET(self) -> None:
            if not self._is_for_us() or self.path != "/":
                return self._answer(HTTPStatus.NOT_FOUND)
            self._answer(HTTPStatus.OK, page, "text/html; charset=utf-8")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            given = self.headers.get("X-Florenz", "")
            if (
                not self._is_for_us()
                or self.path != "/answers"
                or not secrets.compare_digest(given.encode(), token.encode())
            ):
                return self._answer(HTTPStatus.FORBIDDEN)
            if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                return self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            try:
                keep(json.loads(self.rfile.read(int(length))))
            except (SampleError, ValueError, RecursionError):
                return self._answer(HTTPStatus.BAD_REQUEST)
            self._answer(HTTPStatus.NO_CONTENT)

        def _is_for_us(self) -> bool:
            return self.headers.get("Host", "") == f"127.0.0.1:{cast(ThreadingHTTPServer, self.server).server_port}"

        def _answer(self, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: clicks are no news."""

    return Handler
