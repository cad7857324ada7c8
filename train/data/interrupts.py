"""What a Ctrl-C does while batches come from worker processes: it goes to all of them, and the trainer answers it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C takes effect when the block has ended; a second one at once.

    Inside DataLoader it can leave a lock of its queues taken, and ending the workers would then wait for ever. Seen
    once in 150 interrupts of a trainer that does nothing but fetch batches.
    """
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as it is in the background of a script
    if is_ignored or threading.current_thread() is not threading.main_thread():  # no KeyboardInterrupt is ever raised
        yield
        return
    num_interrupts = 0

    def note(number: int, frame: object) -> None:
        nonlocal num_interrupts
        num_interrupts += 1
        if num_interrupts > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if num_interrupts == 1:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def quiet_workers() -> Iterator[None]:
    """Around the start of workers, which inherit what is set here.

    A Ctrl-C goes to every process of the terminal: workers leave it to the trainer, which ends them, and print nothing.
    A tokenizer that has used threads in the trainer can't in a fork of it, and says so unless told beforehand.
    """
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
