"""Strangers' words in Markdown: no picture, no link, no tag, whoever draws the page."""

import re

import pytest

from florenz.exports.markdown import MAX_CELL_CHARS, cell

EVIL = (
    "![x](https://evil.example/seen.png)", "[click](https://evil.example)", "<img src=https://evil.example/seen.png>",
    "`![x](https://evil.example)`", "a | b", "\\![x](y)", "\\\\[x](y)", "[x]: https://evil.example", "a\n\n# b",
)  # fmt: skip


@pytest.mark.parametrize("text", EVIL)
def test_a_cell_is_plain_text(text: str) -> None:
    """Read as CommonMark does: a backslash takes the meaning of the sign behind it, and that is told again."""
    found = cell(text)
    assert not re.search(r"[|\[\]<`\n]", re.sub(r"\\[\\|\[\]<`]", "", found)), "each sign has its own backslash"
    assert re.sub(r"\\([\\|\[\]<`])", r"\1", found) == " ".join(text.split())


def test_a_long_text_is_cut_before_its_signs_are_escaped() -> None:
    assert cell("[" * 500) == "\\[" * (MAX_CELL_CHARS - 1) + "…"
