"""Progress is seen on a terminal, and only there; and what is lost on the way harms nothing."""

import io
import json
import os
import pty
import re
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from florenz.pipeline.progress import ProgressAddress, advance, progress_bar, tell_phase, tell_total
from florenz.pipeline.progress_lines import ProgressLines

HUNG_AFTER_S = 300.0


class Terminal:
    """A real one, of no stated size, as a program under `script` gets it; `text` is what it has shown."""

    def __init__(self) -> None:
        self._controller, terminal = pty.openpty()
        self.screen = open(terminal, "w")  # noqa: SIM115
        self.text = ""

    def read(self, wait_s: float = 0.0) -> str:
        while select.select([self._controller], [], [], wait_s)[0]:
            try:
                self.text += os.read(self._controller, 65536).decode(errors="replace")
            except OSError:  # Linux says so when the other end is closed and all is read
                break
        return self.text

    def close(self) -> None:
        self.screen.close()
        self.read()
        os.close(self._controller)


@contextmanager
def bar_on_a_terminal(total: int | None = 8) -> Iterator[tuple[ProgressAddress, Terminal]]:
    """As standard error, because tqdm asks only there how large the terminal is."""
    terminal = Terminal()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", terminal.screen)
            with progress_bar("caption", total) as address:
                yield address, terminal
    finally:
        terminal.close()


def test_a_terminal_shows_done_total_rate_and_time_left() -> None:
    with bar_on_a_terminal() as (address, terminal):
        for _ in range(3):
            advance(address, "caption", 2)
    assert re.search(r"caption .* 6/8 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+/s\]", terminal.text), terminal.text


def test_the_bar_moves_while_the_step_runs() -> None:
    deadline = time.monotonic() + HUNG_AFTER_S
    with bar_on_a_terminal(total=10**9) as (address, terminal):
        while not re.search(r" [1-9]\d*/1000000000 ", terminal.read(wait_s=0.01)) and time.monotonic() < deadline:
            advance(address, "caption", 1)
        assert time.monotonic() < deadline, terminal.text


def test_the_clock_goes_on_while_nothing_is_done() -> None:
    with bar_on_a_terminal(total=None) as (_, terminal):
        deadline = time.monotonic() + HUNG_AFTER_S
        while not re.search(r"\[(?!00:00)\d\d:\d\d,", terminal.read(wait_s=0.05)):  # a busy machine may skip a second
            assert time.monotonic() < deadline, terminal.text


def test_a_step_of_unknown_length_shows_what_is_done() -> None:
    with bar_on_a_terminal(total=None) as (address, terminal):
        advance(address, "caption", 5)
    assert re.search(r"caption .*\b5 \[", terminal.text), terminal.text


def test_a_total_that_is_known_later_is_shown(tmp_path: Path) -> None:
    with bar_on_a_terminal(total=10) as (address, terminal):
        advance(address, "caption", 6)
        tell_total(address, "caption", 6)
        tell_total(address, "translate", 99)
    assert " 6/6 " in terminal.text and "/99" not in terminal.text
    screen, log = io.StringIO(), tmp_path / "logs" / "progress.jsonl"
    with progress_bar("caption", 10, screen, log) as address:
        advance(address, "caption", 6)
        tell_total(address, "caption", 6)
    assert "6 of 6 in" in screen.getvalue()
    assert json.loads(log.read_text().splitlines()[-1])["total"] == 6


def test_two_bars_at_once_keep_their_lines() -> None:
    with bar_on_a_terminal() as (address, terminal):
        with progress_bar("translate", 4, terminal.screen) as other:
            advance(other, "translate", 4)
            advance(address, "caption", 2)
        advance(address, "caption", 6)
    lines = [line for line in re.split(r"[\r\n]+|\x1b\[A", terminal.text) if line.strip()]
    assert re.match(r"caption .* 8/8 ", lines[-1]) and any(re.match(r"translate .* 4/4 ", line) for line in lines)


