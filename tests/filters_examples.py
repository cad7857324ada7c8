"""Built-in captions and human sentence pairs, few and many, for the tests of `filters/`; no tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from florenz.filters.chain import FilterChain
from florenz.filters.verdict import Candidate

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
# Where pairs lie: 40 for each language, which are always there, and up to 1,000.
FEW, MANY = Path(__file__).parent / "data" / "sentences", SHARED / "parallel"
PAIR_LANGUAGES = ("cs", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "tr", "uk", "zh")

ENGLISH = "A red car is parked next to an old house."
CAPTIONS = {
    "cs": "Vedle starého domu stojí zaparkované červené auto.",
    "de": "Ein rotes Auto parkt neben einem alten Haus.",
    "es": "Un coche rojo está aparcado junto a una casa vieja.",
    "fr": "Une voiture rouge est garée à côté d'une vieille maison.",
    "it": "Un'auto rossa è parcheggiata accanto a una vecchia casa.",
    "ja": "古い家の隣に赤い車が停まっています。",
    "nl": "Een rode auto staat geparkeerd naast een oud huis.",
    "pl": "Czerwony samochód stoi zaparkowany obok starego domu.",
    "pt": "Um carro vermelho está estacionado ao lado de uma casa velha.",
    "ru": "Красная машина припаркована рядом со старым домом.",
    "tr": "Eski bir evin yanında kırmızı bir araba park edilmiş.",
    "uk": "Червона машина стоїть біля старого будинку.",
    "zh": "一辆红色的汽车停在一座老房子旁边。",
}


def translation(text: str, language: str = "de", source: str = ENGLISH, finish_reason: str = "stop") -> Candidate:
    return Candidate(source=source, text=text, language=language, finish_reason=finish_reason)


def english_caption(text: str) -> Candidate:
    return Candidate(source="", text=text, language="en", finish_reason="stop")


def reason_of(candidate: Candidate) -> str:
    """The reason of the default chain; "" if it keeps the text."""
    return FilterChain()([candidate])[0].reason


def sentence_pairs(language: str, folder: Path) -> list[tuple[str, str]]:
    """Human (English, language) pairs of four words or more, in Chinese and Japanese of eight characters or more."""
    path = folder / f"en-{language}.tsv"
    if folder == MANY and not path.is_file():
        pytest.skip(f"shared sentence pairs are absent: {path.name}")
    rows = [line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines()]
    return [(english, text) for english, text in rows if is_long_enough(text, language)]


def is_long_enough(text: str, language: str) -> bool:
    return len(text) >= 8 if language in ("ja", "zh") else len(text.split()) >= 4


def half_translated(english: str, text: str, language: str) -> str:
    """The first half of the translation, then the second half of the English words."""
    pieces = list(text) if language in ("ja", "zh") else text.split()
    first = ("" if language in ("ja", "zh") else " ").join(pieces[: len(pieces) // 2])
    words = english.split()
    return " ".join([first, *words[len(words) // 2 :]])
