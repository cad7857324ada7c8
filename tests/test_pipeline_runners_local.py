"""Where graphs run, and that nothing of them is left when the run is gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import psutil
import pytest
from contracts.runner import RunnerSuite
from pipeline_examples import ROOT

from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.runners.local import IN_ORDER, Bond, graph

STUCK = """
import sys, time
sys.path.insert(0, "tests")
import apache_beam as beam
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.runners.local import graph

def wait(path):
    open(path, "w").close()
    time.sleep(600)

with graph(Running(out=sys.argv[1], workers=2), "read") as pipeline:
    _ = pipeline | beam.Create([sys.argv[2]]) | beam.Map(wait)
"""


STILLBORN = """
import os, sys
sys.path.insert(0, "tests")
import apache_beam as beam
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.runners.local import graph

sys.executable = "/bin/false"
try:
    with graph(Running(out=sys.argv[1], workers=2), "read") as pipeline:
        _ = pipeline | beam.Create([1])
except ChildProcessError as problem:
    print(problem, flush=True)
    os._exit(3)
"""


LATE = """
import os, sys
sys.path.insert(0, "tests")
import apache_beam as beam
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.runners.local import graph
from florenz.stores.files import StoreError

def fail(gate):
    open(gate, "w").close()  # lets the other worker begin
    raise StoreError("the disk is made of cheese: eat it")

sys.executable, gate = sys.argv[2:]
try:
    with graph(Running(out=sys.argv[1], workers=2), "read") as pipeline:
        _ = pipeline | beam.Create([gate]) | beam.Map(fail)
except StoreError as problem:
    print(problem, flush=True)
    os._exit(3)
"""


HASTY = """
import os, sys
sys.path.insert(0, "tests")
import apache_beam as beam
from florenz.pipeline.runners import local
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.runners.local import graph
from florenz.stores.files import StoreError

local.GRACE_S = 0.0  # as on a machine where everything takes long
fails_at = int(sys.argv[2])

def step(number):
    if number == fails_at:
        raise StoreError("the disk is made of cheese: eat it")

try:
    with graph(Running(out=sys.argv[1], workers=2), "read") as pipeline:
        _ = pipeline | beam.Create(range(8)) | beam.Reshuffle() | beam.Map(step)
    print("all is well", flush=True)
except (StoreError, ChildProcessError) as problem:
    print(problem, flush=True)
os._exit(3)
"""


class TestOneProcess(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path) -> Running:
        return Running(out=str(out))


@pytest.mark.slow
class TestTwoWorkerProcesses(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path) -> Running:
        return Running(out=str(out), workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_graph_runs_in_this_process_or_in_others(tmp_path: Path, workers: int) -> None:
    def note_process(number: int) -> None:  # local, so that Beam ships its code: the workers don't know this file
        (tmp_path / f"{number}-{os.getpid()}").touch()

    with graph(Running(out=str(tmp_path / "out"), workers=workers), "read") as pipeline:
        _ = pipeline | beam.Create(range(8)) | beam.Reshuffle() | beam.Map(note_process)
    pids = {int(path.name.partition("-")[2]) for path in tmp_path.glob("*-*")}
    assert len(list(tmp_path.glob("*-*"))) == 8
    assert (pids == {os.getpid()}) == (workers == 1)


def test_nothing_runs_when_the_graph_could_not_be_built(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(KeyError), graph(Running(out=str(tmp_path / "out")), "read") as pipeline:
        _ = pipeline | beam.Create([str(marker)]) | beam.Map(lambda path: open(path, "w").close())
        raise KeyError
    assert not marker.exists()


@pytest.mark.slow
def test_worker_processes_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUCK, str(tmp_path / "out"), str(tmp_path / "stuck")]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not (tmp_path / "stuck").exists():
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(running.pid).children(recursive=True)
    assert len(workers) >= 2
    running.send_signal(signal.SIGKILL)
    running.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []


@pytest.mark.slow
def test_worker_processes_that_end_before_they_have_begun_end_the_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STILLBORN, str(tmp_path / "out")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 3 and ran.stdout.startswith("a worker process died"), ran.stdout + ran.stderr


@pytest.mark.slow
def test_a_worker_that_comes_when_the_run_is_over_does_not_hold_it(tmp_path: Path) -> None:
    """The second worker waits at a gate that the first one opens right before its error ends the run."""
    gate, python = tmp_path / "gate", tmp_path / "python"
    os.mkfifo(gate)
    python.write_text(f'#!/bin/sh\n[ "$WORKER_ID" = worker_1 ] || cat {gate} >/dev/null\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    command = [sys.executable, "-c", LATE, str(tmp_path / "out"), str(python), str(gate)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 3 and ran.stdout == "the disk is made of cheese: eat it\n", ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fails_at", "told"), [(-1, "all is well"), (0, "the disk is made of cheese: eat it"), (7, "the disk is made of")]
)
def test_workers_that_take_long_to_end_are_not_taken_for_dead(tmp_path: Path, fails_at: int, told: str) -> None:
    """Neither after a graph that went well, nor instead of the error of one that failed."""
    command = [sys.executable, "-c", HASTY, str(tmp_path / "out"), str(fails_at)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 3 and ran.stdout.startswith(told), ran.stdout + ran.stderr


@pytest.mark.parametrize(("word", "is_death"), [(IN_ORDER, False), (b"", True)])
def test_a_worker_that_says_so_has_ended_in_order(word: bytes, is_death: bool) -> None:
    ours, its = socket.socketpair()
    its.sendall(word)
    its.close()
    with Bond() as bond, ours:
        bond._hold(ours)
        assert bond.broken.done() is is_death


def test_logs_lie_in_out_or_where_that_is_no_folder_in_the_working_folder(tmp_path: Path) -> None:
    assert local_log(str(tmp_path), "workers") == tmp_path / "logs" / "workers.log"
    assert local_log("gs://bucket/out", "workers").parent == Path.cwd()
