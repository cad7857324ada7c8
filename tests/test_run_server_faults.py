"""Whole runs against a translation server that misbehaves: nothing is lost, nothing is asked twice.

The command line runs in this process, with the real captioner; the server is a stand-in that speaks the real API and
fails on command. A fault that passes within the client's budget must not show in one byte of the result. One that does
not must stop the run in two lines, with every answer that came back in the ledger; the same command then finishes.
"""

import hashlib
import json
import logging
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from florenz.pipeline.__main__ import main
from florenz.pipeline.answers.captioning import Florence
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.questions import translation_fingerprint
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.recipe import load_recipe
from florenz.playground.world import draw_world
from florenz.shards.manifest import read_manifest
from florenz.shards.verify import verify
from florenz.translators.client import HARMLESS_TEXT, Client

MODEL = "playground/models/translator"
RECIPE = """
languages = ["de", "fr"]
out = "{out}"
[images]
source = "{images}"
[captioner]
model = "playground/models/captioner"
batch_size = 2
cpu_threads = 1
[translator]
model = "playground/models/translator"
prompt = "playground"
endpoint = "{endpoint}"
prompts_per_request = 2
max_in_flight = 2
request_timeout_s = 1.0
max_retries = 2
backoff_s = 0.01
[shards]
images_per_shard = 2
val_fraction = 0.3
"""
NUM_IMAGES = 8
NUM_PROMPTS = NUM_IMAGES * 2 * 2  # styles, languages
PER_REQUEST, PER_BATCH = 2, 4
TRIES = 3  # max_retries + 1
IDENTITY = ("key", "style", "language")

THINGS = {
    "de": (("Ein rotes Auto", "Ein kleiner Hund", "Eine graue Katze", "Ein altes Haus", "Ein blaues Boot"),
           ("steht am Fluss.", "ist neben dem Baum.", "ist auf der Wiese.", "liegt in der Sonne.", "ist im Schnee.")),
    "fr": (("Une voiture rouge", "Un petit chien", "Un chat gris", "Une vieille maison", "Un bateau bleu"),
           ("est près de la rivière.", "est à côté de l'arbre.", "est dans le pré.", "est au soleil.", "dort.")),
}  # fmt: skip


