"""The whole of `make dataset` on an engine whose workers share nothing with the launcher but OUT.

The captioner is the real tiny one, loaded at the workers. In vLLM's place there stands a program that answers at once,
started by the workers themselves: one for their machine.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from engines.tools import prism_program
from engines.worker_pool import worker_pool
from pipeline_examples import MODELS, ROOT, bytes_of, write_pictures
from test_pipeline_main import FAKE_VLLM, PLAYGROUND

from benchmarks.stand_in_server import Request, StandInServer, hang
from florenz.shards.manifest import read_manifest
from florenz.shards.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.engines]
NOBODY = "http://127.0.0.1:9/v1"
ENDED_WITHIN_S = 1200
NUM_PICTURES = 6


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Where Python finds a `vllm` that answers at once, and says in `starts` that it was started."""
    package = tmp_path / "modules" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for folder in (package, *list(package.parents)[:2]):
        (folder / "__init__.py").touch()
    note = f"open({str(tmp_path / 'starts')!r}, 'a').write(str(os.getpid()) + chr(10))"
    (package / "api_server.py").write_text(FAKE_VLLM.format(root=str(ROOT), prelude=note))
    return tmp_path / "modules"


@pytest.fixture
def pool(tmp_path: Path, modules: Path) -> Iterator[str]:
    (tmp_path / "tmp").mkdir()
    environment = {"PYTHONPATH": f"{modules}{os.pathsep}{ROOT}", "TMPDIR": str(tmp_path / "tmp")}
    with worker_pool(tmp_path / "pool", environment=environment) as address:
        yield address


def recipe(folder: Path, more: str = "") -> Path:
    text = PLAYGROUND.read_text().replace('"playground/models/', f'"{MODELS}/')
    assert text.count(str(MODELS)) == 2
    (folder / "recipe.toml").write_text(f"{text}\n{more}")
    return folder / "recipe.toml"


def command_of(recipe: Path, *variables: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", str(recipe), "LANGS=de,fr", *variables]


def run(recipe: Path, *variables: str) -> "subprocess.CompletedProcess[str]":
    command = command_of(recipe, *variables)
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ENDED_WITHIN_S
    )


