"""States a scene in a language, in the short style (one sentence) or the detailed one (three or four).

Short: how many of what, of which colour, in which relation, where. Detailed: also day or night, every size, and in
English all that the short caption hides. Each language has two or three wordings and a rule that says which one a scene
gets; the rule looks at something that the picture and the English caption show (`wording` in each grammar).
"""

from __future__ import annotations

from types import ModuleType

from florenz.playground.grammar import chinese, english, french, german, russian, spanish
from florenz.playground.scene import Scene

STYLES = ("short", "detailed")
GRAMMARS: dict[str, ModuleType] = {
    "en": english, "de": german, "fr": french, "es": spanish, "ru": russian, "zh": chinese,
}  # fmt: skip
LANGUAGES = tuple(GRAMMARS)


def state(scene: Scene, language: str, style: str) -> str:
    """The caption of `scene`, in the wording that the language's rule asks for.

    Raises:
        ValueError: the playground has no such language or style.
    """
    return state_in(scene, language, style, wording_of(scene, language))


def state_in(scene: Scene, language: str, style: str, wording: int) -> str:
    """The caption in a wording of the language, 0 to `num_wordings` - 1."""
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}; the playground has {', '.join(STYLES)}")
    text: str = getattr(_grammar(language), style)(scene, wording)
    return text


def wording_of(scene: Scene, language: str) -> int:
    """Which wording the language's rule asks for."""
    wording: int = _grammar(language).wording(scene)
    return wording


def num_wordings(language: str) -> int:
    number: int = _grammar(language).NUM_WORDINGS
    return number


def _grammar(language: str) -> ModuleType:
    if language not in GRAMMARS:
        raise ValueError(f"the playground has no grammar for {language!r}; it has {', '.join(LANGUAGES)}")
    return GRAMMARS[language]
