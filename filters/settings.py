"""The few numbers that decide what is dropped. Each was set on human sentence pairs, so that they keep 98% of those."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from florenz.filters.image_size import ImageRules
from florenz.filters.order import LISTED_CHECKS, REASONS
from florenz.filters.own_words import OwnWords
from florenz.filters.toxicity import Toxicity

ALIGNMENTS = ("learn", "off")
_TABLE = re.compile(r"([a-z]{2,3})-([0-9a-f]{16})")


@dataclass(frozen=True, kw_only=True)
class FilterSettings:
    """Settings of the whole chain.

    Raises:
        ValueError: a number out of range, or a `disabled` word that is no reason; names the field and what is allowed.
    """

    confident_language_probability: float = 0.85
    """Probability, 0.5 to 1. Another language at or above this is confident: the text is dropped."""

    min_language_probability: float = 0.04
    """Probability, 0 to 1. Where another language is likelier, the claimed one needs at least this."""

    second_opinion: bool = True
    """Whether py3langid is asked about near languages and about what lid.176 takes for another language."""

    max_length_factor: float = 2.5
    """Times. How much longer or shorter than expected from the source a translation may be."""

    max_repeats: int = 3
    """Times in a row. The same words may follow each other this often."""

    max_copied_words: int = 2
    """Words in a row. So many ordinary words of the source may stand untranslated, if that is under 40% of the text;
    fewer always may. Names and numbers are free. With 2 and less none may that are known to be English alone."""

    max_foreign_share: float = 0.3
    """Share of letters, 0 to 1, in a script that the claimed language is not written in; names are free."""

    alignment: str = "learn"
    """"learn": a word-alignment table from the run's own pairs, where a language has 5,000, to drop what does not
    translate its source; a verdict then depends on the whole run. "off": verdicts depend on one text each."""

    alignment_tables: tuple[str, ...] = ()
    """Language and fingerprint of tables that an earlier run learned, like "de-0123456789abcdef" (OUT/alignment): texts
    in these languages are judged by them, not by what this run would learn. With alignment = "off" no other is used,
    and verdicts depend on one text each."""

    words: tuple[OwnWords, ...] = ()
    """[[filters.words]]: patterns of your own, each with a name that becomes the reason."""

    toxicity: Toxicity | None = None
    """[filters.toxicity]: lists of words, one file for each language; off without."""

    images: ImageRules | None = None
    """[filters.images]: which pictures are too small or too long; off without."""

    disabled: tuple[str, ...] = ()
    """Reasons that are not looked for. Without `wrong_language` the build may fail its own verification."""

    @property
    def language_limits(self) -> tuple[float, float]:
        """The probabilities that decide."""
        return self.confident_language_probability, self.min_language_probability

    def __post_init__(self) -> None:
        _check_range("confident_language_probability", self.confident_language_probability, 0.5, 1.0)
        _check_range("min_language_probability", self.min_language_probability, 0.0, 1.0)
        _check_range("max_length_factor", self.max_length_factor, 1.0, 100.0)
        _check_range("max_repeats", self.max_repeats, 1, 1000)
        _check_range("max_copied_words", self.max_copied_words, 1, 1000)
        _check_range("max_foreign_share", self.max_foreign_share, 0.0, 1.0)
        if self.alignment not in ALIGNMENTS:
            raise ValueError(f"filter setting alignment = {self.alignment!r}: choose {' or '.join(ALIGNMENTS)}")
        languages = [language_and_fingerprint(name)[0] for name in self.alignment_tables]
        if len(set(languages)) < len(languages):
            raise ValueError(f"filter setting alignment_tables = {list(self.alignment_tables)}: one for each language")
        names = [one.name for one in self.words]
        if len(set(names)) < len(names):
            raise ValueError(f"filter setting words: two of {', '.join(names)} have one name")
        if self.toxicity is not None and (taken := sorted(set(names) & set(LISTED_CHECKS))):
            raise ValueError(f"filter setting words: {taken[0]} is a reason of [filters.toxicity]: choose another name")
        for reason in self.disabled:
            _check_reason(reason)


def language_and_fingerprint(table: str) -> tuple[str, str]:
    """Of the name of a kept table. Raises ValueError."""
    found = _TABLE.fullmatch(table)
    if found is None:
        raise ValueError(f"filter setting alignment_tables names {table!r}: a table is called like de-0123456789abcdef")
    return found.group(1), found.group(2)


def _check_range(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"filter setting {field} = {value} must lie between {low} and {high}")


def _check_reason(reason: str) -> None:
    reasons = (*REASONS, *LISTED_CHECKS)
    if reason in reasons:
        return
    near = difflib.get_close_matches(reason, reasons, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"the reasons are {', '.join(reasons)}"
    raise ValueError(f"filter setting disabled names '{reason}', which no filter gives: {hint}")
