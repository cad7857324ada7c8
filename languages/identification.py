"""Which language is a text in? Facebook's lid.176 model, corrected by what the writing proves; no decisions here.

The compressed model (lid.176.ftz beside this file, 0.9 MB, loaded with fasttext) answers in microseconds; `labels.py`
says which labels are struck for what a text is written in, and the rest is scaled to 1. All texts of a call are one
table of probabilities, a row each, with all labels (`hierarchy.py`): asking one by one, striking and comparing took
three times as long.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import fasttext
import numpy as np

from florenz.languages.characters import Codes
from florenz.languages.hierarchy import Hierarchy, read_hierarchy
from florenz.languages.labels import ALIASES, Writing, writing_of

UNDETERMINED = "und"
"""The language of a text without letters."""

MODEL_VARIABLE = "FLORENZ_LID"
_OWN_MODEL = Path(__file__).with_name("lid.176.ftz")  # lid.176.md has its licence and checksum
_PREFIX = "__label__"

_TOGETHER = 2048
"""Texts in one table of probabilities: 3 MB."""


class LanguageModelError(ValueError):
    """The model file is missing or unreadable; the message says how to get it."""


@dataclass(frozen=True)
class Identified:
    """The likeliest language (ISO 639-1 where there is one, "und" without letters), and how likely each one is."""

    language: str
    probability: float
    probabilities: Mapping[str, float] = field(default_factory=dict, repr=False)

    def probability_of(self, language: str) -> float:
        """0 to 1; 0 for a language that the model does not know or the writing rules out."""
        return self.probabilities.get(language, 0.0)


@dataclass(frozen=True)
class Readings:
    """What language ID reads in many texts, as columns. labels: in the order of the alphabet, aliases among them, which
    have no probability. best: [texts], the place of the likeliest label, -1 without letters. probabilities: [texts,
    labels], rows that sum to 1 or, without letters, to 0.
    """

    labels: tuple[str, ...]
    best: np.ndarray
    probabilities: np.ndarray

    @property
    def languages(self) -> list[str]:
        """[texts]: the likeliest, "und" without letters."""
        names = (*self.labels, UNDETERMINED)
        return [names[place] for place in self.best.tolist()]

    @property
    def highest(self) -> np.ndarray:
        """[texts]: the probability of the likeliest language, 0 without letters."""
        return self.probabilities[np.arange(len(self.best)), self.best] * (self.best >= 0)

    def together(self, languages: Sequence[tuple[int, ...]]) -> np.ndarray:
        """[texts]: the probability of several languages together. languages: their places, for each text."""
        found = np.zeros(len(self.best))
        for number in range(max(map(len, languages), default=0)):
            rows = [row for row, places in enumerate(languages) if len(places) > number]
            found[rows] += self.probabilities[rows, [languages[row][number] for row in rows]]
        return found

    def one(self, row: int) -> Identified:
        """The answer for one text."""
        if self.best[row] < 0:
            return Identified(UNDETERMINED, 0.0)
        probabilities = self.probabilities[row]
        places = np.flatnonzero(probabilities)
        table = dict(
            zip([self.labels[place] for place in places.tolist()], probabilities[places].tolist(), strict=True)
        )
        language = self.labels[self.best[row]]
        return Identified(language, table[language], table)


@dataclass(frozen=True)
class LanguageIdentifier:
    """Identifies languages. Holds the model's path only, so it pickles; all copies in a process share one loaded model.

    `model_path`: lid.176.ftz or lid.176.bin, a local file. "" takes the environment's FLORENZ_LID, else the file beside
    this one.
    """

    model_path: str = ""

    def identify(self, texts: Sequence[str]) -> list[Identified]:
        """One answer for each text, in order; any string is allowed. As `read`, which it asks, for some at a time.

        Raises:
            LanguageModelError: no model file, or not one that fastText can read.
        """
        found: list[Identified] = []
        for start in range(0, max(len(texts), 1), _TOGETHER):
            readings = self.read(texts[start : start + _TOGETHER])
            found += map(readings.one, range(len(readings.best)))
        return found

    def read(self, texts: Sequence[str], *, codes: Codes | None = None) -> Readings:
        """The same as columns. codes: of these texts, where they are there already."""
        model = _load_model(find_model(self.model_path))
        labels = model.labels
        if not texts:
            return Readings(labels, np.zeros(0, dtype=np.intp), np.zeros((0, len(labels))))
        writing = writing_of(codes or Codes(texts), labels)
        scores = _corrected(model.probabilities([_clean(text) for text in texts]), writing, labels)
        total = scores.sum(axis=1, keepdims=True)
        best = np.where(writing.has_letters, scores.argmax(axis=1), -1)
        return Readings(labels, best, np.divide(scores, total, out=scores, where=total > 0))

    def known_languages(self) -> frozenset[str]:
        """Codes that a text can be checked against. Preflight refuses other languages."""
        return frozenset(self.labels()) - ALIASES.keys()

    def labels(self) -> tuple[str, ...]:
        """Those of `Readings`. Raises LanguageModelError."""
        return _load_model(find_model(self.model_path)).labels


def find_model(model_path: str = "") -> str:
    """The model file: the path given, else FLORENZ_LID, else the one beside this file."""
    named = model_path or os.environ.get(MODEL_VARIABLE, "")
    if not named:
        return str(_OWN_MODEL)
    if not Path(named).is_file():
        raise LanguageModelError(f"language ID model {named} is no file: correct it or unset {MODEL_VARIABLE}")
    return named


class _Model:
    """A loaded model. labels: in the order of the alphabet, so that the first of several that are equally likely is
    always the same."""

    def __init__(self, model: Any, hierarchy: Hierarchy | None) -> None:
        self._model = model
        names = hierarchy.labels if hierarchy else tuple(model.get_labels())
        self.labels = tuple(sorted(name.removeprefix(_PREFIX) for name in names))
        self._places = {f"{_PREFIX}{label}": place for place, label in enumerate(self.labels)}
        self._order = np.argsort([self._places[name] for name in names])
        self._hierarchy = hierarchy

    def probabilities(self, lines: list[str]) -> np.ndarray:
        """[lines, labels]: of all labels."""
        if self._hierarchy is None:
            return self._asked(lines)
        vector = fasttext.FastText.fasttext.Vector(self._model.get_dimension())
        vectors = np.empty((len(lines), self._model.get_dimension()), dtype=np.float32)
        for row, line in enumerate(lines):  # what `get_sentence_vector` does, without looking for line ends again
            self._model.f.getSentenceVector(vector, f"{line}\n")
            vectors[row] = vector
        return self._hierarchy.probabilities(vectors)[:, self._order]

    def _asked(self, lines: list[str]) -> np.ndarray:
        """Of a model of another kind: what the class's own `predict` does for a list. NumPy 2 breaks it for one."""
        every = len(self.labels)
        answers, probabilities = self._model.f.multilinePredict([f"{line}\n" for line in lines], every, 0.0, "strict")
        rows = np.repeat(np.arange(len(lines)), [len(one) for one in answers])
        scores = np.zeros((len(lines), every))
        scores[rows, [self._places[name] for name in chain.from_iterable(answers)]] = np.concatenate(probabilities)
        return scores


