"""Did one English word stay, in a language that is written in the same letters? "Everyone gaat akkoord."

One word is too little for language ID, and no list says which English words a language has taken over: "skateboard"
is German by now, "everyone" is not. The run knows it. A word that stands in many of its English texts, and nearly never
in their translations, is one that this language has another word for; so a text is at fault that has it as its source
has it. It asks the vocabularies of the tables that `alignment.py` learns, and is silent where there are none. What a
translator always leaves in English is taken for a word of the language, and so is a word of the language that looks the
same ("am", "die"). Names may stay, and so may anything if the source quotes something.

German, 10,000 pairs: 55% of single words are caught and no good text is lost; 30,000 pairs: 72%, and 4 in 10,000
(`.venv/bin/python -m benchmarks.filters_learned`). What is missed are rare words.
Cost: nothing for a text that shares no word with its source, a few microseconds else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from florenz.filters.alignment import WORDS, PairModel, is_spaced
from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import ENGLISH_ONLY, ENGLISH_OPENERS, quotes_something

_MIN_TIMES = 20  # that a word stood in English texts: by chance none of its translations would have it then
_MAX_SHARE = 0.01  # of how often it stood there: how often it may stand in texts of the language
_MIN_LETTERS = 2
_NO_NAMES = ENGLISH_ONLY | ENGLISH_OPENERS  # though they are capitalised in their source


def check_untranslated_word(candidates: Sequence[Candidate], tables: Mapping[str, AlignmentTable]) -> list[Verdict]:
    """Rejects translations with a word of their source that the run's other translations have another word for, in
    languages with a table; the detail quotes the word."""
    return [_check(candidate, tables) if candidate.source else KEEP for candidate in candidates]


def _check(candidate: Candidate, tables: Mapping[str, AlignmentTable]) -> Verdict:
    table = tables.get(candidate.language)
    if table is None or not is_spaced(candidate.language):
        return KEEP
    of_source = candidate.source_words
    if of_source.known.isdisjoint(candidate.words) or quotes_something(candidate.source):
        return KEEP
    may_stay = of_source.names - _NO_NAMES
    model = table.model_of(candidate.source)
    for word in candidate.words:
        if word in of_source.known and word not in may_stay and len(word) >= _MIN_LETTERS and _is_english(word, model):
            return reject("untranslated_word", f"other translations have another word for {quoted(word)}")
    return KEEP


def _is_english(word: str, model: PairModel) -> bool:
    """Whether it is known of English texts, and next to unknown of the other language's. model: learned from others."""
    lexicon = model.forwards[WORDS]
    is_frequent = lexicon.times_given(word) >= _MIN_TIMES
    return is_frequent and lexicon.frequency(word) <= _MAX_SHARE * lexicon.given_frequency(word)
