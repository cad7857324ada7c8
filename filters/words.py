"""Cuts a text into words and tells names from ordinary words.

Shared by the filters that compare a text with its source. Cutting goes by Unicode category and not by a regular
expression, because `\\w` breaks Hindi and Thai words at their vowel signs. Text without spaces (Chinese, Japanese)
comes out as one long word: the filters that look at it count letters instead.

A server decides how long its answer is, and some checks take long for each letter: those look at `ends_of` it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from florenz.filters.number_words import number_words
from florenz.languages.codes import SOURCE

_END_CHARS = 25_000
INNER = "'’ʼ-"
_QUOTES = re.compile(r"[\"“”„«»「]|(?<!\w)['‘]")
_DIGIT = re.compile(r"\d")
_TITLE_CASE_MIN_WORDS, _TITLE_CASE_SHARE = 5, 0.8

# What stands in a text as it is, whatever the language: addresses, handles, hashtags. A sign of each, and all of it.
_ADDRESS_SIGNS = ("@", "#", "://", "www.", ".com", ".org", ".net", ".info")
_ADDRESS = re.compile(
    r"(?:https?://|www\.)\S{1,2000}|[@#]\w{1,100}|[\w.+-]{1,64}@[\w.-]{1,255}|\b[\w-]{1,63}\.(?:com|org|net|info)\b\S{0,2000}",
    re.IGNORECASE,
)
_MEASURES = frozenset(
    ("km", "h", "kg", "cm", "mm", "ml", "mg", "kph", "mph", "rpm", "gb", "mb", "tb", "hz", "khz", "mhz", "ghz", "kw")
)
"""Units that are written so in any language in Latin letters, and in most others."""

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


# What captions name by two English words in many languages: "Ein Mann isst einen Hot Dog." Written down, not counted.
_LOANED_PAIRS = frozenset(
    tuple(pair.split())
    for pair in (
        *("high heels", "roller skates", "home run", "french fries", "flat screen", "selfie stick", "peanut butter"),
        *("steam punk", "chicken curry"),
        *("hot dog", "hot dogs", "fast food", "street food", "food truck", "food trucks", "food court", "bubble tea"),
        *("dim sum", "pad thai", "chow mein", "pulled pork", "happy hour", "street art", "hip hop", "skate park"),
        *("jet ski", "jet skis", "ping pong", "mountain bike", "mountain bikes", "boogie board", "body board"),
        *("tuk tuk", "tuk tuks", "pit bull", "pit bulls", "golden retriever", "golden retrievers", "border collie"),
        *("shih tzu", "yorkshire terrier", "cocker spaniel", "tank top", "crop top", "polo shirt", "smart tv"),
        *("wi fi", "big band", "drag queen", "drag queens", "tai chi", "tae kwon", "kwon do"),
    )
)


@lru_cache(maxsize=65536)
def is_word_character(character: str) -> bool:
    """Letters, marks, numbers, and the hyphens and apostrophes inside words."""
    return unicodedata.category(character)[0] in "LMN" or character in INNER


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
    return strip_words(pieces) if "'" in text or "-" in text or "’" in text or "ʼ" in text else pieces


def strip_words(pieces: Sequence[str]) -> list[str]:
    """Without hyphens and apostrophes around them, and without what is nothing else."""
    return [word for piece in pieces if (word := piece.strip(INNER))]


def folded(text: str) -> str:
    """The text in one spelling: compatibility forms and case folded. İ becomes an i without a second dot over it."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i")


def folded_words(text: str) -> list[str]:
    """The words in that spelling."""
    return split_words(folded(text))


def quotes_something(source: str) -> bool:
    """Whether quotation marks stand in it: what is quoted, as the words on a sign, is left as it is."""
    return _QUOTES.search(source) is not None


class SourceWords(NamedTuple):
    """What the filters ask about a source: its words in order, as a set, and its names, numbers, units, words of
    addresses and loans of two words, which stay what they are in any translation; all folded.
    has_number: whether it states one, in digits or as a word.
    """

    words: tuple[str, ...]
    known: frozenset[str]
    names: frozenset[str]
    has_number: bool

    def has_ordinary(self, words: Collection[str]) -> bool:
        """Whether a word of the source that is no name is among these."""
        return not self.known.isdisjoint(words) and not (self.known - self.names).isdisjoint(words)


@lru_cache(maxsize=4096)
def source_words(source: str) -> SourceWords:
    """Worked out once for the translations of one caption, which come together."""
    has_digit = _DIGIT.search(source) is not None
    if source.isascii():
        written = split_words(source)
        words = tuple(map(str.lower, written))
    else:
        written = split_words(unicodedata.normalize("NFKC", source))
        words = tuple(folded_words(source))
    is_plain = source.isascii() and not has_digit
    names = _names_of_plain(written, words) if is_plain else _names_and_numbers(written)
    names |= _MEASURES.intersection(words) | _words_of_addresses(source)
    names = names.union(*_LOANED_PAIRS.intersection(pairwise(words)))
    has_number = has_digit or not number_words(SOURCE).keys().isdisjoint(words)
    return SourceWords(words, frozenset(words), names, has_number)


def _words_of_addresses(source: str) -> frozenset[str]:
    if not any(sign in source for sign in _ADDRESS_SIGNS):
        return frozenset()
    return frozenset(folded_words(" ".join(_ADDRESS.findall(source))))


def names_and_numbers(source: str) -> frozenset[str]:
    """Folded words of the source that may rightly stand in any translation: capitalised ones and those with digits.

    A source in Title Case or CAPITALS of five words and more says nothing about names, so none are taken from it.
    """
    return _names_and_numbers(split_words(unicodedata.normalize("NFKC", source)))


def _names_and_numbers(words: Sequence[str]) -> frozenset[str]:
    with_digits = {word.casefold() for word in words if any(map(str.isdigit, word))}
    capitalised = {word.casefold() for word in words if word[0].isupper()}
    if _is_title_case(words, sum(word[0].isupper() for word in words)):
        return frozenset(with_digits)
    ordinary = {word.casefold() for word in words if not word[0].isupper()}
    return frozenset(with_digits | (capitalised - ordinary))


def _names_of_plain(written: Sequence[str], words: tuple[str, ...]) -> frozenset[str]:
    """The same for ASCII without digits, in a third of the time. words: `written` in small letters."""
    capitalised = [word.lower() for word in written if word[0].isupper()]
    if not capitalised or _is_title_case(written, len(capitalised)):
        return frozenset()
    return frozenset([name for name in capitalised if words.count(name) == capitalised.count(name)])


def _is_title_case(words: Sequence[str], num_capitalised: int) -> bool:
    return len(words) >= _TITLE_CASE_MIN_WORDS and num_capitalised > _TITLE_CASE_SHARE * len(words)
