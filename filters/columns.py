"""Many candidates as columns, for the questions that decide which of them a check is asked about.

Nearly every text is good, and nearly every check can see at a glance that it has nothing to say about it: no bracket,
no digit, no word of the source. Seen one text at a time, those glances are most of what the chain costs. So a check
may have a second function beside `check_<reason>`, `may_be_<reason>(columns, settings)`: [texts] of bool, whether the
check could reject a text, answered for all texts at once by NumPy. It may be wrong in one direction only: what it says
no to is kept by the check (`tests/test_filters_columns.py` asks both about everything). So a batch never decides
anything: the checks do, one text at a time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from florenz.filters.verdict import Candidate
from florenz.filters.words import INNER, SourceWords, folded, is_word_character, strip_words
from florenz.languages.characters import CharacterTable, Codes, one_of
from florenz.languages.codes import scripts_of_language
from florenz.languages.scripts import script_columns

_IS_WORD = CharacterTable(is_word_character)
_IS_INNER = one_of(INNER)
_SPACE, _LINE_FEED = ord(" "), ord("\n")


class Columns:
    """Candidates, and what all checks ask about them; each column is worked out once, when it is first asked for. The
    words of the texts are left in the candidates, where the checks find them.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = candidates
        self.texts = [candidate.text for candidate in candidates]

    @cached_property
    def codes(self) -> Codes:
        """Of the texts as they are."""
        return Codes(self.texts)

    @cached_property
    def folded(self) -> list[str]:
        """The texts in one spelling, as `Candidate.folded`."""
        found = [folded(text) for text in self.texts]
        for candidate, one in zip(self.candidates, found, strict=True):
            candidate.__dict__["folded"] = one
        return found

    @cached_property
    def folded_codes(self) -> Codes:
        return Codes(self.folded)

    @cached_property
    def words(self) -> list[list[str]]:
        """As `Candidate.words`: what is no part of a word becomes a space, and an end of a text a line feed."""
        codes = self.folded_codes
        spaced = np.where(_IS_WORD.of(codes), codes.codes, _SPACE).astype(np.uint32)
        spaced[codes.ends] = _LINE_FEED
        lines = spaced.tobytes().decode("utf-32-le", "surrogatepass").split("\n")[:-1]
        found = [line.split() for line in lines]
        for place in np.flatnonzero(codes.any(_IS_INNER.of(codes))).tolist():
            found[place] = strip_words(found[place])
        for candidate, words in zip(self.candidates, found, strict=True):
            candidate.__dict__["words"] = words
        return found

    @cached_property
    def words_again(self) -> np.ndarray:
        """[texts]: how many of its words stand there before."""
        numbers = (len(words) - len(set(words)) for words in self.words)
        return np.fromiter(numbers, dtype=np.int64, count=len(self.candidates))

    @cached_property
    def sources(self) -> list[SourceWords]:
        """Words of the sources, as `Candidate.source_words`."""
        return [candidate.source_words for candidate in self.candidates]

    @cached_property
    def languages(self) -> list[str]:
        return [candidate.language for candidate in self.candidates]

    @cached_property
    def has_source(self) -> np.ndarray:
        """[texts]"""
        return self.of(bool(candidate.source) for candidate in self.candidates)

    @cached_property
    def shares_words(self) -> np.ndarray:
        """[texts]: whether a word of the source that is no name stands in the text."""
        pairs = zip(self.sources, self.words, strict=True)
        return self.of(source.has_ordinary(words) for source, words in pairs)

    @cached_property
    def scripts(self) -> tuple[tuple[str, ...], np.ndarray]:
        """As `script_columns`."""
        return script_columns(self.codes)

    @cached_property
    def has_foreign_script(self) -> np.ndarray:
        """[texts]: whether it has a letter of a script that its language is not written in."""
        scripts, weights = self.scripts
        languages = sorted(set(self.languages))
        rows_of_languages = [[script not in scripts_of_language(one) for script in scripts] for one in languages]
        is_foreign = np.array(rows_of_languages, dtype=bool)  # of a process that has met no letter yet, no scripts
        rows = [languages.index(language) for language in self.languages]
        found: np.ndarray = ((weights > 0) & is_foreign.reshape(len(languages), len(scripts))[rows]).any(axis=1)
        return found

    def of(self, answers: Iterable[bool]) -> np.ndarray:
        """[texts] of bool, from one answer for each."""
        return np.fromiter(answers, dtype=bool, count=len(self.candidates))

    def have(self, characters: CharacterTable) -> np.ndarray:
        """[texts]: whether one of these characters stands in the text as it is."""
        return self.codes.any(characters.of(self.codes))

    def have_pairs(self, first: CharacterTable, second: CharacterTable) -> np.ndarray:
        """[texts]: whether one of `first` stands right before one of `second`."""
        is_first = first.of(self.codes)
        is_first[:-1] &= second.of(self.codes)[1:]
        return self.codes.any(is_first[:-1])

    def match(self, pattern: str) -> np.ndarray:
        """[texts]: whether an RE2 pattern matches in the folded text."""
        whole = pa.array([text.encode("utf-8", "replace") for text in self.folded], type=pa.binary())
        found: np.ndarray = pc.match_substring_regex(whole.view(pa.string()), pattern).to_numpy(zero_copy_only=False)
        return found


def is_letter_of_words(character: str) -> bool:
    """A part of words that is never cut off their ends."""
    return character not in INNER and unicodedata.category(character)[0] in "LMN"
