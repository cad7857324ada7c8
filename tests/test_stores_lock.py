"""One run at a time in one OUT, between real processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_examples import ROOT

from florenz.stores.lock import OutInUse, lock_out

HOLD = """
import sys, time
from florenz.stores.lock import OutInUse, lock_out
with lock_out(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(out: Path) -> subprocess.Popen[str]:
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


def test_an_object_store_is_not_locked() -> None:
    with lock_out("memory://out"), lock_out("memory://out"):
        pass
