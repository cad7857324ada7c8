"""Cuts a text into words and tells names from ordinary words.

Shared by the filters that compare a text with its source. Cutting goes by Unicode category and not by a regular
expression, because `\\w` breaks Hindi and Thai words at their vowel signs. Text without spaces (Chinese, Japanese)
comes out as one long word: the filters that look at it count letters instead.

A server decides how long its answer is, and some checks take long for each letter: those look at `ends_of` it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_END_CHARS = 25_000
_INNER = "'’ʼ-"
_TITLE_CASE_MIN_WORDS, _TITLE_CASE_SHARE = 5, 0.8


# Frequent English words that are no frequent words of other languages ("is", "of", "a", "to", "on", "was" are).
ENGLISH_ONLY = frozenset(
    (
        *("the", "and", "with", "his", "their", "its", "from", "that", "this", "there", "these", "they", "you", "your"),
        *("who", "has", "have", "been", "would", "are", "were", "which", "what", "where", "while", "she", "him"),
        *("them", "front", "behind", "near", "next", "standing", "sitting", "wearing", "holding", "walking"),
    )
)

# Words that English sentences begin with: capitalised there, and no names.
ENGLISH_OPENERS = frozenset(
    (
        *(
            "i",
            "he",
            "she",
            "we",
            "they",
            "you",
            "it",
            "my",
            "his",
            "her",
            "our",
            "their",
            "this",
            "that",
            "these",
            "those",
        ),
        *(
            "there",
            "here",
            "how",
            "what",
            "when",
            "where",
            "who",
            "whose",
            "why",
            "which",
            "do",
            "does",
            "did",
            "is",
            "are",
        ),
        *(
            "was",
            "were",
            "can",
            "could",
            "will",
            "would",
            "should",
            "may",
            "must",
            "have",
            "has",
            "had",
            "let",
            "let's",
        ),
        *("the", "a", "an", "no", "not", "if", "don't", "didn't", "i'm", "you're", "he's", "she's", "it's", "we're"),
        *("they're", "i've", "i'd", "i'll"),
    )
)


@lru_cache(maxsize=65536)
def is_word_character(character: str) -> bool:
    """Letters, marks, numbers, and the hyphens and apostrophes inside words."""
    return unicodedata.category(character)[0] in "LMN" or character in _INNER


def ends_of(text: str) -> str:
    """The text, or both ends of one that is far longer than any caption: models comment there, and run in circles until
    they are stopped."""
    return text if len(text) <= 2 * _END_CHARS else f"{text[:_END_CHARS]} {text[-_END_CHARS:]}"


class _Spacing(dict[int, int]):
    """For `str.translate`: what is no word character becomes a space. Filled as characters are met."""

    def __missing__(self, code: int) -> int:
        self[code] = code if is_word_character(chr(code)) else ord(" ")
        return self[code]


_SPACING = _Spacing()


def split_words(text: str) -> list[str]:
    """The words as written, without punctuation around them."""
    pieces = text.translate(_SPACING).split()
    if "'" in text or "-" in text or "’" in text or "ʼ" in text:
        return [word for piece in pieces if (word := piece.strip(_INNER))]
    return pieces


def folded(text: str) -> str:
    """The text in one spelling: compatibility forms and case folded."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def folded_words(text: str) -> list[str]:
    """The words in that spelling."""
    return split_words(folded(text))


@dataclass(frozen=True)
class SourceWords:
    """What the filters ask about a source: its words in order, as a set, and its names and numbers; all folded."""

    words: tuple[str, ...]
    known: frozenset[str]
    names: frozenset[str]


@lru_cache(maxsize=2048)
def source_words(source: str) -> SourceWords:
    """Worked out once for the translations of one caption, which come together."""
    written = split_words(source if source.isascii() else unicodedata.normalize("NFKC", source))
    words = tuple(map(str.lower, written)) if source.isascii() else tuple(folded_words(source))
    return SourceWords(words, frozenset(words), _names_and_numbers(written))


def names_and_numbers(source: str) -> frozenset[str]:
    """Folded words of the source that may rightly stand in any translation: capitalised ones and those with digits.

    A source in Title Case or CAPITALS of five words and more says nothing about names, so none are taken from it.
    """
    return _names_and_numbers(split_words(unicodedata.normalize("NFKC", source)))


def _names_and_numbers(words: Sequence[str]) -> frozenset[str]:
    distinct = set(words)
    with_digits = {word.casefold() for word in distinct if not word.isalpha() and any(map(str.isdigit, word))}
    num_capitalised = sum(word[0].isupper() for word in words)
    if len(words) >= _TITLE_CASE_MIN_WORDS and num_capitalised > _TITLE_CASE_SHARE * len(words):
        return frozenset(with_digits)
    capitalised = {word.casefold() for word in distinct if word[0].isupper()}
    ordinary = {word.casefold() for word in distinct if not word[0].isupper()}
    return frozenset(with_digits | (capitalised - ordinary))
