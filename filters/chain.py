"""All filters in order, the cheap ones first; the first that fails gives the reason.

Takes a batch, because most of what has to be asked of a text is answered faster for many at once (`columns.py`,
language ID), and asks a check itself about the few texts that it could reject. Language ID sees the whole texts in one
call and their parts in another, and only what nothing else has dropped. Verdicts do not depend on what else is in the
batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from importlib import import_module

import numpy as np

from florenz.filters.alignment_check import NO_TABLES, AlignmentTable, check_misaligned
from florenz.filters.columns import Columns
from florenz.filters.cut_word import check_cut_word
from florenz.filters.language_match import check_wrong_languages
from florenz.filters.mixed_language import check_mixed_language, may_be_mixed_language, parts_to_ask
from florenz.filters.order import TEXT_CHECKS
from florenz.filters.own_words import check_own_words
from florenz.filters.settings import FilterSettings
from florenz.filters.toxicity import WordList, check_toxicity
from florenz.filters.untranslated_word import check_untranslated_word
from florenz.filters.verdict import KEEP, Candidate, Verdict, read_as
from florenz.languages.identification import LanguageIdentifier

Check = Callable[[Candidate, FilterSettings], Verdict]
Glance = Callable[[Columns, FilterSettings], np.ndarray]
WordLists = Callable[[], Mapping[str, WordList]]
_TOGETHER = 1024
"""Texts looked at in one go: more than that, and their columns don't stay in a core's cache."""


def text_checks(disabled: Collection[str] = ()) -> list[Check]:
    """The checks of `order.TEXT_CHECKS`, but for those that are disabled."""
    return [check for check, _ in _checks_and_glances(disabled)]


def _checks_and_glances(disabled: Collection[str]) -> list[tuple[Check, Glance]]:
    """Each with its `may_be_<reason>`, or with one that says yes to all."""
    found = []
    for reason, file in TEXT_CHECKS:
        if reason not in disabled:
            module = import_module(f"florenz.filters.{file}")
            found.append((getattr(module, f"check_{reason}"), getattr(module, f"may_be_{reason}", _any_may_be)))
    return found


def _any_may_be(columns: Columns, settings: FilterSettings) -> np.ndarray:
    return np.ones(len(columns.candidates), dtype=bool)


class FilterChain:
    """`chain(candidates)` gives one verdict for each, in order. Holds settings and a path only, so it pickles.

    Raises:
        LanguageModelError: on the first call that needs language ID, if its model is missing.
    """

    def __init__(
        self,
        settings: FilterSettings | None = None,
        identifier: LanguageIdentifier | None = None,
        word_lists: WordLists = dict,
    ) -> None:
        """word_lists: gives the lists of `toxicity.py` by language, where a text is judged; none by default."""
        self.settings = settings or FilterSettings()
        self.identifier = identifier or LanguageIdentifier()
        self._word_lists = word_lists
        self._text_checks = _checks_and_glances(self.settings.disabled)

    def __call__(
        self, candidates: Sequence[Candidate], tables: Mapping[str, AlignmentTable] = NO_TABLES
    ) -> list[Verdict]:
        """One verdict for each candidate, in order. Any string is allowed as source and text.

        tables: language -> what was learned from the run's pairs; of `order.LEARNED_CHECKS` only what has one is asked.
        A kept text's verdict says what language ID reads in it, unless `wrong_language` is disabled.
        """
        verdicts: list[Verdict] = []
        for start in range(0, len(candidates), _TOGETHER):
            verdicts += self._judge(candidates[start : start + _TOGETHER], tables)
        return verdicts

    def _judge(self, candidates: Sequence[Candidate], tables: Mapping[str, AlignmentTable]) -> list[Verdict]:
        columns = Columns(candidates)
        verdicts = self._check_texts(columns)
        if self.settings.words:
            self._narrow(candidates, verdicts, "", partial(check_own_words, words=self.settings.words))
        if self.settings.toxicity is not None:
            check = partial(check_toxicity, lists=self._word_lists(), disabled=self.settings.disabled)
            self._narrow(candidates, verdicts, "", check)
        self._narrow(candidates, verdicts, "wrong_language", self._check_language)
        if "mixed_language" not in self.settings.disabled:
            self._check_parts(columns, verdicts)
        if tables:
            self._narrow(candidates, verdicts, "misaligned", partial(check_misaligned, tables=tables))
            self._narrow(candidates, verdicts, "cut_word", partial(check_cut_word, tables=tables))
            self._narrow(candidates, verdicts, "untranslated_word", partial(check_untranslated_word, tables=tables))
        return verdicts

    def _check_texts(self, columns: Columns) -> list[Verdict]:
        verdicts = [KEEP] * len(columns.candidates)
        is_kept = np.ones(len(verdicts), dtype=bool)
        for check, may_be in self._text_checks:
            for place in np.flatnonzero(is_kept & may_be(columns, self.settings)).tolist():
                verdicts[place] = check(columns.candidates[place], self.settings)
                is_kept[place] = verdicts[place].keep
        return verdicts

    def _narrow(
        self,
        candidates: Sequence[Candidate],
        verdicts: list[Verdict],
        reason: str,
        check_all: Callable[[list[Candidate]], list[Verdict]],
    ) -> None:
        """Ask `check_all` about what is kept so far, and write its verdicts in place."""
        if reason in self.settings.disabled:
            return
        kept = [index for index, verdict in enumerate(verdicts) if verdict.keep]
        for index, verdict in zip(kept, check_all([candidates[index] for index in kept]), strict=True):
            language = verdict.language or verdicts[index].language
            verdicts[index] = read_as(verdict, language) if language != verdict.language else verdict

    def _check_language(self, candidates: list[Candidate]) -> list[Verdict]:
        readings = self.identifier.read([candidate.text for candidate in candidates])
        return check_wrong_languages(candidates, readings, self.settings)

    def _check_parts(self, columns: Columns, verdicts: list[Verdict]) -> None:
        """Of what is kept; writes its verdicts in place."""
        places = np.flatnonzero(may_be_mixed_language(columns, self.settings)).tolist()
        asked = [place for place in places if verdicts[place].keep]
        parts = [parts_to_ask(columns.candidates[place]) for place in asked]
        answers = iter(self.identifier.identify([part for row in parts for part in row]))
        for place, row in zip(asked, parts, strict=True):
            seen = [next(answers) for _ in row]
            verdict = check_mixed_language(columns.candidates[place], row, seen, self.settings)
            verdicts[place] = read_as(verdict, verdicts[place].language)