@contextlib.contextmanager
def started(recipe: Path, *variables: str) -> "Iterator[subprocess.Popen[str]]":
    """A run that goes on beside the test, and not beyond it."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command_of(recipe, *variables), cwd=ROOT, text=True, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def beam_section(pool: str, *more: str) -> str:
    lines = [
        "[beam]", 'environment_type = "EXTERNAL"', f'environment_config = "{pool}"',
        f"job_timeout_s = {ENDED_WITHIN_S}", f'prism_location = "{prism_program()}"', *more,
    ]  # fmt: skip
    return "\n".join(lines)


def test_a_whole_dataset_by_workers_elsewhere_is_that_of_this_machine_byte_for_byte(tmp_path: Path, pool: str) -> None:
    write_pictures(tmp_path / "pictures", NUM_PICTURES)
    there, here = tmp_path / "there", tmp_path / "here"
    images = f"IMAGES={tmp_path / 'pictures'}"
    engine = recipe(tmp_path, beam_section(pool))
    done = run(engine, images, f"OUT={there}", "RUNNER=PrismRunner")
    assert done.returncode == 0, done.stderr
    for step in ("read", "caption", "translate", "assemble"):
        assert f"job        {step}: job-001 at 127.0.0.1:" in done.stdout
    assert "asked      12 captions, 24 translations" in done.stdout
    assert verify(str(there)).problems == ()

    starts = (tmp_path / "starts").read_text().split()
    assert len(starts) == 1, "one server for all worker processes of the machine"
    servers = [psutil.Process(int(pid)) for pid in starts if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs(servers, timeout=60)
    assert alive == [], "it ended with the workers"

    shutil.copytree(there / "ledger", here / "ledger")
    plain = run(recipe(tmp_path), images, f"OUT={here}", f"ENDPOINT={NOBODY}")
    assert plain.returncode == 2, "the endpoint is looked at"
    plain = run(recipe(tmp_path), images, f"OUT={here}")
    assert plain.returncode == 0, plain.stderr
    assert "asked      0 captions, 0 translations" in plain.stdout
    assert read_manifest(str(here)).build == read_manifest(str(there)).build
    assert bytes_of(here) == bytes_of(there)


def test_a_job_whose_workers_never_answer_ends_with_the_time_limit_and_the_next_run_goes_on(
    tmp_path: Path, pool: str
) -> None:
    """Prism itself would wait for ever."""
    write_pictures(tmp_path / "pictures", NUM_PICTURES)
    variables = [f"IMAGES={tmp_path / 'pictures'}", f"OUT={tmp_path / 'out'}", "RUNNER=PrismRunner"]
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # a pool that never answers, as one whose machine has died
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        impatient = recipe(tmp_path, beam_section(address).replace(str(ENDED_WITHIN_S), "5"))
        done = run(impatient, *variables)
    assert done.returncode == 1, done.stderr
    assert "the job of step read was not done after 5 s (job_timeout_s in [beam]) and is cancelled" in done.stderr
    assert done.stderr.count("\n") == 2, done.stderr
    done = run(recipe(tmp_path, beam_section(pool)), *variables)
    assert done.returncode == 0, done.stderr


def test_workers_that_die_and_a_job_that_is_cancelled_leave_all_that_was_answered(tmp_path: Path, pool: str) -> None:
    """Prism does not notice that its workers have died in the middle of a step; its user does, and presses Ctrl-C."""
    write_pictures(tmp_path / "pictures", NUM_PICTURES)
    out, is_asked = tmp_path / "out", threading.Event()

    def note_and_hang(request: Request) -> None:
        is_asked.set()
        hang(request)

    with StandInServer(str(MODELS / "translator")) as translator:
        variables = [f"IMAGES={tmp_path / 'pictures'}", f"OUT={out}", "RUNNER=PrismRunner"]
        variables.append(f"ENDPOINT={translator.endpoint}")
        engine = recipe(tmp_path, beam_section(pool))
        translator.rule = lambda request: note_and_hang
        with started(engine, *variables) as launcher:
            assert is_asked.wait(ENDED_WITHIN_S / 4) and launcher.poll() is None
            job_servers = psutil.Process(launcher.pid).children(recursive=True)
            ours = psutil.Process().children(recursive=True)  # the pool's among them
            workers = [one for one in ours if "SdkHarness(" in " ".join(one.cmdline())]
            assert job_servers and workers
            for worker in workers:
                worker.kill()
            launcher.send_signal(signal.SIGINT)
            _, errors = launcher.communicate(timeout=ENDED_WITHIN_S / 4)
        assert launcher.returncode == 130 and errors.count("\n") == 1, errors
        assert "what was answered is kept: run the same command to go on" in errors
        assert psutil.wait_procs(job_servers, timeout=60)[1] == []
        translator.recover()
        done = run(engine, *variables)
    assert done.returncode == 0 and "asked      0 captions, 24 translations" in done.stdout, done.stdout + done.stderr
    assert verify(str(out)).problems == ()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (["RUNNER=FlinkRuner"], ["runner (RUNNER) is 'FlinkRuner'", "did you mean 'FlinkRunner'?"]),
        (["RUNNER=FlinkRunner"], ["FLINK_MASTER=host:port"]),
        (["RUNNER=FlinkRunner", "FLINK_MASTER=127.0.0.1:9"], ["FLINK_MASTER '127.0.0.1:9' is out of reach"]),
        (["RUNNER=PortableRunner"], ["JOB_ENDPOINT=host:port"]),
        (["RUNNER=PortableRunner", "JOB_ENDPOINT=nowhere"], ["write it as host:port"]),
        (["RUNNER=PortableRunner", "JOB_ENDPOINT=127.0.0.1:9"], ["'127.0.0.1:9' does not answer within 10 s"]),
        (["RUNNER=DataflowRunner", "REGION=europe-west4"], ["PROJECT=..."]),
        (["RUNNER=DataflowRunner", "PROJECT=some-project", "REGION=europe-west4"], ["gs://..."]),
    ],
    ids=lambda value: ",".join(value)[:50],
)
def test_what_an_engine_lacks_is_told_before_anything_is_staged(
    tmp_path: Path, variables: list[str], words: list[str]
) -> None:
    done = run(recipe(tmp_path), *variables, f"OUT={tmp_path / 'out'}")
    assert done.returncode == 2 and done.stdout == "", done.stdout + done.stderr
    assert all(line.startswith("florenz: ") for line in done.stderr.splitlines()), done.stderr
    assert any(all(word in line for word in words) for line in done.stderr.splitlines()), done.stderr
    assert not (tmp_path / "out").exists()


def test_relative_paths_are_refused_where_workers_are_elsewhere(tmp_path: Path, pool: str) -> None:
    text = PLAYGROUND.read_text() + "\n" + beam_section(pool)
    (tmp_path / "relative.toml").write_text(text)
    done = run(tmp_path / "relative.toml", "OUT=data/never", "IMAGES=tests", "RUNNER=PrismRunner")
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 4, done.stderr
    for word in ("OUT 'data/never'", "IMAGES 'tests'", "captioner: model 'play", "translator: model 'play"):
        assert any(word in line and "elsewhere" in line for line in lines), done.stderr
