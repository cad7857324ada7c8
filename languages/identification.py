"""Which language is a text in? Facebook's lid.176 model, corrected by what the writing proves; no decisions here.

The compressed model (lid.176.ftz beside this file, 0.9 MB, loaded with fasttext) answers in microseconds but has two
weak spots that letters help with. It was trained on words between spaces, so short Chinese comes out as Japanese or
even Spanish; and it takes one short Ukrainian text in twenty for Russian, though a letter may show the difference. So
labels that the script or a letter rules out are struck and the rest is scaled to 1. Labels for what no recipe can
name (Wu, Egyptian Arabic ...) are counted for the language they are written as.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import fasttext

from florenz.languages.codes import LANGUAGES
from florenz.languages.scripts import Weights, script_weights

UNDETERMINED = "und"
"""The language of a text without letters."""

MODEL_VARIABLE = "FLORENZ_LID"
_OWN_MODEL = Path(__file__).with_name("lid.176.ftz")  # lid.176.md has its licence and checksum
_PREFIX = "__label__"

# Labels without an ISO 639-1 code, and the languages they are written as; shared ones go to the likeliest for the text.
ALIASES: dict[str, tuple[str, ...]] = {
    "wuu": ("zh",), "yue": ("zh",), "arz": ("ar",), "als": ("de",), "bar": ("de",), "azb": ("az",),
    "ckb": ("ku",), "vls": ("nl",), "sco": ("en",), "sh": ("hr", "bs", "sr"),
}  # fmt: skip

_CHINESE, _KANA_MIN_SHARE = ("zh", "wuu", "yue"), 0.1
# Labels that no recipe can name, by the script that they are written in; for those that it can, `codes.LANGUAGES` says.
_OTHER_LABELS = {
    "HAN": "wuu yue", "CYRILLIC": "bxr krc lez mhr mrj myv rue sah sh tyv xal", "ARABIC": "arz azb ckb lrc mzn pnb",
    "DEVANAGARI": "bh dty gom mai new", "BENGALI": "bpy", "GEORGIAN": "xmf",
    "LATIN": "krc sh",  # beside Cyrillic; all labels that stand nowhere here are Latin too
}  # fmt: skip


def _labels_by_script() -> dict[str, frozenset[str]]:
    labels = {script: set(others.split()) for script, others in _OTHER_LABELS.items()}
    for code, language in LANGUAGES.items():
        for script in language.scripts:
            labels.setdefault(script, set()).add(code)
    return {script: frozenset(of_script) for script, of_script in labels.items()}


# Scripts and the labels that may be written in them; a script that is not listed proves nothing. Latin: see _labels_of.
SCRIPT_LABELS = _labels_by_script()
_ALSO_LATIN = SCRIPT_LABELS.pop("LATIN")
_SCRIPT_MIN_SHARE = 0.2

_ENOUGH = 0.0005
"""fastText finds the labels above this faster than all 176, most of which weigh nothing. Where those that it
left out could matter, all are asked for."""

# Letters that a Cyrillic alphabet does not have: one of them strikes its label.
_FOREIGN_LETTERS = {
    "ru": "іїєґўјљњћђџѓќѕ", "uk": "ыэёъўјљњћђџѓќѕ", "be": "иїєґщъјљњћђџ", "bg": "ыэёіїєґўјљњћђџ",
    "mk": "ыэёъіїєґўйщьюяћђ", "sr": "ыэёъіїєґўйщьюяѓќѕ",
}  # fmt: skip


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
class LanguageIdentifier:
    """Identifies languages. Holds the model's path only, so it pickles; all copies in a process share one loaded model.

    `model_path`: lid.176.ftz or lid.176.bin, a local file. "" takes the environment's FLORENZ_LID, else the file beside
    this one.
    """

    model_path: str = ""

    def identify(self, texts: Sequence[str], *, thresholds: Sequence[float] = ()) -> list[Identified]:
        """One answer for each text, in order; any string is allowed. One model call for all of them, a second one for
        the few whose likeliest language, or on which side of one of `thresholds` a probability lies, the first leaves
        open. Probabilities are exact to about one part in a hundred.

        Raises:
            LanguageModelError: no model file, or not one that fastText can read.
        """
        model = _load_model(find_model(self.model_path))
        if not texts:
            return []
        cleaned = [_clean(text) for text in texts]
        labels = _labels(model)
        asked = zip(texts, _ask(model, cleaned, _ENOUGH), strict=True)
        found = [_identified(text, scores, labels, thresholds) for text, scores in asked]
        doubtful = [place for place, one in enumerate(found) if one is None]
        whole = _ask(model, [cleaned[place] for place in doubtful], 0.0)
        for place, scores in zip(doubtful, whole, strict=True):
            found[place] = _identified(texts[place], scores, labels, None)
        return [one for one in found if one is not None]

    def known_languages(self) -> frozenset[str]:
        """Codes that a text can be checked against. Preflight refuses other languages."""
        labels = (label.removeprefix(_PREFIX) for label in _load_model(find_model(self.model_path)).get_labels())
        return frozenset(label for label in labels if label not in ALIASES)


def find_model(model_path: str = "") -> str:
    """The model file: the path given, else FLORENZ_LID, else the one beside this file."""
    named = model_path or os.environ.get(MODEL_VARIABLE, "")
    if not named:
        return str(_OWN_MODEL)
    if not Path(named).is_file():
        raise LanguageModelError(f"language ID model {named} is no file: correct it or unset {MODEL_VARIABLE}")
    return named


@cache
def _load_model(path: str) -> Any:
    try:
        model = fasttext.load_model(path)
    except ValueError as error:
        raise LanguageModelError(f"language ID model {path} cannot be read ({error}): replace the file") from error
    if not hasattr(model, "get_labels"):  # fasttext-predict installs a module of the same name that can do less
        raise LanguageModelError(
            f"the module fasttext at {fasttext.__file__} is not that of fasttext-community: "
            "uninstall fasttext-predict, then install fasttext-community again"
        )
    return model


def _ask(model: Any, lines: list[str], least: float) -> list[dict[str, float]]:
    """Label -> probability for each line, of the labels that have at least `least`. In the order of the model."""
    # What the class's own `predict` does for a list, without an array for each text. NumPy 2 breaks it for one string.
    number = len(model.get_labels()) if lines else 0
    answers, probabilities = model.f.multilinePredict([f"{line}\n" for line in lines], number, least, "strict")
    name_of = _names_of_labels(model).__getitem__
    return [
        dict(zip(map(name_of, labels), row.tolist(), strict=True))
        for labels, row in zip(answers, probabilities, strict=True)
    ]


@cache
def _labels(model: Any) -> frozenset[str]:
    return frozenset(_names_of_labels(model).values())


@cache
def _names_of_labels(model: Any) -> dict[str, str]:
    return {label: label.removeprefix(_PREFIX) for label in model.get_labels()}


def _clean(text: str) -> str:
    """One line (fasttext refuses line ends), valid Unicode, and no shouting: the model hardly knows capitals."""
    line = " ".join(text.split())
    if not line.isascii():
        line = line.encode("utf-8", "replace").decode("utf-8")
    return line.lower() if line.isupper() else line


def _identified(
    text: str, scores: dict[str, float], labels: frozenset[str], thresholds: Sequence[float] | None
) -> Identified | None:
    """None if the scores that are missing could matter; with None as thresholds none are missing."""
    weights = script_weights(text)
    if not weights:
        return Identified(UNDETERMINED, 0.0)
    left = _strike_out(scores, weights, text, labels)
    if thresholds is not None and left is scores:
        return None  # nothing that the writing allows is among the likeliest
    total = sum(left.values())
    folded = left if ALIASES.keys().isdisjoint(left) else _fold_aliases(left)
    if thresholds is not None and not _is_settled(folded, total, 1 - sum(scores.values()), thresholds):
        return None
    highest = max(folded.values())
    language = min(label for label, score in folded.items() if score == highest)
    return Identified(language, folded[language] / total, {label: score / total for label, score in folded.items()})


def _is_settled(folded: dict[str, float], total: float, unseen: float, thresholds: Sequence[float]) -> bool:
    """Whether no share-out of the `unseen` probability could change the order at the top or cross a threshold."""
    unseen = max(unseen, 0.0) + 1e-6  # float32 sums to one only nearly
    limits = [threshold * (total + unseen) for threshold in thresholds]
    if limits and unseen >= min(limits):
        return False
    first = second = 0.0
    for score in folded.values():
        if score > first:
            first, second = score, first
        elif score > second:
            second = score
        for limit in limits:
            if score < limit <= score + unseen:
                return False
    return first - second > unseen


def _strike_out(scores: dict[str, float], weights: Weights, text: str, labels: frozenset[str]) -> dict[str, float]:
    """Leave only what the writing allows. If that is nothing (a mix of alphabets), the scores stay as they are."""
    allowed = _labels_of(weights, labels)
    if "CYRILLIC" in weights:
        allowed = allowed - _alphabets_ruled_out(text)
    left = {label: score for label, score in scores.items() if label in allowed}
    if "HAN" in weights and "ja" in left and not _has_kana(weights):
        # Han letters alone are Chinese unless shown otherwise: the model takes half of short Chinese for Japanese.
        left["zh"] = left.get("zh", 0.0) + left.pop("ja")
    return left or scores


def _labels_of(weights: Weights, labels: frozenset[str]) -> frozenset[str]:
    """Labels written in the scripts that make up a fifth of the text or more."""
    total = sum(weights.values())
    scripts = {script for script, weight in weights.items() if weight >= _SCRIPT_MIN_SHARE * total}
    if _has_kana(weights):
        scripts = scripts - {"HAN"} | {"KANA"}
    return _labels_of_scripts(frozenset(scripts), labels)


@cache
def _labels_of_scripts(scripts: frozenset[str], labels: frozenset[str]) -> frozenset[str]:
    not_latin = frozenset().union(*SCRIPT_LABELS.values()) - _ALSO_LATIN
    allowed: frozenset[str] = frozenset()
    for script in scripts:
        allowed |= labels - not_latin if script == "LATIN" else SCRIPT_LABELS.get(script, labels)
    return allowed


def _has_kana(weights: Weights) -> bool:
    """Kana in a tenth of the Han and kana letters: one `の` in a Chinese shop name does not make Japanese."""
    return weights["KANA"] > 0 and weights["KANA"] >= _KANA_MIN_SHARE * (weights["HAN"] + weights["KANA"])


def _alphabets_ruled_out(text: str) -> frozenset[str]:
    letters = set(text.lower())
    return frozenset(label for label, foreign in _FOREIGN_LETTERS.items() if letters.intersection(foreign))


def is_ruled_out(text: str, language: str) -> bool:
    """Whether a letter of the text shows that it is not in this Cyrillic language."""
    return language in _FOREIGN_LETTERS and language in _alphabets_ruled_out(text)


def _fold_aliases(scores: dict[str, float]) -> dict[str, float]:
    folded = {label: score for label, score in scores.items() if label not in ALIASES}
    for label, languages in ALIASES.items():
        if label in scores:
            likeliest = max(languages, key=lambda language: scores.get(language, 0.0))
            folded[likeliest] = folded.get(likeliest, 0.0) + scores[label]
    return folded
