"""Run a command and end it, with all its children, when the process that asked for it is gone.

`python guard.py PARENT_PID COMMAND...` is the leader of its own process group, and vLLM's children stay in that group.
The kernel's "parent died" signal would be simpler, but it is sent when the *thread* that started the child ends, and it
reaches the child alone, not its children; so the guard looks at its parent's id twice a second instead. It costs 10 MB
and imports nothing heavy, because it starts before the command does.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

LOOK_EVERY_S = 0.5


def main(parent_pid: int, command: list[str]) -> int:
    """The command's exit status, 128 + n for signal n. Does not return when the parent is gone: the group is killed."""
    child = subprocess.Popen(command)

    def pass_on(signum: int, frame: FrameType | None) -> None:
        child.send_signal(signum)

    signal.signal(signal.SIGTERM, pass_on)
    while True:
        try:
            status = child.wait(timeout=LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent_pid:
                os.killpg(0, signal.SIGKILL)
        else:
            # An orphaned vLLM engine goes on for ever when its API server was killed; we are in this group ourselves.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
