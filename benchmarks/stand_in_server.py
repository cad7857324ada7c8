"""A translation server that stands in for vLLM: `python -m benchmarks.stand_in_server MODEL`.

Speaks, over real HTTP, the part of the completions API that the client uses. What it answers depends on nothing but the
prompt. How it misbehaves is decided by a rule, request by request, and done by a fault:

    server.rule = lambda request: hang if "poison" in request.prompts[0] else None
    server.rule = script(status(503), reset)  # what becomes of the next two requests

The rule is asked for one request at a time, so it may count and remember, and must not wait. Faults run side by side,
each in the thread of its request, and may. As a program it remembers nothing, prints its port and serves until it is
killed. The standard library alone: it is up in a tenth of a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"
SENTENCES = {
    "de": ("Eine Katze sitzt auf dem Gras und schläft.", "Zwei rote Autos stehen vor dem alten Haus.", ""),
    "fr": ("Un chat est assis sur l'herbe et il dort.", "Deux voitures rouges sont devant la vieille maison.", ""),
    "es": ("Un gato está sentado en la hierba y duerme.", "Dos coches rojos están delante de la casa vieja.", ""),
}
# What a run asks before its first question that counts (`first_batch.py`; a test holds the two together). It is
# answered without a fault and not counted, or every test of a fault would have to say that it means the next request.
TRIES = ("A dog is sleeping.", "A house with a garden.", "Two birds are sitting on a wall.")
STUCK_S = 600.0  # so long a fault lasts that nobody ends; all who wait for it have given up before
MARKER = "###"  # of `translators/pieces.py`; a stand-in is a stranger and imports nothing of ours
_LANGUAGE = re.compile(r"<\|(\w+)\|>$")


def sentence_for(prompt: str) -> str:
    """One of a few sentences in the asked language, by a hash. One in three is empty: there is something to reject.
    Behind it the marker that sets a context apart, where the prompt has one.
    """
    found = _LANGUAGE.search(prompt)
    sentences = SENTENCES.get(found.group(1) if found else "", ("",))
    chosen = sentences[hashlib.sha256(prompt.encode()).digest()[0] % len(sentences)]
    return f"{chosen} {MARKER}" if f" {MARKER} (" in prompt else chosen


def prompts_of(body: dict[str, Any]) -> list[str]:
    """Those of a completion; of a chat the user's turn, of one with a picture its text and what the picture is."""
    if "messages" not in body:
        return body.get("prompt", [])
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return [content]
    return [" ".join(part.get("text") or part["image_url"]["url"] for part in content)]