def answer(prompt: str) -> str:
    """One of 25 sentences in the language asked for, by a hash: an answer that went astray would show."""
    subjects, places = THINGS[prompt[-4:-2]]
    digest = hashlib.sha256(prompt.encode()).digest()
    return f"{subjects[digest[0] % 5]} {places[digest[1] % 5]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    translator: "Translator"

    def do_GET(self) -> None:
        self.send_json({"data": [{"id": MODEL}]})

    def do_POST(self) -> None:
        prompts: list[str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        translator = self.translator
        fault = translator.fault_for(prompts)
        if fault:
            fault(self, prompts)
        else:
            translator.has_answered(prompts)  # first: who has read the answer may look at it
            self.send_json(translated(prompts))

    def send_json(self, record: dict[str, Any], status: int = 200, **headers: str) -> None:
        self.send_bytes(json.dumps(record).encode(), status, **headers)

    def send_bytes(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""


Fault = Callable[[Handler, list[str]], None]


@dataclass
class Translator:
    """The stand-in. `fault_for(prompts)` is called once for each request and says how to misbehave, None for not.

    `asked` and `answered` are prompts, over all requests since `make_well`.
    """

    asked: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    rule: Callable[[int, list[str]], Fault | None] = lambda number, prompts: None
    port: int = 0
    is_well: threading.Event = field(default_factory=threading.Event)
    num_requests: int = 0
    _server: QuietServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has_answered(self, prompts: list[str]) -> None:
        """The prompt that clears the server of suspicion is not one that we asked."""
        self.answered.update(prompt for prompt in prompts if HARMLESS_TEXT not in prompt)

    def fault_for(self, prompts: list[str]) -> Fault | None:
        with self._lock:
            self.num_requests += 1
            self.asked += prompts
            return self.rule(self.num_requests, prompts)

    def start(self) -> None:
        handler = type("Bound", (Handler,), {"translator": self})
        self._server = QuietServer(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def die(self) -> None:
        """From here on nobody listens; connections that are open are reset when they are used."""
        with self._lock:
            server, self._server = self._server, None
            self.rule = lambda number, prompts: reset
        if server:
            server.shutdown()
            server.server_close()

    def make_well(self) -> None:
        """Serve, without faults, and count anew."""
        self.is_well.set()  # whoever hangs may go
        with self._lock:
            self.is_well, self.asked, self.answered, self.num_requests = threading.Event(), [], set(), 0
            self.rule = lambda number, prompts: None
        if self._server is None:
            self.start()


def translated(prompts: list[str]) -> dict[str, Any]:
    choices = [{"index": i, "text": answer(prompt), "finish_reason": "stop"} for i, prompt in enumerate(prompts)]
    return {"choices": choices, "usage": {"completion_tokens": len(choices)}}


# -- how to misbehave -------------------------------------------------------------------------------------------------


def hang(handler: Handler, prompts: list[str]) -> None:
    handler.translator.is_well.wait()
    handler.close_connection = True


def drip(handler: Handler, prompts: list[str]) -> None:
    """A byte now and then, for ever: the headers never end."""
    is_well = handler.translator.is_well
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not is_well.wait(0.05):
        handler.wfile.write(b"X")


def reset(handler: Handler, prompts: list[str]) -> None:
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.close_connection = True
    handler.rfile.close()  # it holds the socket open
    handler.connection.close()


def reset_mid_reply(handler: Handler, prompts: list[str]) -> None:
    body = json.dumps(translated(prompts)).encode()
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])
    reset(handler, prompts)


def cut_reply(handler: Handler, prompts: list[str]) -> None:
    """The first half of the reply, then an orderly end."""
    body = json.dumps(translated(prompts)).encode()
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])
    handler.close_connection = True


def status(number: int, **headers: str) -> Fault:
    return lambda handler, prompts: handler.send_json({"error": {"message": "engine  is\ndown"}}, number, **headers)


def one_answer_short(handler: Handler, prompts: list[str]) -> None:
    handler.send_json(translated(prompts[:-1]))


def one_answer_too_many(handler: Handler, prompts: list[str]) -> None:
    handler.send_json(translated([*prompts, prompts[0]]))


def not_json(handler: Handler, prompts: list[str]) -> None:
    handler.send_bytes(b"<html>502 Bad Gateway</html>")


def die(handler: Handler, prompts: list[str]) -> None:
    handler.translator.die()
    reset(handler, prompts)


# -- runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class World:
    """A recipe, the stand-in, and what an undisturbed run makes of them."""

    recipe: Path
    out: Path
    translator: Translator
    result: dict[str, bytes]
    prompts: frozenset[str]  # all that it asks
    captions: Path  # a copy of OUT/ledger/captions after that run

    def start_anew(self) -> None:
        """OUT as it is when everything is captioned and nothing translated; the server is well."""
        shutil.rmtree(self.out)
        shutil.copytree(self.captions, self.out / "ledger" / "captions")
        self.translator.make_well()

    def run(self, *variables: str) -> int:
        return main([str(self.recipe), *variables])

    def stopped_line(self, capfd: pytest.CaptureFixture[str]) -> str:
        """Run, which must end with exit code 1 and two lines; the first of them."""
        capfd.readouterr()
        assert self.run() == 1
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 2 and all(line.startswith("florenz: ") for line in lines), lines
        assert lines[1].endswith(f"what was answered is kept in {self.out}: run the same command to go on")
        assert "Traceback" not in lines[0] and "while running" not in lines[0]
        return lines[0]

    def prompts_in_ledger(self) -> dict[str, Any]:
        """Prompt -> its row. Reads every part, so that an unreadable one would show."""
        parts = [part for part in self.out.glob("ledger/translations/**/*") if part.is_file()]
        rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
        found = {f"<s>{row['source_text']}<|{row['language']}|>": row for row in rows}
        recipe = load_recipe(str(self.recipe))
        fingerprint = translation_fingerprint(recipe.translator.settings)
        ledger = Ledger(str(self.out))
        assert sum(len(ledger.read_translations(language, fingerprint)) for language in recipe.languages) == len(rows)
        assert ledger.damaged == []
        return found


