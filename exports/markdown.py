"""Tables in Markdown that no text can break."""

from __future__ import annotations

from collections.abc import Sequence

from florenz.limits.printable import printable

MAX_CELL_CHARS = 120


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows))


def cell(text: str) -> str:
    """One line that can't break the table: `\\|` would end the cell, so backslashes are escaped as well."""
    line = printable(" ".join(text.split()))
    line = line if len(line) <= MAX_CELL_CHARS else line[: MAX_CELL_CHARS - 1] + "…"
    return line.replace("\\", "\\\\").replace("|", "\\|")
