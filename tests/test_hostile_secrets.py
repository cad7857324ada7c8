"""A key is put into every place in which a server could repeat it, in whole runs; OUT, screen and logs are searched."""

import json
import logging
import pickle
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.stand_in_server import Request, StandInServer, completions
from florenz.console import fail
from florenz.pipeline.__main__ import main
from florenz.pipeline.answers.ledger import Ledger, TranslationRow
from florenz.playground.world import draw_world
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError
from florenz.translators.secrets import DOTS, SECRET_VARIABLES, Secret, api_key
from florenz.translators.settings import TranslatorSettings

MODEL = "playground/models/translator"
CORE = "Zq7KernelOfTheKey9x"
KEY = f"sk-{CORE}/a+b=c"
RECIPE = """
languages = ["de"]
out = "{out}"
[images]
source = "{images}"
[captioner]
model = "playground/models/captioner"
styles = ["short"]
cpu_threads = 1
[translator]
model = "playground/models/translator"
prompt = "playground"
endpoint = "{endpoint}"
prompts_per_request = 1
max_retries = 1
backoff_s = 0.01
[shards]
val_fraction = 0.3
"""


def test_a_secret_prints_as_dots_whatever_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORENZ_API_KEY", f"  {KEY}\n")
    secret = api_key()
    assert secret is not None and secret.reveal() == KEY
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        f"{secret:>20}",
        str([secret]),
        str({1: secret}),
    ]
    assert all(CORE not in text and DOTS in text for text in shown)
    for spill in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            spill(secret)
    assert not hasattr(secret, "__dict__")


def test_a_secret_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SECRET_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert api_key() is None and Secret.from_environment("FLORENZ_API_KEY") is None
    recipe = tmp_path / "recipe.toml"
    for line in (
        f'api_key = "{KEY}"', f'endpoint = "http://me:{KEY}@host/v1"', f'endpoint = "http://host/v1?key={KEY}"'
    ):  # fmt: skip
        text = RECIPE.format(out=tmp_path / "out", images="playground", endpoint="http://host/v1")
        recipe.write_text(text.replace('endpoint = "http://host/v1"', line) if "endpoint" in line else
                          text.replace("[translator]", f"[translator]\n{line}"))  # fmt: skip
        assert main([str(recipe)]) == 2


# -- a server that repeats it -----------------------------------------------------------------------------------------


def wire(status: int, body: str, *, reason: str = "OK", kind: str = "application/json", header: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, *([header] if header else []), "Connection: close", "", body]).encode()


Echo = Callable[[str, Request], bytes]  # what was sent as Authorization, the request -> the reply on the wire


def good(key: str, request: Request) -> bytes:
    return wire(200, json.dumps(completions([request.stand_in.answer(prompt) for prompt in request.prompts])))


ERRORS = (300, 302, 307, 400, 401, 403, 404, 408, 409, 413, 418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 599)
ECHOES: dict[str, Echo] = {
    "status line": lambda key, _: wire(400, "{}", reason=key),
    "status line of success": lambda key, request: good(key, request).replace(b"OK", key.encode(), 1),
    "header": lambda key, _: wire(400, "{}", header=f"X-Echo: {key}"),
    "header's name": lambda key, _: wire(400, "{}", header=f"{key.replace(' ', '-')}: 1"),
    "no header": lambda key, _: wire(400, "{}", header=f"bad line {key}"),
    "retry-after": lambda key, _: wire(503, "{}", header=f"Retry-After: {key}"),
    "content type": lambda key, _: wire(400, key, kind=f"text/plain; charset={key}"),
    "content encoding": lambda key, _: wire(200, key, header=f"Content-Encoding: {key}"),
    "length": lambda key, _: f"HTTP/1.1 200 OK\r\nContent-Length: {key}\r\n\r\n{key}".encode(),
    "chunk size": lambda key, _: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n".encode(),
    "protocol": lambda key, _: f"{key} 200 OK\r\n\r\n".encode(),
    "redirect": lambda key, _: wire(302, "", header=f"Location: http://127.0.0.1:9/?{urllib.parse.quote(key)}"),
    "event stream": lambda key, _: wire(200, f'data: {{"text": "{key}"}}\n\n', kind="text/event-stream"),
    "text": lambda key, request: wire(200, json.dumps(completions([f"Ein {key}." for _ in request.prompts]))),
    "finish reason": lambda key, request: good(key, request).replace(b'"stop"', json.dumps(key).encode()),
    "tokens": lambda key, _: wire(200, json.dumps({"choices": [], "usage": {"completion_tokens": key}})),
    "index": lambda key, _: wire(200, json.dumps({"choices": [{"index": key, "text": "x"}]})),
    "half a reply": lambda key, _: wire(200, json.dumps({"choices": key}))[:-4],
    **{
        f"body of {status}": lambda key, _, status=status: wire(status, json.dumps({"error": f"bad {key}"}))
        for status in ERRORS
    },
}  # fmt: skip


