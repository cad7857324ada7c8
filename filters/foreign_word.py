"""Does a single word stand there in another script? "Ein Hund läuft im 公园.", "Женщина in парке".

Models that know many languages slip into another one for a word, and leave a word of the source as it was. Of a long
text that is too little for `mixed_language`, whose share of foreign letters has to let names and acronyms pass. Two
signs that need no share, because good text nearly never has them: letters of a script that is not Latin and that
neither the language nor the source is written in; and, where a language is not written in Latin letters, a word that
stands in small letters in source and text alike. A word that is written so in any language ("km", "logo") may stay,
and so may anything if the source quotes something: the words on a sign are left as they are. A single Greek letter
may be a sign ("π"), and a single Cyrillic or Latin one a slip of the keyboard ("kо", "вiн").

Of the 32,860 human translations that calibrate it drops none that others keep. What it catches: "a word in another
script" and "a word left in English, other scripts" in docs/filters.md; before, one in ten. What it can't see: a
capital ("Love сліпа"), as that may be a name, and a word of another language in the same script. Cost: nothing for a
text without foreign letters, a few microseconds else.
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.mixed_language import foreign_script_share
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import quotes_something, split_words
from florenz.languages.codes import LANGUAGES, SOURCE, scripts_of_language
from florenz.languages.scripts import script_of, script_weights

_LATIN = "LATIN"
_SCRIPTS = frozenset(script for language in LANGUAGES.values() for script in language.scripts) - {_LATIN}
"""Those that languages are written in; Unicode has others, of symbols: "ℓ", "𝑥"."""
_ALSO = {"ko": frozenset({"HAN"})}
"""Scripts in which a language has names and old words, beside those that it is written in."""
_MIN_LETTERS = {"CYRILLIC": 2, "GREEK": 2}  # of the others, one

# No part of a longer word, an address or a file's name.
_ENGLISH_WORD = re.compile(
    r"(?<![A-Za-zÀ-ɏ0-9.@/_&'’])(?<![A-Za-zÀ-ɏ0-9]-)[a-z]{2,}(?![A-Za-zÀ-ɏ0-9@/_&]|[-'’.][A-Za-z])"
)
_WRITTEN_SO = frozenset(
    (
        *("km", "kg", "cm", "mm", "ml", "mg", "mph", "kph", "rpm", "am", "pm", "gb", "mb", "tv", "cd", "dvd", "pc"),
        *("usb", "led", "gps", "pvc", "app", "logo", "wifi", "wi", "fi", "web", "email", "mail", "bug", "blog", "vlog"),
        *("vs", "diy", "dj", "ok", "cosplay", "emoji", "html", "http", "www", "com", "org", "net", "id", "ip", "it"),
    )
)
"""Units, and words that Chinese, Japanese or Russian people write in Latin letters."""


def may_be_foreign_word(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A translation with a letter of a script that its language is not written in."""
    found: np.ndarray = columns.has_foreign_script & columns.has_source
    return found


def check_foreign_word(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with a word in a foreign script, up to the share from which on it is `mixed_language`; the detail
    quotes the word."""
    if candidate.language == SOURCE or not candidate.source:
        return KEEP
    own = scripts_of_language(candidate.language)
    if script_weights(candidate.text).keys() <= own or foreign_script_share(candidate) > settings.max_foreign_share:
        return KEEP
    script = _foreign_script(candidate, own)
    if script:
        piece = next(piece for piece in candidate.text.split() if any(script_of(one) == script for one in piece))
        return reject("foreign_word", f"{script.lower()} letters in {quoted(piece)}, and the source has none")
    word = "" if _LATIN in own else _english_word(candidate)
    return reject("foreign_word", f"a word of the source in its own letters: {word!r}") if word else KEEP


def _foreign_script(candidate: Candidate, own: frozenset[str]) -> str:
    """One that neither the language nor the source has; "" if there is none."""
    weights, of_source = script_weights(candidate.text), script_weights(candidate.source)
    foreign = (_SCRIPTS & weights.keys()) - own - of_source.keys() - _ALSO.get(candidate.language, frozenset())
    return next((script for script in sorted(foreign) if weights[script] >= _MIN_LETTERS.get(script, 1)), "")


def _english_word(candidate: Candidate) -> str:
    """A word in small letters that stands in source and text; "" if there is none or the source quotes something."""
    found = [word for word in _ENGLISH_WORD.findall(candidate.text) if word not in _WRITTEN_SO]
    if not found or quotes_something(candidate.source):
        return ""
    of_source = frozenset(split_words(candidate.source))  # as written: what is capitalised may be a name
    names = candidate.source_words.names
    return next((word for word in found if word in of_source and word not in names), "")
