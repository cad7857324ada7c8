"""The questions that a captioner and a translator are asked, as they travel to the workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CaptionTask:
    """One image and the styles that the ledger has no caption for."""

    key: str
    source: str
    styles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TranslationTask:
    """One English caption that the ledger has no translation for, in one language."""

    key: str
    style: str
    language: str
    source_text: str
