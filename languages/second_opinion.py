"""A second opinion on near languages, by py3langid: 140 languages, letters instead of words.

lid.176 takes short Afrikaans for Dutch and Galician for Spanish, and knows some languages badly (it reads a third of
short Swahili as Swahili). py3langid errs elsewhere. Asked is only what it can decide: whether a text that is claimed to
be in a language is rather in one of its listed neighbours, and whether a text that lid.176 takes for something else may
be what it is claimed to be after all. Both are answered by a margin: how much likelier the claimed language is than the
others, divided by the root of the text's length, as py3langid does it. Neighbours are told by the odds themselves: what
is wrongly held for one is nearly always a short text, and by odds short texts have to prove less. From which margin on
a text passes stands in `calibration.py`, per language. Cost: 5 to 15 microseconds a text, so few texts are asked about.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from florenz.languages import byte_model
from florenz.languages.calibration import MARGINS
from florenz.languages.codes import NAMES

# Languages that no model tells apart in short texts in one script: counted as one.
GROUPS: tuple[frozenset[str], ...] = (frozenset({"bs", "hr", "sr"}),)
_RELATED = (
    ("af", "nl"), ("cs", "sk"), ("ca", "es", "gl", "pt"), ("ca", "oc"), ("da", "nn", "no", "sv"), ("id", "ms"),
    ("jv", "ms"), ("id", "jv"), ("be", "ru", "uk"), ("bg", "mk"), ("bg", "ru"), ("hr", "mk"), ("hr", "sl"),
    ("az", "tr"), ("et", "fi"), ("ga", "gd"), ("hi", "mr"), ("kk", "tt"),
)  # fmt: skip
"""Each language of a row is a neighbour of all others in it; one of a group stands for the group."""

WELL_KNOWN = 0.98
"""Share of good text, 0 to 1: a language below is warned about before a run."""

_MOST_COLUMNS = 6  # of a language with its group, or of all its neighbours

UNCALIBRATED_MARGIN = 0.0
"""Where there was no text to calibrate on, py3langid has to find the claimed language likeliest."""


@dataclass(frozen=True)
class Margins:
    """How much likelier the claimed language is than its likeliest listed neighbour, and than any other language.

    root: of the text's length in bytes."""

    to_neighbours: float
    nearest: str
    to_others: float
    root: float

    @property
    def odds_to_neighbours(self) -> float:
        """The first margin as log odds: not divided by the root, so that a short text has to prove less."""
        return self.to_neighbours * self.root


@cache
def group_of(language: str) -> frozenset[str]:
    """The languages that can't be told from this one, itself among them."""
    return next((group for group in GROUPS if language in group), frozenset({language}))


@cache
def neighbours_of(language: str) -> frozenset[str]:
    """Those that a text in this language is most easily taken for; without those of its own group."""
    group = group_of(language)
    related = {other for row in _RELATED if not group.isdisjoint(row) for other in row}
    return frozenset(one for other in related for one in group_of(other)) - group


def knows(language: str) -> bool:
    return language in _columns()


def margins(text: str, language: str) -> Margins:
    """The margins of one text, in the order of -20 to 20; `language` is one that it knows. Any string is allowed."""
    return margins_of([text], [language])[0]


def margins_of(texts: Sequence[str], languages: Sequence[str]) -> list[Margins]:
    """The same for many texts, each with its language."""
    every = np.tile(np.arange(len(byte_model.labels())), (len(texts), 1))
    counts = byte_model.counts_of(texts)
    rows = zip(byte_model.scores(counts, every), languages, counts.roots.tolist(), strict=True)
    return [_margins(*row) for row in rows]


def _margins(scores: np.ndarray, language: str, root: float) -> Margins:
    own = _highest(scores, _columns_of(group_of(language)))
    near = {other: _highest(scores, _columns()[other]) for other in _known_neighbours(language)}
    nearest = max(near, key=lambda other: (near[other], other), default="")
    others = float(scores[_other_columns(language)].max())
    to_neighbours = own - near[nearest] if near else math.inf
    return Margins(to_neighbours, nearest, own - others, root)


