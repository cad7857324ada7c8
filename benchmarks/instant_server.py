"""A translation server that answers at once and always the same: `python -m benchmarks.instant_server MODEL`.

Stands in for vLLM where the pipeline itself is measured or tortured. Speaks the part of the real API that the client
uses; the answer to a prompt is one of a few sentences in the asked language, chosen by a hash, so that it depends on
nothing but the prompt. Prints its port and serves until it is stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SENTENCES = {
    "de": ("Eine Katze sitzt auf dem Gras und schläft.", "Zwei rote Autos stehen vor dem alten Haus.", ""),
    "fr": ("Un chat est assis sur l'herbe et il dort.", "Deux voitures rouges sont devant la vieille maison.", ""),
    "es": ("Un gato está sentado en la hierba y duerme.", "Dos coches rojos están delante de la casa vieja.", ""),
}
_LANGUAGE = re.compile(r"<\|(\w+)\|>$")


def answer(prompt: str) -> str:
    """One in three is empty, so that there is something to reject."""
    found = _LANGUAGE.search(prompt)
    sentences = SENTENCES.get(found.group(1) if found else "", ("",))
    return sentences[hashlib.sha256(prompt.encode()).digest()[0] % len(sentences)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = ""

    def do_GET(self) -> None:
        self._send({"data": [{"id": self.model}]} if self.path == "/v1/models" else {})

    def do_POST(self) -> None:
        prompts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        choices = [{"index": i, "text": answer(prompt), "finish_reason": "stop"} for i, prompt in enumerate(prompts)]
        self._send({"choices": choices, "usage": {"completion_tokens": len(choices)}})

    def _send(self, record: dict[str, Any]) -> None:
        body = json.dumps(record).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the stand-in is no news."""


@contextlib.contextmanager
def instant_server(model: str = "playground/models/translator") -> Iterator[str]:
    """The server in a process of its own, as long as the block runs; its endpoint."""
    command = [sys.executable, "-m", "benchmarks.instant_server", model]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def main() -> None:
    Handler.model = sys.argv[1]
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
