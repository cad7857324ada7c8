"""Is the whole text in the language it claims? Each is held against its own claim; there is no "p >= 0.8" for all.

The exact rule, on the probabilities of `LanguageIdentifier` (after scripts, letters and aliases): a text is dropped
if another language is likeliest AND (that one has at least `confident_language_probability`, or the claimed one has
less than `min_language_probability`). So of a kept text this is guaranteed: its likeliest language is the claimed
one, or is one that the model itself is not confident about. Human captions often get p = 0.4 for the right language,
spread over its neighbours: they stay. The price: a short Spanish text passed off as Portuguese is caught in about 9
of 10 cases only, as the model can't tell.
"""

from __future__ import annotations

from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.identification import UNDETERMINED, Identified


def is_confidently_another(identified: Identified, language: str, settings: FilterSettings) -> bool:
    """True if the likeliest language is not `language` and is confident. True of no text that the chain keeps."""
    return (
        identified.language not in (language, UNDETERMINED)
        and identified.probability >= settings.confident_language_probability
    )


def check_wrong_language(candidate: Candidate, identified: Identified, settings: FilterSettings) -> Verdict:
    """Rejects by the rule above. A text without letters (a number for a number) is in no language and stays."""
    if identified.language in (candidate.language, UNDETERMINED):
        return KEEP
    own = identified.probability_of(candidate.language)
    is_possible = own >= settings.min_language_probability
    if is_possible and not is_confidently_another(identified, candidate.language, settings):
        return KEEP
    seen = f"{identified.language} at {identified.probability:.2f}, {candidate.language} at {own:.2f}"
    return reject("wrong_language", seen)
