"""`florenz progress` tells the run that is going on, and not the one before."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from florenz.pipeline.progress_lines import ProgressLines
from florenz.progress import latest, main, told


def test_what_a_run_writes_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "logs" / "progress.jsonl"
    read = ProgressLines("read", 10, io.StringIO(), log)
    read.update(10)
    read.close(is_done=True)
    ProgressLines("caption", 20, io.StringIO(), log)
    with log.open("a") as file:
        file.write('{"step": "capt')  # a line that is being written
    assert main([str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("read       10 of 10 in ") and first.endswith("s, done")
    assert second.startswith("caption    0 of 20 in 0") and "running (said " in second


def test_a_new_run_replaces_the_one_before() -> None:
    def line(step: str, state: str) -> str:
        return json.dumps({"step": step, "state": state})

    lines = [line("read", "running"), line("read", "done"), line("caption", "stopped"), line("read", "running")]
    assert [(one["step"], one["state"]) for one in latest(lines)] == [("read", "running")]
    assert latest(["[]", "{}", ""]) == []


def test_a_step_without_a_number_of_items_is_told() -> None:
    record = {"at": "2026-01-01T00:00:00+00:00", "step": "server", "done": 0, "total": None, "seconds": 4.0,
              "state": "running"}  # fmt: skip
    text = told(record, datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC))
    assert text == "server     0 in 4.0 s, running (said 3 s ago)"
    text = told(record | {"phase": "loading the weights"}, datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC))
    assert text == "server     loading the weights in 4.0 s, running (said 3 s ago)"


def test_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the folder's place")
    lines = ProgressLines("caption", 3, None, tmp_path / "logs" / "progress.jsonl")
    lines.update(3)
    lines.close(is_done=True)
    assert lines.done == 3 and (tmp_path / "logs").read_text() == "a file in the folder's place"
