"""All filters in order, the cheap ones first; the first that fails gives the reason.

Takes a batch, because language ID answers many texts in one call: one for the whole texts and one for their parts,
and only for texts that nothing else has dropped. Verdicts do not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from importlib import import_module

from florenz.filters.alignment_check import NO_TABLES, AlignmentTable, check_misaligned
from florenz.filters.cut_word import check_cut_word
from florenz.filters.language_match import check_wrong_language
from florenz.filters.mixed_language import PART_LIMITS, check_mixed_language, parts_to_ask
from florenz.filters.order import TEXT_CHECKS
from florenz.filters.own_words import check_own_words
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, read_as
from florenz.languages.identification import LanguageIdentifier

Check = Callable[[Candidate, FilterSettings], Verdict]


def text_checks(disabled: Collection[str] = ()) -> list[Check]:
    """The checks of `order.TEXT_CHECKS`, but for those that are disabled."""
    modules = {file: import_module(f"florenz.filters.{file}") for _, file in TEXT_CHECKS}
    return [getattr(modules[file], f"check_{reason}") for reason, file in TEXT_CHECKS if reason not in disabled]


class FilterChain:
    """`chain(candidates)` gives one verdict for each, in order. Holds settings and a path only, so it pickles.

    Raises:
        LanguageModelError: on the first call that needs language ID, if its model is missing.
    """

    def __init__(self, settings: FilterSettings | None = None, identifier: LanguageIdentifier | None = None) -> None:
        self.settings = settings or FilterSettings()
        self.identifier = identifier or LanguageIdentifier()
        self._text_checks = text_checks(self.settings.disabled)

    def __call__(
        self, candidates: Sequence[Candidate], tables: Mapping[str, AlignmentTable] = NO_TABLES
    ) -> list[Verdict]:
        """One verdict for each candidate, in order. Any string is allowed as source and text.

        tables: language -> what was learned from the run's pairs; without one nothing is `misaligned` or a `cut_word`.
        A kept text's verdict says what language ID reads in it, unless `wrong_language` is disabled.
        """
        verdicts = [self._check_text(candidate) for candidate in candidates]
        if self.settings.words:
            self._narrow(candidates, verdicts, "", partial(check_own_words, words=self.settings.words))
        self._narrow(candidates, verdicts, "wrong_language", self._check_language)
        self._narrow(candidates, verdicts, "mixed_language", self._check_parts)
        if tables:
            self._narrow(candidates, verdicts, "misaligned", partial(check_misaligned, tables=tables))
            self._narrow(candidates, verdicts, "cut_word", partial(check_cut_word, tables=tables))
        return verdicts

    def _check_text(self, candidate: Candidate) -> Verdict:
        for check in self._text_checks:
            verdict = check(candidate, self.settings)
            if not verdict.keep:
                return verdict
        return KEEP

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
        texts = [candidate.text for candidate in candidates]
        identified = self.identifier.identify(texts, thresholds=self.settings.language_limits)
        pairs = zip(candidates, identified, strict=True)
        return [
            read_as(check_wrong_language(candidate, seen, self.settings), seen.language) for candidate, seen in pairs
        ]

    def _check_parts(self, candidates: list[Candidate]) -> list[Verdict]:
        parts = [parts_to_ask(candidate) for candidate in candidates]
        answers = iter(self.identifier.identify([part for row in parts for part in row], thresholds=PART_LIMITS))
        identified = [[next(answers) for _ in row] for row in parts]
        rows = zip(candidates, parts, identified, strict=True)
        return [check_mixed_language(candidate, row, seen, self.settings) for candidate, row, seen in rows]
