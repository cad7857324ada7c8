"""Whole runs against a translation server that misbehaves: nothing is lost, nothing is asked twice.

The command line runs in this process, with the real captioner; the server is a stand-in that speaks the real API and
fails on command. A fault that passes within the client's budget must not show in one byte of the result. One that does
not must stop the run in two lines, with every answer that came back in the ledger; the same command then finishes.
"""

import hashlib
import logging
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchmarks.stand_in_server import (
    STUCK_S,
    Fault,
    Request,
    StandInServer,
    cut_reply,
    die,
    drip,
    from_request,
    hang,
    not_json,
    one_answer_short,
    one_answer_too_many,
    reset,
    reset_mid_reply,
    status,
)
from florenz.captioners.florence2.model import Florence
from florenz.pipeline.__main__ import main
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import translation_fingerprint
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.recipe import load_recipe
from florenz.playground.world import draw_world
from florenz.shards.manifest import read_manifest
from florenz.shards.verify import verify
from florenz.translators.client import Client
from florenz.translators.pieces import sentences
from florenz.translators.prompts import HARMLESS_TEXT

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
request_timeout_s = 4.0
max_retries = 2
backoff_s = 0.01
[shards]
images_per_shard = 2
val_fraction = 0.3
"""
NUM_IMAGES = 8
NUM_PROMPTS = NUM_IMAGES * 2 * 2  # styles, languages
PER_REQUEST, PER_BATCH = 2, 4
TRIES = 3  # max_retries + 1; each ends within request_timeout_s, where a server that is well answers in milliseconds
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


# -- runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class World:
    """A recipe, the stand-in, and what an undisturbed run makes of them."""

    recipe: Path
    out: Path
    translator: StandInServer
    result: dict[str, bytes]
    prompts: frozenset[str]  # all that it asks
    captions: Path  # a copy of OUT/ledger/captions after that run

    def start_anew(self) -> None:
        """OUT as it is when everything is captioned and nothing translated; the server is well."""
        shutil.rmtree(self.out)
        shutil.copytree(self.captions, self.out / "ledger" / "captions")
        self.translator.recover()

    @property
    def answered(self) -> set[str]:
        """The prompt that clears the server of suspicion is not one that we asked."""
        return {prompt for prompt in self.translator.answered if HARMLESS_TEXT not in prompt}

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
    paths = [
        path for pattern in ("manifest.json", "shards/**/*", "heldout/**/*", "rejects/*") for path in out.glob(pattern)
    ]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faults")
    draw_world(str(folder / "images"), count=NUM_IMAGES, seed=11)
    (folder / "images" / "scenes.parquet").unlink()
    handler_before = signal.getsignal(signal.SIGTERM)
    loggers = [logging.getLogger(name) for name in ("apache_beam", "PIL")]
    levels = [logger.level for logger in loggers]
    translator = StandInServer(MODEL, answer)
    translator.start()
    out, recipe = folder / "out", folder / "recipe.toml"
    recipe.write_text(RECIPE.format(out=out, images=folder / "images", endpoint=translator.endpoint))
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
    translator.stop()
    signal.signal(signal.SIGTERM, handler_before)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


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

    def rule(request: Request) -> Fault | None:
        prompts = tuple(request.prompts)
        if prompts not in faults_of:  # a request that was halved has had its faults
            faults_of[prompts] = list(waiting.pop(0)) if waiting and len(prompts) == PER_REQUEST else []
        return faults_of[prompts].pop(0) if faults_of[prompts] else None

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
            world.translator.recover()
        return wait_s(client, retry, retry_after_s)

    monkeypatch.setattr(Client, "_wait_s", wait_until_it_is_back)
    assert world.run() == 0
    assert 1 in waits and result_of(world.out) == world.result


# -- one item is at fault ---------------------------------------------------------------------------------------------


# Twice the place of the prompt among those of one sentence, sorted -> fault, reason, detail.
BAD_ITEMS: dict[int, tuple[Fault, str, str]] = {
    2: (status(500), "translator_failed", "HTTP 500: engine is down"),
    9: (status(400), "translator_refused", "HTTP 400: engine is down"),
    14: (one_answer_short, "translator_bad_reply", "reply without an answer"),
    19: (one_answer_too_many, "translator_bad_reply", "2 answers to 1 prompts"),
    25: (not_json, "translator_bad_reply", "not JSON: '<html>"),
}


def test_bad_prompts_are_rejected_alone_and_can_be_asked_again_alone(world: World) -> None:
    world.start_anew()
    texts = {prompt: prompt.removeprefix("<s>").partition("<|")[0] for prompt in world.prompts}
    alone = sorted(prompt for prompt, text in texts.items() if len(sentences(text)) == 1)  # others go by sentence
    culprits = {alone[place // 2]: item for place, item in BAD_ITEMS.items()}

    def rule(request: Request) -> Fault | None:
        return next((culprits[prompt][0] for prompt in request.prompts if prompt in culprits), None)

    world.translator.rule = rule
    assert world.run() == 0
    rows = world.prompts_in_ledger()
    assert set(rows) == world.prompts and set(rows) - set(culprits) <= world.answered
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
        world.translator.recover()
        assert world.run(f"RETRY={reason}") == 0
        assert set(world.translator.asked) == {prompt for prompt in culprits if culprits[prompt][1] == reason}
    assert result_of(world.out) == world.result


# -- faults that stay -------------------------------------------------------------------------------------------------


LASTING: list[tuple[Fault, str, str]] = [  # and what is said of it
    (hang, "no complete answer within 4 s (tried 3 times)", "see whether the server lives, then run again"),
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
        world.translator.recover()
        world.translator.rule = from_request(1 + PER_BATCH // PER_REQUEST, fault)
        line = world.stopped_line(capfd)
        assert problem in line and advice in line and f"127.0.0.1:{world.translator.port}" in line
        assert len(world.answered) == PER_BATCH and not kept & set(world.translator.asked)
        kept |= world.answered
        assert set(world.prompts_in_ledger()) == kept
        assert list(world.out.rglob("*.partial")) == [] and result_of(world.out) == {}

    world.translator.recover()
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

    def fail(request: Request) -> None:
        failures.append(1)
        status(503)(request)
        if len(failures) >= TRIES:
            has_failed.set()

    def wait_and_fail(request: Request) -> None:
        has_failed.wait(STUCK_S)
        status(503)(request)

    def rule(request: Request) -> Fault | None:
        if not slow:
            slow.extend(request.prompts)
            return wait_and_fail
        return None if request.prompts == slow else fail

    world.translator.rule = rule
    world.stopped_line(capfd)
    assert world.answered == set(slow) == set(world.prompts_in_ledger())


def test_answers_outlive_the_search_for_a_culprit_that_is_given_up(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its request is halved, the first half comes back, and the server dies over the second."""
    world.start_anew()
    culprits: list[str] = []

    def rule(request: Request) -> Fault | None:
        if not culprits:
            culprits.append(request.prompts[-1])
        if culprits[0] not in request.prompts:
            return None
        return status(400) if len(request.prompts) > 1 else die

    world.translator.rule = rule
    world.stopped_line(capfd)
    answered = world.answered
    assert len(answered) >= PER_REQUEST - 1 and set(world.prompts_in_ledger()) == answered


