"""`florenz progress OUT`: where a run stands, seen from another terminal. Reads OUT/logs/progress.jsonl."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from florenz.console import REFUSED, fail

USAGE = """usage: florenz progress OUT

The steps of the run that writes into OUT, or did last: how much is done, how long it took, and when that was said."""
TAIL_BYTES = 1 << 16


def main(arguments: Sequence[str]) -> int:
    if any(word in ("--help", "-h") for word in arguments):
        print(USAGE)
        return 0
    if len(arguments) != 1:
        return fail(USAGE.splitlines()[0], REFUSED)
    path = os.path.join(arguments[0], "logs", "progress.jsonl")
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return fail(f"{path} does not exist: name the OUT of a run on this machine", REFUSED)
    for record in latest(lines):
        print(told(record, datetime.now(UTC)))
    return 0


def latest(lines: Sequence[str]) -> list[dict[str, Any]]:
    """The last record of each step since the last run began, in order; a line that is being written is left out."""
    steps: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict) or "step" not in record:
            continue
        if steps.get(record["step"], {}).get("state", "running") != "running" and record["state"] == "running":
            steps = {}  # a step that had ended begins again: another run
        steps[record["step"]] = record
    return list(steps.values())


def told(record: dict[str, Any], now: datetime) -> str:
    """Like "caption    480 of 1000 in 11.6 s, running (said 3 s ago)"."""
    done = record["phase"] if record.get("phase") and not record["done"] else record["done"]
    total = "" if record["total"] is None else f" of {record['total']}"
    ago = (now - datetime.fromisoformat(record["at"])).total_seconds()
    said = f" (said {max(0, ago):.0f} s ago)" if record["state"] == "running" else ""
    return f"{record['step']:<10} {done}{total} in {record['seconds']} s, {record['state']}{said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
