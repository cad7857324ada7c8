"""Run a command and end it, with all its children, when nobody wants it any more.

`python guard.py PARENT_PID COMMAND...` ends it with the process that asked for it. `python guard.py PATH COMMAND...`
ends it when no process holds a shared lock (flock) on that file: a server that several share. It is the leader of its
own process group, and vLLM's children stay in that group. The kernel's "parent died" signal would be simpler, but it is
sent when the *thread* that started the child ends, and it reaches the child alone, not its children; so the guard looks
twice a second instead. It costs 10 MB and imports nothing heavy, because it starts before the command does.
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

LOOK_EVERY_S = 0.5


def main(owner: str, command: list[str]) -> int:
    """The command's exit status, 128 + n for signal n. Does not return when it is not wanted: the group is killed.

    owner: a process id or the path of a file.
    """
    is_wanted = has_parent(int(owner)) if owner.isdigit() else has_users(owner)
    child = subprocess.Popen(command)

    def pass_on(signum: int, frame: FrameType | None) -> None:
        child.send_signal(signum)

    signal.signal(signal.SIGTERM, pass_on)
    while True:
        try:
            status = child.wait(timeout=LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if not is_wanted():
                os.killpg(0, signal.SIGKILL)
        else:
            if not owner.isdigit():  # nobody comes after us who would see to the rest of the group
                os.killpg(0, signal.SIGKILL)
            # An orphaned vLLM engine goes on for ever when its API server was killed; we are in this group ourselves.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            return status if status >= 0 else 128 - status


def has_parent(pid: int) -> Callable[[], bool]:
    return lambda: os.getppid() == pid


def has_users(path: str) -> Callable[[], bool]:
    """The system drops a lock with its process, however that ends. Once nobody has it we keep it to our own end, so
    that whoever comes in between waits for a server of its own.
    """
    users = os.open(path, os.O_RDWR)

    def is_held() -> bool:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    return is_held


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