class EchoServer(StandInServer):
    """One echo for each prompt in turn, once; what is asked again is answered."""

    def __init__(self) -> None:
        super().__init__(MODEL)
        self.echo: Echo = good
        self.rule = lambda request: self.reply

    def reply(self, request: Request) -> None:
        request.send_raw(self.echo(request.headers.get("Authorization", ""), request))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EchoServer]:
    monkeypatch.setenv("FLORENZ_API_KEY", KEY)
    with EchoServer() as echo_server:
        yield echo_server


def assert_nowhere(folder: Path, screen: str) -> None:
    assert CORE not in screen, screen[max(0, screen.index(CORE) - 300) : screen.index(CORE) + 100]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes() + str(path).encode()
            spellings = (CORE.encode(), CORE.encode().hex().encode(), CORE.encode("utf-16-le"))
            assert not any(spelling in content for spelling in spellings), path


@pytest.mark.parametrize("name", list(ECHOES))
def test_wherever_a_server_repeats_the_key_it_reaches_neither_ledger_nor_screen_nor_log(
    server: EchoServer,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: list[str] = []

    def noting(key: str, request: Request) -> bytes:
        sent.append(key)
        return ECHOES[name](key, request)

    server.echo = noting
    chosen = TranslatorSettings(model=MODEL, prompt="playground", max_retries=1, backoff_s=0.01, request_timeout_s=5)
    rows: list[TranslationRow] = []
    try:
        (answer,) = Client(server.endpoint, MODEL, chosen).translate(["A red car."], "de")
        text = None if answer.reason else answer.text
        said = {"finish_reason": answer.finish_reason, "reason": answer.reason, "detail": answer.detail}
        rows = [TranslationRow(key="k", style="short", language="de", source_text="A red car.", text=text, **said)]
    except ServerError as problem:
        fail(str(problem), 1)
        assert CORE not in "".join(traceback.format_exception(problem))
    Ledger(str(tmp_path)).append_translations("de", "f" * 16, rows)
    for part in tmp_path.rglob("*.parquet"):  # compressed: what a reader would see
        (tmp_path / "rows").write_text(str(pq.read_table(part).to_pylist()))
    assert sent[0] == f"Bearer {KEY}", "it was there to be repeated"
    screen = capfd.readouterr()
    assert_nowhere(tmp_path, screen.out + screen.err + caplog.text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "body of 400", "body of 500", "status line"])
def test_nor_does_it_in_whole_runs(
    server: EchoServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    draw_world(str(tmp_path / "images"), count=3, seed=4)
    server.echo = ECHOES[name]
    (tmp_path / "images" / "scenes.parquet").unlink()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(out=tmp_path / "out", images=tmp_path / "images", endpoint=server.endpoint))
    assert main([str(recipe)]) in (0, 1)
    screen = capfd.readouterr()
    assert "Traceback" not in screen.err
    assert_nowhere(tmp_path, screen.out + screen.err)
    for path in tmp_path.rglob("*.parquet"):
        assert CORE not in str(pq.read_table(path).to_pylist())


@pytest.mark.parametrize("status", [200, 500])
def test_nor_before_the_run(server: EchoServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], status: int) -> None:
    def describe(request: Request) -> None:
        key = request.headers["Authorization"]
        request.send_json({"data": [{"id": key}]} if status == 200 else {"error": key}, status)

    server.describe = describe
    draw_world(str(tmp_path / "images"), count=3, seed=4)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(out=tmp_path / "out", images=tmp_path / "images", endpoint=server.endpoint))
    assert main([str(recipe)]) == 2
    screen = capfd.readouterr()
    assert "127.0.0.1" in screen.err
    assert_nowhere(tmp_path, screen.out + screen.err)
