"""The command line: `florenz COMMAND ...`, or `python -m florenz COMMAND ...`; `commands.py` has the table."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from florenz.commands import COMMANDS
from florenz.console import REFUSED, fail, leave
from florenz.helps import HELPS
from florenz.recipes.sections import nearest

HELP = ("help", "--help", "-h")


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    if not words or words[0] in HELP:
        print("usage: florenz COMMAND ...")
        for name, (_, about) in COMMANDS.items():
            print(f"  {name:<11} {about}")
        return 0 if words else REFUSED
    command, *rest = words
    if command not in COMMANDS:
        return fail(f"unknown command {command!r}: {nearest(command, COMMANDS)}", REFUSED)
    if command in HELPS and set(rest) & {"--help", "-h"}:
        print(HELPS[command])
        return 0
    module, _, function = COMMANDS[command][0].partition(":")
    code = getattr(importlib.import_module(module), function)(rest)
    return int(code)


def run() -> None:
    """The console script. Beam's threads would outlive a command (`leave`); without Beam it ends as any process."""
    code = main()
    if "apache_beam" in sys.modules:
        leave(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