@cache
def _load_model(path: str) -> _Model:
    try:
        model = fasttext.load_model(path)
    except ValueError as error:
        raise LanguageModelError(f"language ID model {path} cannot be read ({error}): replace the file") from error
    if not hasattr(model, "get_labels"):  # fasttext-predict installs a module of the same name that can do less
        raise LanguageModelError(
            f"the module fasttext at {fasttext.__file__} is not that of fasttext-community: "
            "uninstall fasttext-predict, then install fasttext-community again"
        )
    hierarchy = read_hierarchy(path)
    return _Model(model, hierarchy if hierarchy and list(hierarchy.labels) == model.get_labels() else None)


def _clean(text: str) -> str:
    """One line (fasttext refuses line ends), valid Unicode, and no shouting: the model hardly knows capitals."""
    line = " ".join(text.split())
    if not line.isascii():
        line = line.encode("utf-8", "replace").decode("utf-8")
    return line.lower().replace("i\u0307", "i") if line.isupper() else line  # İ leaves a second dot behind


def _corrected(scores: np.ndarray, writing: Writing, labels: tuple[str, ...]) -> np.ndarray:
    """[texts, labels]: what the writing allows; if that is nothing (a mix of alphabets), scores stay as they are; none
    without letters. Aliases have gone to their languages.
    """
    left = np.where(writing.allowed, scores, 0.0)
    # Han letters alone are Chinese unless shown otherwise: the model takes half of short Chinese for Japanese.
    chinese, japanese = labels.index("zh"), labels.index("ja")
    rows = np.flatnonzero(writing.is_chinese)
    left[rows, chinese] += left[rows, japanese]
    left[rows, japanese] = 0.0
    is_nothing = ~(left > 0).any(axis=1)
    left[is_nothing] = scores[is_nothing]
    left[~writing.has_letters] = 0.0
    _fold_aliases(left, labels)
    return left


def _fold_aliases(scores: np.ndarray, labels: tuple[str, ...]) -> None:
    """In place."""
    places = {label: place for place, label in enumerate(labels)}
    for alias, languages in ALIASES.items():
        if alias not in places:
            continue
        of_alias, targets = scores[:, places[alias]], [places[one] for one in languages]
        if len(targets) == 1:
            scores[:, targets[0]] += of_alias
        else:
            likeliest = np.array(targets)[scores[:, targets].argmax(axis=1)]
            scores[np.arange(len(scores)), likeliest] += of_alias
        of_alias[:] = 0.0
