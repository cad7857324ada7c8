"""A fork is to a test what `python WORDS...` would be."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import forked_runs
import pytest

ALIKE = """
import os, signal, sys
print(sys.argv, os.getcwd(), os.environ["TOLD"], __name__, sys.stdin.read(), signal.getsignal(signal.SIGTERM).name)
print(sys.path[:2] if sys.path[0] else [os.getcwd(), sys.path[1]], file=sys.stderr)
sys.exit(7)
"""


def test_words_environment_folder_output_and_exit_code_are_those_of_a_process(tmp_path: Path) -> None:
    told = {"TOLD": "so", "PYTHONPATH": str(tmp_path / "modules")}
    found = forked_runs.run("-c", ALIKE, "a word", environment=told, folder=tmp_path)
    wanted = subprocess.run(
        [sys.executable, "-c", ALIKE, "a word"],
        cwd=tmp_path,
        env={**os.environ, **told},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (found.stdout, found.stderr, found.returncode) == (wanted.stdout, wanted.stderr, 7)


def test_a_module_is_found_in_the_folder_and_runs_as_the_program(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print(__name__, sum(1 for _ in ()))\nraise ValueError('mine')\n")
    done = forked_runs.run("-m", "mine", folder=tmp_path)
    assert done.stdout == "__main__ 0\n" and done.returncode == 1
    assert done.stderr.startswith("Traceback") and done.stderr.endswith("ValueError: mine\n")


WAITING = """
import os, pathlib, signal, sys
try:
    print(os.getpid(), flush=True)
    pathlib.Path(sys.argv[1]).touch()
    signal.pause()
except KeyboardInterrupt:
    sys.exit(3)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 3)])
def test_it_has_a_pid_gets_signals_and_dies_of_them(tmp_path: Path, number: signal.Signals, code: int) -> None:
    running = forked_runs.start("-c", WAITING, str(tmp_path / "waits"))
    while not (tmp_path / "waits").exists():
        with pytest.raises(subprocess.TimeoutExpired):
            running.communicate(timeout=0.05)
    assert running.poll() is None
    running.send_signal(number)
    output, errors = running.communicate(timeout=60)
    assert (running.returncode, output, errors) == (code, f"{running.pid}\n", "")
    assert running.poll() == code


def test_what_one_of_them_changes_no_other_sees() -> None:
    change = "import os, sys, json; json.loads = None; os.environ['LEFT'] = 'over'; os.chdir('/')"
    assert forked_runs.run("-c", change).returncode == 0
    look = "import os, json; print(json.loads('1'), 'LEFT' in os.environ, os.getcwd())"
    assert forked_runs.run("-c", look).stdout == f"1 False {forked_runs.ROOT}\n"


LEAVING_A_CHILD = """
import os, pathlib, sys
parent = os.getpid()
if os.fork():
    os._exit(4)
while os.getppid() == parent:
    os.sched_yield()
pathlib.Path(sys.argv[1]).touch()
os._exit(0)
"""


def test_what_it_has_forked_itself_is_waited_for(tmp_path: Path) -> None:
    """A reader of a killed training holds its lock until it ends too."""
    assert forked_runs.run("-c", LEAVING_A_CHILD, str(tmp_path / "gone"), timeout=60).returncode == 4
    assert (tmp_path / "gone").exists()
