import os
import subprocess
import sys
from pathlib import Path

from florenz.pipeline.c_messages import c_messages_to

PROGRAM = """
import os, sys
from pathlib import Path
from florenz.pipeline.c_messages import c_messages_to
with c_messages_to(Path(sys.argv[1])):
    os.write(2, b"libtiff: odd tag\\n")
    print("ours", file=sys.stderr)
os.write(2, b"afterwards\\n")
print("ours again", file=sys.stderr)
"""


def test_c_messages_go_to_the_log_and_ours_to_the_screen(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.log"
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(log)], capture_output=True, text=True, check=True)
    assert log.read_text() == "libtiff: odd tag\n"
    assert ran.stderr.splitlines() == ["ours", "afterwards", "ours again"]


def test_an_error_in_the_block_gives_the_screen_back(tmp_path: Path) -> None:
    stderr, identity = sys.stderr, os.fstat(2)
    try:
        with c_messages_to(tmp_path / "log"):
            raise KeyError("x")
    except KeyError:
        pass
    assert sys.stderr is stderr
    assert (os.fstat(2).st_ino, os.fstat(2).st_dev) == (identity.st_ino, identity.st_dev)
