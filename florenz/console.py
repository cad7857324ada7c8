"""What all commands share on the screen: quiet libraries, one line for each fault, exit codes.

Exit codes: 0 done; 1 stopped, what was done is kept; 2 the input is wrong and nothing was started; 130 Ctrl-C.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Literal, NoReturn

from florenz.limits.printable import printable, printable_lines

STOPPED, REFUSED, INTERRUPTED = 1, 2, 130


def quiet_libraries() -> None:
    """Chatter of libraries is no news to the user; warnings of ours are printed by us. Before transformers' import."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorBoard's
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR, format="florenz: %(message)s")
    logging.getLogger("florenz").setLevel(logging.WARNING)  # the trainer's stream says there what it skipped
    # Beam logs the traceback of every error that it passes on, Pillow what is odd about a file that it then rejects.
    for name in ("apache_beam", "PIL"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def is_first_rank() -> bool:
    """Whether this process talks: under torchrun only the first does."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    if is_first_rank():
        from tqdm import tqdm

        tqdm.write(printable_lines(text))  # above the progress bar, if there is one
        sys.stdout.flush()


def tell(text: str) -> None:
    """To standard output, at once; names and servers' words as `printable` shows them: a name may be no UTF-8."""
    print(printable_lines(text), flush=True)


def fail(text: str, code: int, *, by: Literal["first", "node", "each"] = "first") -> int:
    """One `florenz: ` line on stderr for each line of the text; the exit code.

    by: which ranks say it under torchrun. first: of what all find alike. node: the first of each machine as well, of
    what may be wrong with one of them. each: of what one rank alone has met. All but the first say which they are.
    """
    is_heard = is_first_rank() or by == "each" or (by == "node" and os.environ.get("LOCAL_RANK") == "0")
    rank = "" if is_first_rank() else f"rank {os.environ['RANK']}: "
    lines = text.rstrip("\n").split("\n") if text else []  # splitlines knows ten more line ends, for a server to use
    for line in lines if is_heard else []:
        print(f"florenz: {rank}{printable(line)}", file=sys.stderr)
    return code


def interrupt(signum: int, frame: object) -> NoReturn:
    """A handler for SIGTERM: what a Ctrl-C does."""
    raise KeyboardInterrupt


def leave(code: int) -> NoReturn:
    """At once: after an interrupt Beam's threads would finish their bundle first, after a worker's death they would
    wait for it for ever. Everything that must end (the server) has ended by now.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