def result_of(out: Path) -> dict[str, bytes]:
    """What must be the same byte for byte."""
    paths = [path for pattern in ("manifest.json", "shards/**/*", "rejects/*") for path in out.glob(pattern)]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faults")
    draw_world(str(folder / "images"), count=NUM_IMAGES, seed=11)
    (folder / "images" / "scenes.parquet").unlink()
    handler_before = signal.getsignal(signal.SIGTERM)
    loggers = [logging.getLogger(name) for name in ("apache_beam", "PIL")]
    levels = [logger.level for logger in loggers]
    translator = Translator()
    translator.make_well()
    out, recipe = folder / "out", folder / "recipe.toml"
    endpoint = f"http://127.0.0.1:{translator.port}/v1"
    recipe.write_text(RECIPE.format(out=out, images=folder / "images", endpoint=endpoint))
    assert main([str(recipe)]) == 0 and verify(str(out)).problems == ()
    shutil.copytree(out / "ledger" / "captions", folder / "captions")
    assert len(set(translator.asked)) == NUM_PROMPTS, "no two captions are the same"
    yield World(
        recipe=recipe,
        out=out,
        translator=translator,
        result=result_of(out),
        prompts=frozenset(translator.asked),
        captions=folder / "captions",
    )
    translator.make_well()
    translator.die()
    signal.signal(signal.SIGTERM, handler_before)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def from_request(first: int, fault: Fault, times: int | None = None) -> Callable[[int, list[str]], Fault | None]:
    """Misbehave from this request on, so many times, or (None) for ever."""
    return lambda number, prompts: fault if 0 <= number - first < (times or 1 << 30) else None


# -- faults that pass -------------------------------------------------------------------------------------------------

# What happens to a request before it is answered. A reply that can't be read comes last: its batch is then halved.
PASSING: list[list[Fault]] = [
    [hang, one_answer_short],
    [drip, one_answer_too_many],
    [status(429, Retry_After="0.05"), not_json],
    [status(503, Retry_After="Thu, 01 Jan 1970 00:01:00 GMT"), reset],
    [status(500), reset_mid_reply],
    [cut_reply, status(502)],
]


