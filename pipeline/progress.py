"""Live progress: how many items of a step are done, at which rate, and how long the rest will take.

On this machine Beam shows metrics when a graph has ended; this shows them on the way. Workers, which may be other
processes, send datagrams to a socket on loopback; whoever runs the graph adds them up and draws a bar. A datagram that
is lost costs a wrong number on the screen and nothing else, which is why nothing is counted this way that goes into a
report. Workers elsewhere can't reach that socket: they count in Beam's metrics, which the launcher asks the engine for.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from tqdm import tqdm

from florenz.pipeline.progress_lines import ProgressLines

if TYPE_CHECKING:
    from apache_beam.runners.runner import PipelineResult

ProgressAddress = tuple[str, int] | None  # None: nobody looks
NAMESPACE = "florenz"  # of our metrics: engines list their own among them
_STOP = b"stop"
PHASE, TOTAL = "phase ", "total "
REDRAW_EVERY_S = 1.0


class Progress(Protocol):
    """What a listener tells: a tqdm bar or lines."""

    total: Any

    def update(self, items: Any) -> Any: ...

    def refresh(self) -> Any: ...

    def set_postfix_str(self, s: str) -> Any: ...


def advance(address: ProgressAddress, step: str, items: int) -> None:
    """Say that `items` more are done. Never fails and never waits."""
    _tell(address, f"{step} {items}")


def tell_phase(address: ProgressAddress, step: str, phase: str) -> None:
    """Say what a step is doing that counts nothing. Never fails and never waits."""
    _tell(address, f"{step} {PHASE}{phase}")


def tell_total(address: ProgressAddress, step: str, total: int) -> None:
    """Say how many there are, where the step began without knowing. Never fails and never waits."""
    _tell(address, f"{step} {TOTAL}{total}")


def _tell(address: ProgressAddress, words: str) -> None:
    if address is not None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(words.encode(), address)


def count(step: str, items: int) -> None:
    """The same in Beam's metrics, for a step that is being run by a worker; in its own thread, or nobody counts it."""
    from apache_beam.metrics import Metrics

    Metrics.counter(NAMESPACE, step).inc(items)


def num_done(result: PipelineResult, step: str) -> int:
    """What the workers of a job have counted; 0 where the engine does not tell."""
    import grpc
    from apache_beam.metrics.metric import MetricsFilter
    from google.api_core.exceptions import GoogleAPICallError

    result._metrics = None  # PortableRunner's result keeps the first answer for ever
    try:
        found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE).with_name(step))["counters"]
    except (RuntimeError, LookupError, OSError, grpc.RpcError, GoogleAPICallError):
        # A job that has just begun, or a server that is busy.
        return 0
    # Engines mix attempts with what was committed, and one gives floats: a bundle that was tried twice counts once.
    return sum(int(one.committed if one.committed is not None else one.attempted or 0) for one in found)


@contextlib.contextmanager
def progress_bar(
    step: str, total: int | None, screen: TextIO | None = None, log: Path | None = None
) -> Iterator[ProgressAddress]:
    """A bar for one step while the block runs; where `screen` (sys.stderr) is no terminal, a line now and then.

    log: a file that gets the same as JSON lines. Lines without a terminal go to standard output, where results go:
    standard error is for faults.
    """
    has_bar = (screen or sys.stderr).isatty()
    lines = ProgressLines(step, total, None if has_bar else screen or sys.stdout, log)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, contextlib.ExitStack() as stack:
        receiver.bind(("127.0.0.1", 0))
        address: tuple[str, int] = receiver.getsockname()
        bars: list[Progress] = [lines]
        if has_bar:
            bars.append(stack.enter_context(_bar(step, total, screen or sys.stderr)))
        listener = threading.Thread(target=_listen, args=(receiver, step, bars), daemon=True)
        listener.start()
        is_done = False
        try:
            yield address
            is_done = True
        finally:
            while listener.is_alive():  # the word itself may be lost, where a full buffer drops datagrams
                receiver.sendto(_STOP, address)
                listener.join(0.1)
            lines.close(is_done=is_done)


def _bar(step: str, total: int | None, screen: TextIO) -> tqdm[None]:
    size = {"ncols": _columns(screen), "nrows": 20}  # for one bar, any number of rows will do; 0 rows would hide it
    return tqdm(total=total, desc=f"{step:<10}", unit="", file=screen, **size)


def _columns(screen: TextIO) -> int:
    """Of the terminal; 80 for one that does not know, as under `script`, where tqdm by itself would draw nothing."""
    return os.get_terminal_size(screen.fileno()).columns or 80


def _listen(receiver: socket.socket, step: str, bars: Sequence[Progress]) -> None:
    receiver.settimeout(REDRAW_EVERY_S)
    datagram = b""
    while datagram != _STOP:
        try:
            datagram = receiver.recv(256)
        except TimeoutError:
            for bar in bars:
                bar.refresh()  # nothing has come, but time has passed
            continue
        name, _, items = datagram.decode(errors="replace").partition(" ")
        if name == step and items.isdigit():
            for bar in bars:
                bar.update(int(items))
        elif name == step and items.startswith(PHASE):
            for bar in bars:
                bar.set_postfix_str(items.removeprefix(PHASE))
        elif name == step and items.startswith(TOTAL) and items.removeprefix(TOTAL).isdigit():
            for bar in bars:
                bar.total = int(items.removeprefix(TOTAL))
                bar.refresh()