def odds_to_neighbours(texts: Sequence[str], languages: Sequence[str]) -> np.ndarray:
    """[texts]: `Margins.odds_to_neighbours` alone, for a third of the cost; infinite without neighbours."""
    columns = np.array([_own_and_near_columns(language) for language in languages], dtype=np.intp)
    counts = byte_model.counts_of(texts)
    scores = byte_model.scores(counts, columns.reshape(len(texts), 2 * _MOST_COLUMNS))
    has_none = np.array([not _known_neighbours(language) for language in languages], dtype=bool)
    own, near = scores[:, :_MOST_COLUMNS].max(axis=1), scores[:, _MOST_COLUMNS:].max(axis=1)
    found: np.ndarray = np.where(has_none, math.inf, (own - near) * counts.roots)
    return found


def least_margins(language: str) -> tuple[float, float]:
    """(odds to neighbours, margin to others): what a text in this language has at least, nearly always."""
    found = MARGINS.get(language)
    return (found.to_neighbours, found.to_others) if found else (UNCALIBRATED_MARGIN, UNCALIBRATED_MARGIN)


def agreed_margin(language: str) -> float:
    """To neighbours and others: below it, both models take a text for another language where lid.176 is confident."""
    found = MARGINS.get(language)
    return found.agreed if found else UNCALIBRATED_MARGIN


def warnings(languages: Sequence[str], held_out: Collection[str]) -> list[str]:
    """What to know before a run in these languages: those that language ID knows badly, and held-out ones beside a near
    relative that is not.
    """
    lines = []
    for language in languages:
        found = MARGINS.get(language)
        if found is not None and found.kept < WELL_KNOWN:
            lines.append(
                f"language ID keeps {found.kept:.1%} of good {NAMES[language]} ({language}) sentences ({found.texts} "
                "human ones measured): the others will be rejected as wrong_language"
            )
        if found is None:
            second = "" if knows(language) else ", and there is no second opinion"
            lines.append(
                f"language ID has not been measured on {NAMES[language]} ({language}){second}: "
                "look at what is rejected as wrong_language"
            )
    for language in held_out:
        related = neighbours_of(language) | group_of(language)
        near = [other for other in languages if other in related and other not in held_out]
        if near:
            lines.append(
                f"{language} is held out beside {', '.join(near)}, a near relative: some captions will be taken "
                f"for the held-out language and dropped, and what emerges in {language} may come from there"
            )
    return lines


def _highest(scores: np.ndarray, columns: tuple[int, ...]) -> float:
    return float(max(map(scores.item, columns)))


@cache
def _columns() -> dict[str, tuple[int, ...]]:
    """Language -> its columns: Serbian has one for each script."""
    found: dict[str, tuple[int, ...]] = {}
    for column, label in enumerate(byte_model.labels()):
        found[label] = (*found.get(label, ()), column)
    return found


@cache
def _own_and_near_columns(language: str) -> tuple[int, ...]:
    """Two rows of the same length for all languages: its own columns, and those of its neighbours, some repeated."""
    own = _columns_of(group_of(language))
    near = tuple(column for one in _known_neighbours(language) for column in _columns()[one]) or own
    assert max(len(own), len(near)) <= _MOST_COLUMNS
    return (*own, *own[:1] * (_MOST_COLUMNS - len(own)), *near, *near[:1] * (_MOST_COLUMNS - len(near)))


@cache
def _columns_of(group: frozenset[str]) -> tuple[int, ...]:
    return tuple(column for one in sorted(group) for column in _columns().get(one, ()))


@cache
def _known_neighbours(language: str) -> tuple[str, ...]:
    return tuple(sorted(one for one in neighbours_of(language) if one in _columns()))


@cache
def _other_columns(language: str) -> np.ndarray:
    """Of all languages but the group and the neighbours, and but for what is no language: zxx, and dialects of it."""
    left_out = group_of(language) | neighbours_of(language) | {"zxx"} | _DIALECTS.get(language, frozenset())
    kept = [column for label, columns in _columns().items() if label not in left_out for column in columns]
    return np.array(kept, dtype=np.intp)


_DIALECTS = {
    "ar": frozenset({"ary", "arz"}), "zh": frozenset({"wuu", "yue"}), "ku": frozenset({"sdh"}),
    "uz": frozenset({"uzs"}), "lv": frozenset({"ltg"}), "el": frozenset({"grc"}), "he": frozenset({"hbo"}),
    "bn": frozenset({"as"}), "an": frozenset({"ext"}), "hi": frozenset({"mr", "ne", "sa"}),
}  # fmt: skip
