"""One run at a time in one OUT, between real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from pipeline_examples import ROOT

from benchmarks.stand_in_stores import Faults, StandInStore
from florenz.stores import files, lease, objects
from florenz.stores.errors import OutLost
from florenz.stores.lease import Lease, lock_path
from florenz.stores.lock import OutInUse, lock_out

HOLD = """
import sys, time
from florenz.stores.lock import OutInUse, lock_out
with lock_out(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(out: Path | str) -> subprocess.Popen[str]:
    """Another process that holds OUT until its input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        with pytest.raises(OutInUse) as caught, lock_out(str(tmp_path)):
            raise AssertionError("the lock was given twice")
        line = str(caught.value)
        assert f"process {holder.pid}" in line and repr(str(tmp_path)) in line and "choose another OUT" in line
        holder.communicate("")
    with lock_out(str(tmp_path)):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock_out(str(tmp_path)):
        pass


def test_an_error_lets_go_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock_out(str(tmp_path)):
        raise KeyError
    with lock_out(str(tmp_path)):
        pass


def test_out_is_made_where_it_is_not_there(tmp_path: Path) -> None:
    with lock_out(str(tmp_path / "a" / "b")):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_store_that_cannot_swap_is_not_locked() -> None:
    with lock_out("memory://out"), lock_out("memory://out"):
        pass


# -- object stores: a lease ------------------------------------------------------------------------------------------


@pytest.fixture
def out(object_store: StandInStore) -> str:
    return f"{object_store.bucket}/{uuid.uuid4().hex}"


def read_lock(out: str) -> dict:
    found = files.read_versioned(lock_path(out))
    assert found is not None
    return json.loads(found.content)


def write_lock(out: str, **changes: object) -> None:
    """As it would lie there, with these differences: the holder's process, host, ..."""
    holder = {**vars(lease._ourselves(60.0)), **changes}
    with files.atomic_write(lock_path(out)) as file:
        file.write(json.dumps(holder).encode())


def test_an_out_in_an_object_store_is_held_by_one_and_given_back(out: str) -> None:
    with lock_out(out) as held:
        held.check()
        assert read_lock(out)["pid"] == os.getpid() and read_lock(out)["is_held"]
        with pytest.raises(OutInUse, match=rf"in use by another run \(process {os.getpid()} on .*choose another OUT"):
            lock_out(out).__enter__()
        held.check()
    assert not read_lock(out)["is_held"]
    with lock_out(out):
        pass


def test_a_killed_holder_on_this_machine_is_taken_over_at_once(out: str) -> None:
    with start_holder(out) as holder:
        with pytest.raises(OutInUse, match=f"process {holder.pid} on"):
            lock_out(out).__enter__()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock_out(out):
        assert read_lock(out)["pid"] == os.getpid()


def test_a_number_that_was_given_to_another_process_is_not_the_holder(out: str) -> None:
    write_lock(out, started="1")
    with lock_out(out):
        pass


@pytest.mark.parametrize("stranger", [{"space": "another machine"}, {"space": ""}])
def test_a_dead_holder_elsewhere_is_respected_for_a_lease_and_no_longer(out: str, stranger: dict) -> None:
    write_lock(out, pid=1, started="1", host="elsewhere", lease_s=2.0, **stranger)
    with pytest.raises(OutInUse, match=r"process 1 on elsewhere\), last heard of \d+ s ago.*lapses after 2 s"):
        lock_out(out).__enter__()
    seen = wait_until_free(out)
    assert seen > 1, "it was given away before its lease had passed"


def wait_until_free(out: str) -> int:
    """Ask again and again, as a user would; how often it was refused."""
    for refused in range(1000):
        try:
            with lock_out(out):
                return refused
        except OutInUse:
            threading.Event().wait(0.25)
    raise AssertionError("it was never given away")


def test_our_own_clock_says_nothing_about_the_age_of_a_lock(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lock(out, host="elsewhere", space="another machine")
    for years in (-20, 20):
        monkeypatch.setattr("time.time", lambda years=years: 1.8e9 + years * 3e7)
        with pytest.raises(OutInUse, match="elsewhere"):
            lock_out(out).__enter__()


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b'{"owner": 1}', b"\xff" * 10_000])
def test_a_lock_that_cannot_be_read_is_respected(out: str, content: bytes) -> None:
    with files.atomic_write(lock_path(out)) as file:
        file.write(content)
    with pytest.raises(OutInUse, match="its lock can't be read"):
        lock_out(out).__enter__()


