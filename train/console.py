"""What the trainer's commands share on the screen: quiet libraries, messages, one line for each fault."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from tqdm import tqdm


def quiet_libraries() -> None:
    """Chatter of libraries is no news to the user; warnings of ours are printed by us. Before transformers' import."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorBoard's
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR, format="florenz: %(message)s")
    logging.getLogger("train").setLevel(logging.WARNING)  # the stream says there what it skipped
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def is_first_rank() -> bool:
    """Whether this process talks: under torchrun only the first does."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    if is_first_rank():
        tqdm.write(text)  # above the progress bar, if there is one
        sys.stdout.flush()


def fail(text: str, code: int) -> int:
    """One `florenz: ` line on stderr for each line of the text; the exit code."""
    if is_first_rank():
        for line in text.splitlines():
            print(f"florenz: {line}", file=sys.stderr)
    return code
