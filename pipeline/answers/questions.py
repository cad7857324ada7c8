"""The questions that captioners, translators and scorers are asked, as they travel to the workers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class CaptionTask:
    """One image and the styles that the ledger has no caption for."""

    key: str
    source: str
    styles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TranslationTask:
    """One English caption that the ledger has no translation for, in one language, from that language's translator
    `number`. context: another caption of the image, for translators that take one.
    """

    key: str
    style: str
    language: str
    source_text: str
    number: int = 0
    context: str = ""


@dataclass(frozen=True, kw_only=True)
class ScoreTask:
    """One text that the ledger has no score of. source: URI of the image. source_text: as in `ScoreRow`."""

    key: str
    source: str
    style: str
    language: str
    source_text: str
    text: str


def tasks_in(tasks: Iterable[CaptionTask], styles: Collection[str]) -> list[CaptionTask]:
    """What is asked in these styles, which are one captioner's."""
    own = (replace(task, styles=tuple(style for style in task.styles if style in styles)) for task in tasks)
    return [task for task in own if task.styles]