def test_a_holder_that_was_renewed_stays_and_one_that_was_taken_over_is_told(out: str) -> None:
    mine = Lease(out, 60.0)
    mine.acquire()
    for _ in range(3):
        mine.renew()
    assert read_lock(out)["turn"] == 3
    mine.check()
    found = files.read_versioned(lock_path(out))
    assert found is not None
    theirs = {**json.loads(found.content), "owner": "somebody", "host": "elsewhere", "pid": 7}
    assert files.swap(lock_path(out), json.dumps(theirs).encode(), found.version)
    with pytest.raises(OutLost, match=r"was taken over by another run \(process 7 on elsewhere\)"):
        mine.renew()
    with pytest.raises(OutLost, match="taken over"):
        mine.check()
    mine.let_go()
    assert read_lock(out)["owner"] == "somebody" and read_lock(out)["is_held"]


def test_a_run_that_hears_nothing_of_the_store_for_a_lease_stops_by_itself(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Lease(out, 60.0)
    mine.acquire()
    mine.check()
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + 61)
    with pytest.raises(OutLost, match="could not be kept for this run"):
        mine.check()


def test_a_renewal_whose_answers_were_all_lost_is_ours_all_the_same(
    out: str, object_store: StandInStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "NUM_TRIES", 1)
    mine = Lease(out, 60.0)
    mine.acquire()
    object_store.order(Faults(method="PUT", reset="after"))
    mine.renew()
    assert read_lock(out)["turn"] == 1
    mine.renew()
    mine.check()
    assert read_lock(out)["turn"] == 2


@pytest.mark.parametrize("ctrl_c", ["default_int_handler", "SIG_IGN"])
def test_a_run_is_interrupted_when_its_out_is_taken_over(out: str, ctrl_c: str) -> None:
    """From the side, while it computes: the one line names who has it now. What a script starts in the background is
    to be interrupted as well, and begins with an ignored Ctrl-C.
    """
    code = """
import signal, sys, threading
from florenz.stores import files, lease
from florenz.stores.errors import OutLost
signal.signal(signal.SIGINT, getattr(signal, sys.argv[2]))
try:
    with lease.lease_out(sys.argv[1], lease_s=4.0):
        print("held", flush=True)
        for _ in range(600):
            threading.Event().wait(0.1)
except OutLost as problem:
    print(problem)
"""
    words = [sys.executable, "-c", code, out, ctrl_c]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        write_lock(out, owner="somebody", pid=7, host="elsewhere")
        assert "was taken over by another run (process 7 on elsewhere)" in holder.stdout.read()


RACE = """
import sys
from florenz.stores.lock import OutInUse, lock_out
for line in sys.stdin:
    try:
        with lock_out(line.strip()):
            print("won", flush=True)
            sys.stdin.readline()
    except OutInUse:
        print("lost", flush=True)
        sys.stdin.readline()
"""


@pytest.mark.slow
def test_of_two_launchers_that_race_for_one_out_exactly_one_wins_every_time(out: str) -> None:
    command = [sys.executable, "-c", RACE]
    with contextlib.ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1)
            )
            for _ in range(2)
        ]
        winners = []
        for number in range(100):
            for racer in racers:
                racer.stdin.write(f"{out}-{number}\n")  # type: ignore[union-attr]
            said = [racer.stdout.readline().strip() for racer in racers]  # type: ignore[union-attr]
            assert sorted(said) == ["lost", "won"], f"race {number}: {said}"
            winners.append(said.index("won"))
            for racer in racers:
                racer.stdin.write("\n")  # type: ignore[union-attr]
        for racer in racers:
            racer.stdin.close()  # type: ignore[union-attr]
    assert len(winners) == 100
