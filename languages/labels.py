"""Which of lid.176's labels the writing of a text allows, for many texts at once; no probabilities here.

The model has two weak spots that letters help with. It was trained on words between spaces, so short Chinese comes out
as Japanese or even Spanish; and it takes one short Ukrainian text in twenty for Russian, though a letter may show the
difference. So labels that the script or a letter rules out are struck. Labels for what no recipe can name (Wu, Egyptian
Arabic ...) are counted for the language they are written as.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from florenz.languages.characters import CharacterTable, Codes
from florenz.languages.codes import LANGUAGES
from florenz.languages.scripts import script_columns

# Labels without an ISO 639-1 code, and the languages they are written as; shared ones go to the likeliest for the text.
ALIASES: dict[str, tuple[str, ...]] = {
    "wuu": ("zh",), "yue": ("zh",), "arz": ("ar",), "als": ("de",), "bar": ("de",), "azb": ("az",),
    "ckb": ("ku",), "vls": ("nl",), "sco": ("en",), "sh": ("hr", "bs", "sr"),
}  # fmt: skip

_KANA_MIN_SHARE = 0.1
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


# Scripts and the labels that may be written in them; a script that is not listed proves nothing. Latin: see
# _labels_of_scripts.
SCRIPT_LABELS = _labels_by_script()
_ALSO_LATIN = SCRIPT_LABELS.pop("LATIN")
_SCRIPT_MIN_SHARE = 0.2

# Letters that a Cyrillic alphabet does not have: one of them strikes its label.
_FOREIGN_LETTERS = {
    "ru": "іїєґўјљњћђџѓќѕ", "uk": "ыэёъўјљњћђџѓќѕ", "be": "иїєґщъјљњћђџ", "bg": "ыэёіїєґўјљњћђџ",
    "mk": "ыэёъіїєґўйщьюяћђ", "sr": "ыэёъіїєґўйщьюяѓќѕ",
}  # fmt: skip
_BITS = {label: 1 << place for place, label in enumerate(_FOREIGN_LETTERS)}


def _alphabets_without(character: str) -> int:
    """A bit for each of those alphabets that lack a letter of this character."""
    letters = set(character.lower())
    return sum(_BITS[label] for label, foreign in _FOREIGN_LETTERS.items() if letters.intersection(foreign))


_WITHOUT = CharacterTable(_alphabets_without, np.uint8)


@dataclass(frozen=True)
class Writing:
    """What the writing of each text proves. has_letters: [texts]; a text without any is in no language. allowed:
    [texts, labels]; is_chinese: [texts], Han letters without enough kana to be Japanese.
    """

    has_letters: np.ndarray
    allowed: np.ndarray
    is_chinese: np.ndarray


def writing_of(codes: Codes, labels: tuple[str, ...]) -> Writing:
    """Of one text and more. labels: of the model, in the order of `allowed`."""
    scripts, weights = script_columns(codes)
    num_texts, places = len(codes.ends), {script: place for place, script in enumerate(scripts)}
    none = np.zeros(num_texts, dtype=np.int64)
    total = weights.sum(axis=1)
    han, kana, cyrillic = (weights[:, places[one]] if one in places else none for one in ("HAN", "KANA", "CYRILLIC"))
    has_kana = (kana > 0) & (kana >= _KANA_MIN_SHARE * (han + kana))  # one `の` in a shop's name is no Japanese
    is_script = (weights > 0) & (weights >= _SCRIPT_MIN_SHARE * total[:, None])
    foreign = np.where(cyrillic > 0, codes.merged(_WITHOUT.of(codes)), 0) if cyrillic.any() else none
    numbers: dict[tuple[bytes, bool, int], int] = {}  # the same few kinds of writing again and again
    rows = map(bytes, np.packbits(is_script, axis=1))
    kinds = [
        numbers.setdefault(kind, len(numbers)) for kind in zip(rows, has_kana.tolist(), foreign.tolist(), strict=True)
    ]
    examples = [kinds.index(number) for number in range(len(numbers))]
    allowed = [
        _allowed(_names(scripts, is_script[one]), bool(has_kana[one]), int(foreign[one]), labels) for one in examples
    ]
    return Writing(total > 0, np.array(allowed)[kinds], (han > 0) & ~has_kana)


def _names(scripts: tuple[str, ...], is_script: np.ndarray) -> frozenset[str]:
    return frozenset(scripts[column] for column in np.flatnonzero(is_script).tolist())


@cache
def _allowed(scripts: frozenset[str], has_kana: bool, foreign: int, labels: tuple[str, ...]) -> np.ndarray:
    found = _labels_of_scripts(scripts - {"HAN"} | {"KANA"} if has_kana else scripts, frozenset(labels))
    found -= {label for label, bit in _BITS.items() if foreign & bit}
    return np.array([label in found for label in labels], dtype=bool)


@cache
def _labels_of_scripts(scripts: frozenset[str], labels: frozenset[str]) -> frozenset[str]:
    not_latin = frozenset().union(*SCRIPT_LABELS.values()) - _ALSO_LATIN
    allowed: frozenset[str] = frozenset()
    for script in scripts:
        allowed |= labels - not_latin if script == "LATIN" else SCRIPT_LABELS.get(script, labels)
    return allowed


def is_ruled_out(text: str, language: str) -> bool:
    """Whether a letter of the text shows that it is not in this Cyrillic language."""
    return not set(text.lower()).isdisjoint(_FOREIGN_LETTERS.get(language, ""))
