"""Scenes drawn by a process of their own, so that the one that will look at them has its hands free meanwhile.

    python -m florenz.pipeline.drawing OUT FOLDER COUNT SEED PARENT HOST PORT

Drawing is Python from end to end, and so is importing what captions: two threads would take turns at it. The process
tells of each picture on the run's socket, as workers do, and ends with the run, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from florenz.pipeline.progress import ProgressAddress, advance
from florenz.playground.world import draw_world
from florenz.stores import files


@contextlib.contextmanager
def drawn_apart(out: str, folder: str, *, count: int, seed: int, progress: ProgressAddress) -> Iterator[None]:
    """Make `folder`, on this machine and below OUT, hold this world while the block runs; it does when that has ended.

    Raises OSError with the words of that process, which is stopped where the block raises.
    """
    told = map(str, (count, seed, os.getpid(), *(progress or ())))
    words = [sys.executable, "-m", "florenz.pipeline.drawing", out, folder, *told]
    no_input, telling = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(words, stdin=no_input, stderr=telling, text=True, errors="replace") as process:
        try:
            yield
            _, said = process.communicate()
        finally:
            process.kill()
    if process.returncode < 0:
        raise ChildProcessError("the process that draws the pictures died (killed, or out of memory)")
    if process.returncode:
        raise OSError(said.strip().rpartition("\n")[2])


def main(arguments: Sequence[str]) -> int:
    out, folder, count, seed, parent, *address = arguments
    progress = (address[0], int(address[1])) if address else None

    def tell(pictures: int) -> None:
        if os.getppid() != int(parent):  # the run was killed, and the next one may draw here
            os._exit(1)
        advance(progress, "draw", pictures)

    try:
        with files.pinned(out):
            draw_world(folder, count=int(count), seed=int(seed), advance=tell)
    except OSError as problem:
        print(files.in_words(problem), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
