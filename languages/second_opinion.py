"""A second opinion on near languages, by py3langid: 140 languages, letters instead of words.

lid.176 takes short Afrikaans for Dutch and Galician for Spanish, and knows some languages badly (it reads a third of
short Swahili as Swahili). py3langid errs elsewhere. Asked is only what it can decide: whether a text that is claimed to
be in a language is rather in one of its listed neighbours, and whether a text that lid.176 takes for something else may
be what it is claimed to be after all. Both are answered by a margin: how much likelier the claimed language is than the
others, divided by the root of the text's length, as py3langid does it. Neighbours are told by the odds themselves: what
is wrongly held for one is nearly always a short text, and by odds short texts have to prove less. There words that one
of the two has and the other has not count as well (`telling_words.py`). From which margin on a text passes stands in
`calibration.py`, per language. Cost: 5 to 15 microseconds a text, so few texts are asked about.
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
from florenz.languages.telling_words import balance

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

UNCALIBRATED_ODDS, UNCALIBRATED_MARGIN = 0.0, -1.5
"""Where there was no text to calibrate on. Of languages that have neighbours none is without. To others: what loses one
good text in 500 of all languages that were measured, taken together."""

UNCALIBRATED_FIRST = 0.0
"""For languages that py3langid does not know: lid.176's word stands."""

_WORD_ODDS = 5.0
"""What a telling word adds to log odds, once for each: that about 150 to 1 speak for the language that has it. Between
2 and 12 little changes; what is gained is there at 4."""


@dataclass(frozen=True)
class Margins:
    """How much likelier the claimed language is than its likeliest listed neighbour, as log odds and with telling words
    counted, and than any other language, divided by the root of the text's length in bytes.
    """

    odds_to_neighbours: float
    nearest: str
    to_others: float


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


def margins(text: str, language: str, words: Collection[str] = ()) -> Margins:
    """The margins of one text; `language` is one that it knows. words: its words, folded. Any string is allowed."""
    return margins_of([text], [language], [words])[0]


def margins_of(texts: Sequence[str], languages: Sequence[str], words: Sequence[Collection[str]]) -> list[Margins]:
    """The same for many texts, each with its language."""
    every = np.tile(np.arange(len(byte_model.labels())), (len(texts), 1))
    counts = byte_model.counts_of(texts)
    rows = zip(byte_model.scores(counts, every), languages, words, counts.roots.tolist(), strict=True)
    return [_margins(*row) for row in rows]


def _margins(scores: np.ndarray, language: str, words: Collection[str], root: float) -> Margins:
    own = _highest(scores, _columns_of(group_of(language)))
    near = {
        other: (own - _highest(scores, _columns()[other])) * root + _WORD_ODDS * balance(words, language, other)
        for other in _known_neighbours(language)
    }
    nearest = min(near, key=lambda other: (near[other], other), default="")
    others = float(scores[_other_columns(language)].max())
    return Margins(near[nearest] if near else math.inf, nearest, own - others)


def odds_to_neighbours(texts: Sequence[str], languages: Sequence[str], words: Sequence[Collection[str]]) -> np.ndarray:
    """[texts]: `Margins.odds_to_neighbours` alone, for a third of the cost; infinite without neighbours."""
    columns = np.array([_own_and_near_columns(language) for language in languages], dtype=np.intp)
    counts = byte_model.counts_of(texts)
    scores = byte_model.scores(counts, columns.reshape(len(texts), 2 * _MOST_COLUMNS))
    has_none = np.array([not _known_neighbours(language) for language in languages], dtype=bool)
    own, near = scores[:, :_MOST_COLUMNS].max(axis=1, keepdims=True), scores[:, _MOST_COLUMNS:]
    odds = (own - near) * counts.roots[:, None] + _WORD_ODDS * _balances(languages, words)
    found: np.ndarray = np.where(has_none, math.inf, odds.min(axis=1, initial=math.inf))
    return found


def _balances(languages: Sequence[str], words: Sequence[Collection[str]]) -> np.ndarray:
    """[texts, columns of neighbours]: of telling words."""
    found = np.zeros((len(languages), _MOST_COLUMNS))
    for row, (language, of_text) in enumerate(zip(languages, words, strict=True)):
        balances = {other: balance(of_text, language, other) for other in _known_neighbours(language)}
        if any(balances.values()):
            found[row] = [balances[other] for other in _near_labels(language)]
    return found


def least_margins(language: str) -> tuple[float, float]:
    """(odds to neighbours, margin to others): what a text in this language has at least, nearly always."""
    found = MARGINS.get(language)
    return (found.to_neighbours, found.to_others) if found else (UNCALIBRATED_ODDS, UNCALIBRATED_MARGIN)


def least_to_first(language: str) -> float:
    """Of a language that py3langid does not know: the log odds to what lid.176 finds likeliest that a good text has."""
    found = MARGINS.get(language)
    return found.to_others if found else UNCALIBRATED_FIRST


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
    near = _columns_of_neighbours(language) or own
    assert max(len(own), len(near)) <= _MOST_COLUMNS
    return (*own, *own[:1] * (_MOST_COLUMNS - len(own)), *near, *near[:1] * (_MOST_COLUMNS - len(near)))


@cache
def _columns_of_neighbours(language: str) -> tuple[int, ...]:
    return tuple(column for one in _known_neighbours(language) for column in _columns()[one])


@cache
def _near_labels(language: str) -> tuple[str, ...]:
    """The language of each column of neighbours in `_own_and_near_columns`; repeated ones among them."""
    labels = tuple(one for one in _known_neighbours(language) for _ in _columns()[one]) or (language,)
    return (*labels, *labels[:1] * (_MOST_COLUMNS - len(labels)))


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
