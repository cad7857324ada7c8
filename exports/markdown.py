"""Tables in Markdown that no text can break, and in which no text becomes a picture, a link or a tag."""

from __future__ import annotations

import re
from collections.abc import Sequence

from florenz.limits.printable import printable

MAX_CELL_CHARS = 120
SIGNS = re.compile(r"[\\|\[\]<`]")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows))


def cell(text: str) -> str:
    """One line of plain text. `\\|` would end the cell, so backslashes are escaped as well; a picture would be loaded
    by whoever reads the page, and a sign of code would take the backslash from what follows it.
    """
    line = printable(" ".join(text.split()))
    line = line if len(line) <= MAX_CELL_CHARS else line[: MAX_CELL_CHARS - 1] + "…"
    return SIGNS.sub(r"\\\g<0>", line)
