"""The command line as a user meets it: another process, its exit code, and what stands on the screen."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import forked_runs
import psutil
import pytest
from forked_runs import ForkedRun
from pipeline_examples import MODELS, ROOT, instant_answer, write_pictures

from benchmarks.stand_in_server import STUCK_S, Request, StandInServer, hang, reset, status
from florenz.pipeline.answers.ledger import Ledger
from florenz.shards.manifest import read_manifest
from florenz.shards.verify import verify

PLAYGROUND = ROOT / "configs" / "playground.toml"
SERVED = "playground/models/translator"
WORKER = "florenz.pipeline.runners.local"
HUNG_AFTER_S = 600.0  # on a busy machine whatever does not hang takes a minute or two

# In vLLM's place, found before the real one on the module path: answers at once, or whatever a test makes of it.
FAKE_VLLM = """
import pathlib, os, sys, time
sys.path.insert(0, {root!r})
from benchmarks.stand_in_server import StandInServer, hang, reset, status
option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
server = StandInServer(option["--model"], port=int(option["--port"]))
{prelude}
server.start()
server.wait()
"""


def run(
    *variables: str, recipe: Path | str = PLAYGROUND, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return forked_runs.run("-m", "pipeline", str(recipe), *variables, environment=environment, timeout=HUNG_AFTER_S)


def refusal(*variables: str, out: Path, recipe: Path | str = PLAYGROUND) -> str:
    """The one line with which bad input is refused."""
    return line_of(run(*variables, f"OUT={out}", recipe=recipe), out)


def line_of(done: subprocess.CompletedProcess[str], out: Path) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and done.stderr.count("\n") == 1 and done.stderr.startswith("florenz: "), done.stderr
    assert not out.exists()
    return done.stderr.removeprefix("florenz: ").rstrip("\n")


def run_from_the_start(
    *variables: str, recipe: Path | str = PLAYGROUND, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """For what is decided while libraries are imported."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", str(recipe), *variables],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HUNG_AFTER_S,
    )


def changed_recipe(folder: Path, *changes: tuple[str, str]) -> Path:
    text = PLAYGROUND.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "recipe.toml").write_text(text)
    return folder / "recipe.toml"


@pytest.fixture
def translator() -> Iterator[StandInServer]:
    with StandInServer(SERVED, instant_answer) as server:
        yield server


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (["LANGS=de,xx"], ["LANGS", "unknown language 'xx'"]),
        (["LANGS=de,fr,de"], ["LANGS", "'de' is given 2 times"]),
        (["LANGS="], ["LANGS", "no language given"]),
        (["LANGS=de,it"], ["does not know it (Italian)", "de, fr, es, ru, zh"]),
        (["LANGS=de,fr", "HELDOUT=es"], ["HELDOUT", "'es' is not among the languages de,fr"]),
        (["COUNT=many"], ["COUNT must be a whole number", "'many'"]),
        (["COUNT=0"], ["COUNT", "at least 1"]),
        (["WORKERS=0"], ["WORKERS", "at least 1"]),
        (["LANG=de"], ["unknown variable LANG", "LANGS"]),
        (["IMAGES=/no/such/folder"], ["IMAGES", "/no/such/folder"]),
        (["ENDPOINT=http://127.0.0.1:9/v1"], ["http://127.0.0.1:9/v1 is out of reach"]),
        (["ENDPOINT=localhost"], ["ENDPOINT", "localhost"]),
    ],
    ids=lambda value: ",".join(value)[:40],
)
@pytest.mark.slow
def test_a_wrong_variable_is_refused_in_one_line(out: Path, variables: list[str], words: list[str]) -> None:
    line = refusal(*variables, out=out)
    assert all(word in line for word in words), line


