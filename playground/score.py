"""Scores texts about playground pictures against the truth: is the caption the one right caption, is the translation
the right one?

An ambiguous English noun can't be translated rightly without the picture. So a translation counts as right when it is
the caption of some scene that the English text describes (a translator that sees no picture has done its work then),
and whether it also fits the picture is counted apart: that share is what training on images is meant to raise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from florenz.playground.captions import state
from florenz.playground.scene import AMBIGUOUS_KINDS, Scene, noun_of


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
            f"{what:<34} {name:<9} {self.right[what, name]:>5} of {asked:>5} ({self.right[what, name] / asked:.1%})"
            for (what, name), asked in sorted(self.asked.items())
        ]


def readings(scene: Scene) -> list[Scene]:
    """Every scene that the English caption of `scene` describes as well: each ambiguous noun in each of its senses."""
    senses = [AMBIGUOUS_KINDS.get(noun_of(group.kind), (group.kind,)) for group in scene.groups]
    return [
        replace(scene, groups=tuple(replace(group, kind=kind) for group, kind in zip(scene.groups, kinds, strict=True)))
        for kinds in product(*senses)
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
    is_right = any(text == state(reading, language, style) for reading in readings(scene))
    kind = "ambiguous" if scene.is_ambiguous else "unambiguous"
    score.add("translation of a right caption", language, is_right)
    score.add(f"translation, {kind}", language, is_right)
    if scene.is_ambiguous:
        score.add("translation, ambiguous, fits image", language, text == state(scene, language, style))
