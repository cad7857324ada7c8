"""What a scorer said of a text, as a row of the ledger."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow as pa

Identity = tuple[str, str, str, str, str]
Scores = tuple[tuple[str, float | None], ...]  # what is scored, and the number, where there is one; by name
IDENTITY = ("key", "style", "language", "source_text", "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """A number for one text of one image, or the reason why it has none. source_text: the English text that it was
    made from, "" for a caption. Another text, or another source, is another question.
    """

    key: str
    style: str
    language: str
    source_text: str
    text: str
    score: float | None
    reason: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        if (self.score is None) != bool(self.reason) or not (self.score is None or math.isfinite(self.score)):
            raise ValueError(f"{self.identity}: a score is a finite number or has a reason, got {self}")

    @property
    def identity(self) -> Identity:
        return self.key, self.style, self.language, self.source_text, self.text


SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in IDENTITY),
        pa.field("score", pa.float64()),
        *(pa.field(name, pa.string(), nullable=False) for name in ("reason", "detail")),
    ]
)
