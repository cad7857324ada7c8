"""States a scene in a language: the one right caption, in the short style (one sentence) or the detailed one (two or
three).

Short: how many of what, of which colour, in which relation, where. Detailed: also day or night and every size.
"""

from __future__ import annotations

from types import ModuleType

from florenz.playground.grammar import chinese, english, french, german, russian, spanish
from florenz.playground.scene import Scene

STYLES = ("short", "detailed")
_GRAMMARS: dict[str, ModuleType] = {
    "en": english, "de": german, "fr": french, "es": spanish, "ru": russian, "zh": chinese,
}  # fmt: skip
LANGUAGES = tuple(_GRAMMARS)


def state(scene: Scene, language: str, style: str) -> str:
    """The caption of `scene`.

    Raises:
        ValueError: the playground has no such language or style.
    """
    if language not in _GRAMMARS:
        raise ValueError(f"the playground has no grammar for {language!r}; it has {', '.join(LANGUAGES)}")
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}; the playground has {', '.join(STYLES)}")
    text: str = getattr(_GRAMMARS[language], style)(scene)
    return text