def test_an_empty_folder_of_images_is_refused_in_one_line(out: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refusal(f"IMAGES={tmp_path / 'empty'}", out=out)


@pytest.mark.slow
def test_an_out_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "can't write into OUT" in refusal(out=tmp_path / "file" / "out")


@pytest.mark.slow
def test_an_out_that_is_a_file_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run(f"OUT={tmp_path / 'file'}")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "can't write into OUT" in done.stderr
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.slow
def test_an_out_where_nothing_can_be_written_is_refused_in_one_line() -> None:
    assert "can't write into OUT '/proc/florenz'" in refusal(out=Path("/proc/florenz"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seed = 0", "sed = 0"), ["unknown key 'sed'", "did you mean 'seed'?"]),
        (("workers = 1", 'workers = "one"'), ["workers (WORKERS)", "expected a whole number", '"one"']),
        (('styles = ["short", "detailed"]', 'styles = "short"'), ["[captioner] styles", "expected a list"]),
        (('styles = ["short", "detailed"]', 'styles = ["haiku", "detailed"]'), ["'haiku'", "short, detailed"]),
        (('"playground/models/captioner"', '"models/none"'), ["captioner", "no model folder 'models/none'"]),
        (('"playground/models/translator"', '"/no/model"'), ["translator", "no model folder '/no/model'"]),
        (("languages = [", "languages = "), ["cannot read this recipe"]),
    ],
    ids=lambda value: value[1][:30] if isinstance(value, tuple) else "",
)
@pytest.mark.slow
def test_a_wrong_recipe_is_refused_in_one_line(
    out: Path, tmp_path: Path, change: tuple[str, str], words: list[str]
) -> None:
    line = refusal(out=out, recipe=changed_recipe(tmp_path, change))
    assert all(word in line for word in words), line


def test_a_recipe_that_is_not_there_is_refused_in_one_line(out: Path) -> None:
    assert "cannot read this recipe" in refusal(out=out, recipe="configs/none.toml")


@pytest.mark.parametrize("role", ["captioner", "translator"])
@pytest.mark.slow
def test_a_hub_out_of_reach_is_told_in_one_line_and_soon(
    out: Path, tmp_path: Path, translator: StandInServer, role: str
) -> None:
    recipe = changed_recipe(tmp_path, (f'"playground/models/{role}"', '"no-such-org/no-such-model"'))
    tries: list[str] = []

    def note_and_reset(request: Request) -> None:
        tries.append(request.path)
        reset(request)

    translator.describe = note_and_reset
    hub = {"HF_ENDPOINT": f"http://127.0.0.1:{translator.port}", "HF_HOME": str(tmp_path / "hub")}
    line = line_of(run_from_the_start(f"OUT={out}", recipe=recipe, environment=hub), out)
    assert len(tries) == 1, "the hub's own client tries for 23 s"
    assert line.startswith(f"{role}: can't reach the model hub for 'no-such-org/no-such-model'")


def test_several_faults_are_told_in_as_many_lines(out: Path) -> None:
    done = run("LANGS=de,it,ru", "IMAGES=/no/such/folder", f"OUT={out}")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 2
    assert all(line.startswith("florenz: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize("words", [[], ["configs/playground.toml", "LANGS"]], ids=["nothing", "no equals sign"])
def test_a_wrong_command_line_is_answered_with_how_it_goes(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("florenz: usage: ") and done.stderr.count("\n") == 1


# -- runs with a stand-in for the translator --------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures", 5)
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(60))
    return tmp_path / "pictures"


def fake_vllm(folder: Path, prelude: str = "") -> dict[str, str]:
    """An environment in which our server is a stand-in that does `prelude` first."""
    package = folder / "modules" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for parent in (package, package.parent, package.parent.parent):
        (parent / "__init__.py").touch()
    program = FAKE_VLLM.format(root=str(ROOT), prelude=prelude)
    (package / "api_server.py").write_text(program)
    return {"PYTHONPATH": os.pathsep.join([str(folder / "modules"), str(ROOT)])}


def report_of(out: Path) -> dict:
    return json.loads((out / "report.json").read_text())


def impatient_recipe(folder: Path) -> Path:
    """One that gives a server up soon."""
    return changed_recipe(folder, ("max_tokens = 128", "max_tokens = 128\nmax_retries = 1\nbackoff_s = 0.01"))


def check_stopped(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stderr
    first, second = done.stderr.splitlines()
    assert "HTTP 503" in first and "tried 2 times" in first and "run the same command to go on" in second


@pytest.mark.slow
def test_two_worker_processes_make_what_one_makes_after_an_error_as_well(
    tmp_path: Path, pictures: Path, translator: StandInServer
) -> None:
    recipe = impatient_recipe(tmp_path)
    variables = ["LANGS=de,fr", f"IMAGES={pictures}", f"ENDPOINT={translator.endpoint}"]
    translator.rule = lambda request: status(503)
    check_stopped(run(*variables, "WORKERS=2", f"OUT={tmp_path / 'two'}", recipe=recipe))
    assert "ServerError" in (tmp_path / "two" / "logs" / "workers.log").read_text()

    translator.recover()
    for name, workers in (("one", 1), ("two", 2)):
        done = run(*variables, f"WORKERS={workers}", f"OUT={tmp_path / name}", recipe=recipe)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert verify(str(tmp_path / name)).problems == ()
    one, two = (read_manifest(str(tmp_path / name)) for name in ("one", "two"))
    assert [shard.sha256 for shard in one.shards] == [shard.sha256 for shard in two.shards] and one.shards
    with_context = {text for text, marker, _ in (prompt.partition(" ###") for prompt in translator.asked) if marker}
    again = [prompt for prompt in translator.asked if prompt.partition("<|")[0] in with_context]  # got nothing at first
    num_translations = (len(translator.asked) - len(again)) // 2
    assert report_of(tmp_path / "one")["asked"] == {"captions": 12, "translations": num_translations}
    assert report_of(tmp_path / "two")["asked"] == {"captions": 0, "translations": num_translations}


@pytest.mark.slow
def test_no_progress_is_drawn_where_there_is_no_terminal(out: Path, pictures: Path, translator: StandInServer) -> None:
    done = run_from_the_start("LANGS=de", f"IMAGES={pictures}", f"ENDPOINT={translator.endpoint}", f"OUT={out}")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("warning: the playground's models know the playground's pictures only")
    assert "\nnext " in done.stdout and "%|" not in done.stdout


@pytest.mark.slow
def test_our_own_server_is_gone_when_the_run_has_ended(tmp_path: Path, out: Path, pictures: Path) -> None:
    done = run("LANGS=de", f"IMAGES={pictures}", f"OUT={out}", environment=fake_vllm(tmp_path))
    assert done.returncode == 0, done.stderr
    assert processes_with(str(tmp_path / "modules")) == []


@pytest.mark.slow
def test_a_server_that_does_not_come_up_ends_the_run_in_one_line(tmp_path: Path, out: Path, pictures: Path) -> None:
    environment = fake_vllm(tmp_path, "raise ValueError('no such quantization')")
    done = run("LANGS=de", f"IMAGES={pictures}", f"OUT={out}", environment=environment)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "no such quantization" in done.stderr and "translation-server.log" in done.stderr
    assert not (out / "manifest.json").exists() and not (out / "shards").exists()


@pytest.mark.slow
def test_a_server_that_is_lost_on_the_way_stops_the_run_and_the_next_one_goes_on(
    tmp_path: Path, out: Path, pictures: Path, translator: StandInServer
) -> None:
    recipe = impatient_recipe(tmp_path)
    variables = ["LANGS=de", f"IMAGES={pictures}", f"ENDPOINT={translator.endpoint}", f"OUT={out}"]
    translator.rule = lambda request: status(503)
    check_stopped(run(*variables, recipe=recipe))
    translator.recover()
    ledger = Ledger(str(out))
    kept = sum(len(ledger.read_captions(folder.name)) for folder in out.glob("ledger/captions/*"))
    assert run(*variables, recipe=recipe).returncode == 0
    assert report_of(out)["asked"]["captions"] == 12 - kept, "what was captioned before it stopped was kept"
    assert verify(str(out)).problems == ()


@pytest.mark.slow
def test_a_server_of_ours_that_dies_is_started_again(tmp_path: Path, out: Path, pictures: Path) -> None:
    few = "max_tokens = 128\nmax_retries = 1\nbackoff_s = 0.01\nprompts_per_request = 4\nmax_in_flight = 4"
    recipe = changed_recipe(tmp_path, ("max_tokens = 128", few))  # so that some are answered before, and some are not
    died = tmp_path / "died"
    prelude = f"""
if not pathlib.Path({str(died)!r}).exists():
    pathlib.Path({str(died)!r}).touch()
    server.rule = lambda request: os._exit(1) if server.answered else None
"""
    done = run(
        "LANGS=de,fr", f"IMAGES={pictures}", f"OUT={out}", recipe=recipe, environment=fake_vllm(tmp_path, prelude)
    )
    assert done.returncode == 0, done.stderr
    assert died.exists() and "the translation server died; starting it again" in done.stdout
    assert report_of(out)["asked"] == {"captions": 12, "translations": 20}, "those answered before it died included"
    assert verify(str(out)).problems == ()


@pytest.mark.slow
def test_a_second_run_in_the_same_out_is_refused(tmp_path: Path, out: Path, pictures: Path) -> None:
    environment = fake_vllm(tmp_path, f"time.sleep({STUCK_S})")
    variables = ["LANGS=de", f"IMAGES={pictures}", f"OUT={out}"]
    with started(*variables, environment=environment) as first:
        wait_until(lambda: (out / ".lock").exists() and (out / ".lock").read_text() == str(first.pid), of=first)
        done = run(*variables)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=HUNG_AFTER_S)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and f"process {first.pid}" in done.stderr
    assert first.returncode == 130


@pytest.mark.parametrize(("kind", "workers"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1)])
@pytest.mark.slow
def test_an_interrupt_while_translating_ends_everything_soon_and_the_next_run_finishes(
    tmp_path: Path, out: Path, pictures: Path, kind: signal.Signals, workers: int
) -> None:
    asked = tmp_path / "asked"
    prelude = f"""
def note_and_hang(request):
    pathlib.Path({str(asked)!r}).touch()
    hang(request)
server.rule = lambda request: note_and_hang
"""
    environment = fake_vllm(tmp_path, prelude)
    variables = ["LANGS=de", f"IMAGES={pictures}", f"OUT={out}", f"WORKERS={workers}"]
    with started(*variables, environment=environment) as running:
        wait_until(asked.exists, of=running)
        family = psutil.Process(running.pid).children(recursive=True)
        assert family
        running.send_signal(kind)
        _, errors = running.communicate(timeout=STUCK_S / 2)  # the request in flight would take all of it
    assert running.returncode == 130, errors
    assert errors.startswith("florenz: interrupted") and errors.count("\n") == 1, errors
    assert still_alive(family) == []
    done = run(*variables, "WORKERS=1", environment=fake_vllm(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    assert report_of(out)["asked"]["captions"] == 0 and verify(str(out)).problems == ()


@pytest.mark.slow
def test_a_worker_process_that_is_killed_stops_the_run_and_the_next_one_finishes(
    out: Path, pictures: Path, translator: StandInServer
) -> None:
    is_asked = threading.Event()

    def note_and_hang(request: Request) -> None:
        is_asked.set()
        hang(request)

    translator.rule = lambda request: note_and_hang
    variables = ["LANGS=de", f"IMAGES={pictures}", f"OUT={out}", f"ENDPOINT={translator.endpoint}"]
    with started(*variables, "WORKERS=2") as running:
        wait_until(is_asked.is_set, of=running)
        family = psutil.Process(running.pid).children(recursive=True)
        workers = [process for process in family if WORKER in process.cmdline()]
        assert len(workers) == 2
        workers[0].kill()
        _, errors = running.communicate(timeout=STUCK_S / 2)  # the request in flight would take all of it
    translator.recover()
    assert running.returncode == 1 and errors.count("\n") == 2, errors
    assert errors.startswith("florenz: a worker process died") and "run the same command to go on" in errors
    assert still_alive(workers) == []
    done = run(*variables)
    assert done.returncode == 0, done.stderr
    assert report_of(out)["asked"]["captions"] == 0 and verify(str(out)).problems == ()


@contextlib.contextmanager
def started(*variables: str, environment: Mapping[str, str] | None = None) -> Iterator[ForkedRun]:
    """A run that goes on beside the test, and not beyond it."""
    running = forked_runs.start("-m", "pipeline", str(PLAYGROUND), *variables, environment=environment)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def wait_until(is_so: Callable[[], bool], of: ForkedRun) -> None:
    """While the run goes on: one that has ended will not make it so."""
    deadline = time.monotonic() + HUNG_AFTER_S
    while not is_so():
        assert of.poll() is None, of.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def still_alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Soon, as a busy machine takes it: what outlives the run here would live for ever."""
    return psutil.wait_procs(family, timeout=60)[1]


def processes_with(word: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        if word in " ".join([*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]):
            found.append(process)
    return found


def test_the_tiny_models_are_where_the_default_recipe_looks() -> None:
    assert (MODELS / "translator" / "config.json").exists() and (ROOT / SERVED).resolve() == MODELS / "translator"