def test_faults_that_pass_leave_no_trace_in_the_result(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.start_anew()
    waiting = list(PASSING)
    faults_of: dict[tuple[str, ...], list[Fault]] = {}

    def rule(number: int, prompts: list[str]) -> Fault | None:
        request = tuple(prompts)
        if request not in faults_of:  # a request that was halved has had its faults
            faults_of[request] = list(waiting.pop(0)) if waiting and len(prompts) == PER_REQUEST else []
        return faults_of[request].pop(0) if faults_of[request] else None

    world.translator.rule = rule
    assert world.run() == 0
    assert capfd.readouterr().err == ""
    assert waiting == [] and not any(faults_of.values()), "all of them happened"
    assert result_of(world.out) == world.result


def test_a_server_that_dies_and_is_back_while_the_client_waits_leaves_no_trace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start_anew()
    world.translator.rule = from_request(2, die)
    waits = []
    wait_s = Client._wait_s

    def wait_until_it_is_back(client: Client, retry: int, retry_after_s: float) -> float:
        waits.append(retry)
        if retry == 1:
            world.translator.make_well()
        return wait_s(client, retry, retry_after_s)

    monkeypatch.setattr(Client, "_wait_s", wait_until_it_is_back)
    assert world.run() == 0
    assert 1 in waits and result_of(world.out) == world.result


# -- one item is at fault ---------------------------------------------------------------------------------------------


# Place of the prompt among all, sorted -> fault, reason, detail.
BAD_ITEMS: dict[int, tuple[Fault, str, str]] = {
    2: (status(500), "translator_failed", "HTTP 500: engine is down"),
    9: (status(400), "translator_refused", "HTTP 400: engine is down"),
    14: (one_answer_short, "translator_bad_reply", "reply without an answer"),
    19: (one_answer_too_many, "translator_bad_reply", "2 answers to 1 prompts"),
    25: (not_json, "translator_bad_reply", "not JSON: '<html>"),
}


def test_bad_prompts_are_rejected_alone_and_can_be_asked_again_alone(world: World) -> None:
    world.start_anew()
    prompts_of_all = sorted(world.prompts)
    culprits = {prompts_of_all[place]: item for place, item in BAD_ITEMS.items()}

    def rule(number: int, prompts: list[str]) -> Fault | None:
        return next((culprits[prompt][0] for prompt in prompts if prompt in culprits), None)

    world.translator.rule = rule
    assert world.run() == 0
    rows = world.prompts_in_ledger()
    assert set(rows) == world.prompts and set(rows) - set(culprits) <= world.translator.answered
    for prompt, row in rows.items():
        if prompt not in culprits:
            assert row["text"] == answer(prompt) and row["reason"] == ""
            continue
        _, reason, detail = culprits[prompt]
        assert row["text"] is None and row["reason"] == reason and row["detail"].startswith(detail)
    build = read_manifest(str(world.out)).build
    rejects = read_rejects(str(world.out / "rejects" / f"{build}.parquet"))
    blamed = [(reject.key, reject.style, reject.language) for reject in rejects if reject.step == "translate"]
    assert sorted(blamed) == sorted(tuple(rows[prompt][name] for name in IDENTITY) for prompt in culprits)

    for reason in ("translator_failed", "translator_refused", "translator_bad_reply"):
        world.translator.make_well()
        assert world.run(f"RETRY={reason}") == 0
        assert set(world.translator.asked) == {prompt for prompt in culprits if culprits[prompt][1] == reason}
    assert result_of(world.out) == world.result


# -- faults that stay -------------------------------------------------------------------------------------------------


LASTING: list[tuple[Fault, str, str]] = [  # and what is said of it
    (hang, "no complete answer within 1 s (tried 3 times)", "see whether the server lives, then run again"),
    (status(503), "HTTP 503: engine is down (tried 3 times)", "see whether the server lives, then run again"),
    (reset_mid_reply, "(tried 3 times)", "see whether the server lives, then run again"),
    (status(500), "fails on a harmless prompt too: HTTP 500", "check that it serves completions"),
    (not_json, "fails on a harmless prompt too: not JSON", "check that it serves completions"),
    (status(401), "refuses the API key (HTTP 401)", "set FLORENZ_API_KEY"),
    (die, "ConnectError: All connection attempts failed", "see whether the server lives, then run again"),
]


def test_a_run_stopped_by_seven_faults_in_turn_goes_on_each_time_and_ends_as_if_undisturbed(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each time one batch comes back, and from the next on the fault stays."""
    world.start_anew()
    kept: set[str] = set()
    for fault, problem, advice in LASTING:
        world.translator.make_well()
        world.translator.rule = from_request(1 + PER_BATCH // PER_REQUEST, fault)
        line = world.stopped_line(capfd)
        assert problem in line and advice in line and f"127.0.0.1:{world.translator.port}" in line
        assert len(world.translator.answered) == PER_BATCH and not kept & set(world.translator.asked)
        kept |= world.translator.answered
        assert set(world.prompts_in_ledger()) == kept
        assert list(world.out.rglob("*.partial")) == [] and result_of(world.out) == {}

    world.translator.make_well()
    assert world.run() == 0 and capfd.readouterr().err == ""
    assert sorted(world.translator.asked) == sorted(world.prompts - kept)
    assert result_of(world.out) == world.result


def test_answers_outlive_the_request_beside_theirs_that_is_given_up(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two requests fly together. When one has failed for the last time, the other has a try left, and is answered."""
    world.start_anew()
    slow: list[str] = []
    failures: list[int] = []
    has_failed = threading.Event()

    def fail(handler: Handler, prompts: list[str]) -> None:
        failures.append(1)
        status(503)(handler, prompts)
        if len(failures) == TRIES:
            has_failed.set()

    def wait_and_fail(handler: Handler, prompts: list[str]) -> None:
        has_failed.wait()
        status(503)(handler, prompts)

    def rule(number: int, prompts: list[str]) -> Fault | None:
        if not slow:
            slow.extend(prompts)
            return wait_and_fail
        return None if prompts == slow else fail

    world.translator.rule = rule
    world.stopped_line(capfd)
    assert world.translator.answered == set(slow) == set(world.prompts_in_ledger())


def test_answers_outlive_the_search_for_a_culprit_that_is_given_up(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its request is halved, the first half comes back, and the server dies over the second."""
    world.start_anew()
    culprits: list[str] = []

    def rule(number: int, prompts: list[str]) -> Fault | None:
        if number == 1:
            culprits.append(prompts[-1])
        if culprits[0] not in prompts:
            return None
        return status(400) if len(prompts) > 1 else die

    world.translator.rule = rule
    world.stopped_line(capfd)
    answered = world.translator.answered
    assert len(answered) >= PER_REQUEST - 1 and set(world.prompts_in_ledger()) == answered


def test_a_run_that_stops_leaves_the_build_before_as_it_was(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.start_anew()
    assert world.run("LANGS=de") == 0
    before = result_of(world.out)
    world.translator.rule = from_request(0, status(503))
    world.stopped_line(capfd)
    assert result_of(world.out) == before and verify(str(world.out)).problems == ()
    world.translator.make_well()
    assert world.run() == 0
    assert {prompt[-4:-2] for prompt in world.translator.asked} == {"fr"}, "the German answers were there"
    assert result_of(world.out) == world.result


# -- ask once ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_in_the_ledger_before_the_next_batch_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from inside the models: the captioner's eye, and the server's handler with one request at a time."""
    shutil.rmtree(world.out)
    world.translator.make_well()
    recipe = world.recipe.with_name("one-at-a-time.toml")
    recipe.write_text(world.recipe.read_text().replace("max_in_flight = 2", "max_in_flight = 1"))
    pictures_seen: list[int] = []
    captions_kept: list[int] = []
    look = Florence.look

    def watched_look(model: Florence, pictures_CHW: list[Any]) -> Any:
        captions_kept.append(sum(pq.read_table(part).num_rows for part in world.out.glob("ledger/captions/*/*")))
        pictures_seen.append(len(pictures_CHW))
        return look(model, pictures_CHW)

    unkept: list[set[str]] = []

    def rule(number: int, prompts: list[str]) -> None:
        unkept.append(world.translator.answered - set(world.prompts_in_ledger()))

    monkeypatch.setattr(Florence, "look", watched_look)
    world.translator.rule = rule
    assert main([str(recipe)]) == 0
    assert captions_kept == [2 * sum(pictures_seen[:batch]) for batch in range(len(pictures_seen))]
    assert len(captions_kept) == NUM_IMAGES / 2
    assert unkept == [set()] * len(unkept) and len(unkept) == NUM_PROMPTS / PER_REQUEST


def test_a_rerun_asks_nothing(world: World) -> None:
    world.start_anew()
    assert world.run() == 0
    world.translator.make_well()
    assert world.run() == 0
    assert world.translator.asked == [] and result_of(world.out) == world.result