def chat(text: str) -> dict[str, Any]:
    """The reply to a chat."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"completion_tokens": len(text.split())}}


def completions(texts: Sequence[str]) -> dict[str, Any]:
    """The reply with these texts; a token is a word."""
    choices = [{"index": index, "text": text, "finish_reason": "stop"} for index, text in enumerate(texts)]
    return {"choices": choices, "usage": {"completion_tokens": sum(len(text.split()) for text in texts)}}


class Request(BaseHTTPRequestHandler):
    """A request on its way. `body` is what it asks, {} for a GET; `number` counts those for completions, from 1."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart: it would hold the body back
    server: _Listener
    body: dict[str, Any] = {}
    number = 0

    @property
    def stand_in(self) -> StandInServer:
        return self.server.stand_in

    @property
    def prompts(self) -> list[str]:
        return prompts_of(self.body)

    def do_GET(self) -> None:
        self.body = {}  # the connection may have asked for something before
        self.stand_in.describe(self)

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (self.stand_in.fault_for(self) or answer)(self)

    def send_json(self, record: Any, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(record).encode(), status, **headers)

    def send(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_raw(self, reply: bytes) -> None:
        """All of a reply as it is on the wire, and an orderly end."""
        self.wfile.write(reply)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the stand-in is no news."""


Fault = Callable[[Request], None]  # what becomes of a request
Rule = Callable[[Request], Fault | None]  # None: it is answered


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # with Python's 5 the system resets some of a window that comes at once
    stand_in: StandInServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class StandInServer:
    """Serves while its context lasts, or from `start` to `stop`. Everything that was asked since `forget` is kept:

    bodies, headers: of each request for completions. answered: the prompts that got their text.
    `answer` says the text for a prompt, `rule` how to misbehave, `describe` replies to GET requests.
    """

    def __init__(
        self, model: str, answer: Callable[[str], str] = sentence_for, *, port: int = 0, remembers: bool = True
    ) -> None:
        self.model = model
        self.answer = answer
        self.port = port  # 0: any that is free; from `start` on the one that it has
        self.rule: Rule = no_fault
        self.try_answer = "Ein Hund."
        self.describe: Fault = list_models
        self.is_over = threading.Event()  # whoever hangs may go
        self._remembers = remembers
        self._listener: _Listener | None = None
        self._lock = threading.Lock()
        self.forget()

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    @property
    def asked(self) -> list[str]:
        """Prompts, of all requests."""
        return [prompt for body in list(self.bodies) for prompt in prompts_of(body)]

    def forget(self) -> None:
        """Count anew."""
        self.num_requests = 0
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answered: list[str] = []

    def start(self) -> None:
        self._listener = _Listener((HOST, self.port), Request)
        self._listener.stand_in = self
        self.port = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it is stopped."""
        self._thread.join()

    def stop(self) -> None:
        """From here on nobody listens; connections that are open are reset when they are used."""
        with self._lock:  # a second caller waits for the first: whoever was here finds nobody listening
            self.rule = lambda request: reset
            if self._listener:
                self._listener.shutdown()
                self._listener.server_close()
            self._listener = None

    def recover(self) -> None:
        """Serve, without faults, and count anew."""
        with self._lock:
            self.is_over.set()
            self.is_over = threading.Event()
            self.rule = no_fault
            self.forget()
            is_listening = self._listener is not None
        if not is_listening:
            self.start()

    def fault_for(self, request: Request) -> Fault | None:
        """Notes what is asked, and asks the rule."""
        if request.prompts and all(any(text in prompt for text in TRIES) for prompt in request.prompts):
            return answer_a_try
        with self._lock:
            self.num_requests += 1
            request.number = self.num_requests
            if self._remembers:
                self.bodies.append(request.body)
                self.headers.append(dict(request.headers))
            return self.rule(request)

    def note_answered(self, prompts: Sequence[str]) -> None:
        if self._remembers:
            self.answered += prompts

    def __enter__(self) -> StandInServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()
        self.stop()


# -- what becomes of a request ----------------------------------------------------------------------------------------


def answer(request: Request) -> None:
    """What it should be: the text for each prompt."""
    texts = [request.stand_in.answer(prompt) for prompt in request.prompts]
    request.stand_in.note_answered(request.prompts)  # first: who has read the answer may look at it
    request.send_json(reply_to(request, texts))


def answer_a_try(request: Request) -> None:
    request.send_json(reply_to(request, [request.stand_in.try_answer] * len(request.prompts)))


def reply_to(request: Request, texts: Sequence[str]) -> dict[str, Any]:
    return chat(texts[0]) if request.path.endswith("/chat/completions") else completions(texts)


def list_models(request: Request) -> None:
    """The one it serves; {} at other addresses, /health among them."""
    request.send_json({"data": [{"id": request.stand_in.model}]} if request.path == "/v1/models" else {})


def status(number: int, content: bytes = b'{"error": {"message": "engine  is\\ndown"}}', **headers: str) -> Fault:
    return lambda request: request.send(content, number, **headers)


def raw(reply: bytes) -> Fault:
    return lambda request: request.send_raw(reply)


def hang(request: Request) -> None:
    request.stand_in.is_over.wait(STUCK_S)
    request.close_connection = True


def drip(request: Request) -> None:
    """A byte now and then, for ever: the headers never end."""
    is_over, every_s = request.stand_in.is_over, 0.05
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(int(STUCK_S / every_s)):
        request.wfile.write(b"X")
        if is_over.wait(every_s):
            break
    request.close_connection = True


def reset(request: Request) -> None:
    request.wfile.flush()
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    request.close_connection = True
    request.rfile.close()  # it holds the socket open
    request.connection.close()


def cut_reply(request: Request) -> None:
    """The first half of the answer, then an orderly end."""
    content = json.dumps(completions([request.stand_in.answer(prompt) for prompt in request.prompts])).encode()
    request.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content[: len(content) // 2])


def reset_mid_reply(request: Request) -> None:
    cut_reply(request)
    reset(request)


def one_answer_short(request: Request) -> None:
    request.send_json(completions([request.stand_in.answer(prompt) for prompt in request.prompts[:-1]]))


def one_answer_too_many(request: Request) -> None:
    prompts = [*request.prompts, request.prompts[0]]
    request.send_json(completions([request.stand_in.answer(prompt) for prompt in prompts]))


def not_json(request: Request) -> None:
    request.send(b"<html>502 Bad Gateway</html>")


def die(request: Request) -> None:
    request.stand_in.stop()
    reset(request)


# -- which requests ---------------------------------------------------------------------------------------------------


def no_fault(request: Request) -> Fault | None:
    return None


def script(*faults: Fault) -> Rule:
    """One after the other, then none."""
    waiting = list(faults)
    return lambda request: waiting.pop(0) if waiting else None


def from_request(first: int, fault: Fault) -> Rule:
    """From this request on, for ever."""
    return lambda request: fault if request.number >= first else None


# -- a process of its own ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stand_in_process(model: str = "playground/models/translator") -> Iterator[str]:
    """The server in a process of its own, as long as the block runs; its endpoint."""
    command = [sys.executable, "-m", "benchmarks.stand_in_server", model]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://{HOST}:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def main() -> None:
    server = StandInServer(sys.argv[1], remembers=False)
    server.start()
    print(server.port, flush=True)
    server.wait()


if __name__ == "__main__":
    main()