def test_other_steps_and_nonsense_do_not_move_the_bar() -> None:
    with bar_on_a_terminal() as (address, terminal):
        assert address is not None
        advance(address, "translate", 3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for words in (b"\xff\xfe", b"caption", b"caption -4", b"caption x", b"caption total x", b""):
                stranger.sendto(words, address)
    assert " 0/8 " in terminal.text and not re.search(r" [1-9]/8 ", terminal.text)


def test_without_a_terminal_a_step_ends_with_a_line(tmp_path: Path) -> None:
    screen = io.StringIO()
    with progress_bar("caption", 8, screen, tmp_path / "logs" / "progress.jsonl") as address:
        for _ in range(4):
            advance(address, "caption", 2)
    assert re.fullmatch(r"caption    8 of 8 in \d+\.\d s, [\d.]+/s\n", screen.getvalue()), screen.getvalue()
    records = [json.loads(line) for line in (tmp_path / "logs" / "progress.jsonl").read_text().splitlines()]
    assert records[0]["state"] == "running" and records[-1]["state"] == "done"
    assert (records[-1]["step"], records[-1]["done"], records[-1]["total"]) == ("caption", 8, 8)


def test_a_line_comes_at_least_every_30_seconds_with_rate_and_time_left(tmp_path: Path) -> None:
    now, screen, log = 0.0, io.StringIO(), tmp_path / "progress.jsonl"
    lines = ProgressLines("translate", 1000, screen, log, clock=lambda: now)
    for now in range(1, 71):  # noqa: B007
        lines.update(10)
    assert screen.getvalue().splitlines() == [
        "translate  300 of 1000, 10.0/s, 70 s left",
        "translate  600 of 1000, 10.0/s, 40 s left",
    ]
    lines.close(is_done=False)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert records[-1]["state"] == "stopped" and len(records) >= 30


def test_a_step_that_counts_nothing_says_that_it_lives() -> None:
    now, screen = 0.0, io.StringIO()
    lines = ProgressLines("server", None, screen, clock=lambda: now)
    now = 31.0
    lines.refresh()
    assert screen.getvalue() == "server     ..., 31 s so far\n"


def test_a_step_that_counts_nothing_says_what_it_is_doing(tmp_path: Path) -> None:
    screen, log = io.StringIO(), tmp_path / "logs" / "progress.jsonl"
    with progress_bar("server", None, screen, log) as address:
        tell_phase(address, "caption", "another step's")
        tell_phase(address, "server", "importing vLLM")
        tell_phase(address, "server", "loading the weights")
    first, second, last = screen.getvalue().splitlines()
    assert re.fullmatch(r"server     importing vLLM, \d+ s so far", first)
    assert re.fullmatch(r"server     loading the weights, \d+ s so far", second)
    assert re.fullmatch(r"server     loading the weights in \d+\.\d s", last)
    phases = [json.loads(line).get("phase") for line in log.read_text().splitlines()]
    assert phases == [None, "importing vLLM", "loading the weights", "loading the weights"]


def test_a_terminal_shows_the_phase_beside_the_bar() -> None:
    with bar_on_a_terminal(None) as (address, terminal):
        tell_phase(address, "caption", "loading the weights")
    assert "loading the weights" in terminal.text


def test_a_step_that_fails_says_no_line_that_it_ended() -> None:
    screen = io.StringIO()
    with pytest.raises(KeyError), progress_bar("caption", 8, screen):
        raise KeyError("mine")
    assert screen.getvalue() == ""


@pytest.mark.parametrize("address", [("127.0.0.1", 9), ("no-such-host.invalid", 9), None])
def test_an_address_where_nobody_listens_never_fails(address: ProgressAddress) -> None:
    advance(address, "caption", 2)
    advance(address, "caption", 2)


def test_the_bar_ends_though_its_queue_overflows() -> None:
    with (
        bar_on_a_terminal(total=None) as (address, terminal),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood,
    ):
        assert address is not None
        for _ in range(20_000):
            flood.sendto(b"caption 1", address)
    assert "caption" in terminal.text


def test_an_error_under_the_bar_passes_through() -> None:
    with pytest.raises(KeyError, match="mine"), bar_on_a_terminal():
        raise KeyError("mine")
