"""Scores texts about playground pictures against the truth: is a text the caption that the grammar would have written,
does it mean the same, does it fit the picture?

What the English caption leaves open can't be translated rightly without the picture: which bat, which blue, whether it
stands or lies. So a translation counts as right when it is the caption of some scene that the English text describes (a
translator that sees no picture has done its work then), and whether it also fits the picture is counted apart: that
share is what a context, or training on images, is meant to raise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from florenz.playground.captions import state
from florenz.playground.meaning import same_meaning
from florenz.playground.scene import Scene, readings


@dataclass(kw_only=True)
class Score:
    """Counts under (what, style or language): right and asked."""

    right: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, what: str, name: str, is_right: bool) -> None:
        self.asked[what, name] += 1
        self.right[what, name] += is_right

    def share(self, what: str) -> float:
        """Over all names; 1.0 when nothing was asked."""
        asked = sum(number for (a_what, _), number in self.asked.items() if a_what == what)
        right = sum(number for (a_what, _), number in self.right.items() if a_what == what)
        return right / asked if asked else 1.0

    def lines(self) -> list[str]:
        """A line per entry: what, name, right of asked, share."""
        return [
            f"{what:<38} {name:<9} {self.right[what, name]:>5} of {asked:>5} ({self.right[what, name] / asked:.1%})"
            for (what, name), asked in sorted(self.asked.items())
        ]


def score_image(
    score: Score,
    scene: Scene,
    captions: Mapping[str, str],
    translations: Mapping[tuple[str, str], tuple[str, str]],
    *,
    styles: tuple[str, ...],
    languages: tuple[str, ...],
) -> None:
    """Add one image. captions: style -> text. translations: (style, language) -> (source text, text). What is missing
    is wrong.
    """
    for style in styles:
        truth = state(scene, "en", style)
        is_right = captions.get(style) == truth
        score.add("caption", style, is_right)
        if not is_right:
            continue
        for language in languages:
            source, text = translations.get((style, language), ("", ""))
            _score_translation(score, scene, language, style, text if source == truth else "")


def _score_translation(score: Score, scene: Scene, language: str, style: str, text: str) -> None:
    allowed = {state(reading, language, style) for reading in (readings(scene) if style == "short" else [scene])}
    is_open = len(allowed) > 1
    score.add("translation of a right caption", language, text in allowed)
    score.add("translation, same meaning", language, same_meaning(text, language, state(scene, "en", style), style))
    score.add(f"translation, {'ambiguous' if is_open else 'unambiguous'}", language, text in allowed)
    if is_open:
        score.add("translation, ambiguous, fits image", language, text == state(scene, language, style))