def test_a_run_that_stops_leaves_the_build_before_as_it_was(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.start_anew()
    assert world.run("LANGS=de") == 0
    before = result_of(world.out)
    world.translator.rule = from_request(0, status(503))
    world.stopped_line(capfd)
    assert result_of(world.out) == before and verify(str(world.out)).problems == ()
    world.translator.recover()
    assert world.run() == 0
    assert {prompt[-4:-2] for prompt in world.translator.asked} == {"fr"}, "the German answers were there"
    assert result_of(world.out) == world.result


# -- ask once ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_in_the_ledger_before_the_next_batch_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from inside the models: the captioner's eye, and the server's handler with one request at a time."""
    shutil.rmtree(world.out)
    world.translator.recover()
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

    def rule(request: Request) -> None:
        unkept.append(world.answered - set(world.prompts_in_ledger()))

    monkeypatch.setattr(Florence, "look", watched_look)
    world.translator.rule = rule
    assert main([str(recipe)]) == 0
    assert pictures_seen.pop(0) == 3 and captions_kept.pop(0) == 0, "the captioner was tried first"
    assert captions_kept == [2 * sum(pictures_seen[:batch]) for batch in range(len(pictures_seen))]
    assert len(captions_kept) == NUM_IMAGES / 2
    assert unkept == [set()] * len(unkept) and len(unkept) == NUM_PROMPTS / PER_REQUEST


def test_a_translator_without_a_word_is_told_before_anything_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    world.start_anew()
    shutil.rmtree(world.out)
    monkeypatch.setattr(world.translator, "try_answer", " ")
    capfd.readouterr()
    assert world.run() == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "has no word for 'A dog is sleeping.' in de: name the prompt family" in line
    assert world.prompts_in_ledger() == {} and world.translator.num_requests == 0
    assert not (world.out / "ledger" / "captions").exists(), "nor was anything captioned for it"


@pytest.mark.parametrize("is_captioned", [False, True])
def test_an_endpoint_without_completions_is_told_before_anything_is_captioned(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], is_captioned: bool
) -> None:
    world.start_anew()
    if not is_captioned:
        shutil.rmtree(world.out)
    monkeypatch.setattr(world.translator, "fault_for", lambda request: status(404, b'{"error": {"message": "no"}}'))
    capfd.readouterr()
    assert world.run() == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{world.translator.endpoint} has no completions for" in line and "check the endpoint" in line
    assert (world.out / "ledger" / "captions").exists() is is_captioned


def test_a_rerun_asks_nothing(world: World) -> None:
    world.start_anew()
    assert world.run() == 0
    world.translator.recover()
    assert world.run() == 0
    assert world.translator.asked == [] and result_of(world.out) == world.result
