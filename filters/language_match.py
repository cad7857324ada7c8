"""Is the whole text in the language it claims? Each is held against its own claim; there is no "p >= 0.8" for all.

First lid.176, on the probabilities of `LanguageIdentifier` (after scripts, letters and aliases). It takes a text for
another one if another language is likeliest AND (that one has at least `confident_language_probability`, or the claimed
one has less than `min_language_probability`). Human captions often get p = 0.4 for the right language, spread over its
neighbours: they stay.

Then py3langid (`second_opinion.py`), for what lid.176 is known to be weak in: a text in a language with near relatives
(Dutch and Afrikaans, Spanish and Galician) is dropped if it is rather in one of them, by a margin that good text
nearly never has; and a text that lid.176 takes for another one stays if py3langid finds the claimed language likely
enough. Croatian, Serbian and Bosnian in one script count as one language: neither model tells them apart.
Cost: lid.176 about 30 microseconds a text; py3langid 40 to 90, for languages with neighbours that lid.176 considers,
and for what it takes for another language.
"""

from __future__ import annotations

from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import ENGLISH_OPENERS
from florenz.languages.codes import SOURCE
from florenz.languages.identification import UNDETERMINED, Identified, is_ruled_out
from florenz.languages.second_opinion import agreed_margin, group_of, knows, least_margins, margins, neighbours_of

_MIN_LETTERS = 8  # below, neither model knows anything
_CONSIDERED = 0.005
"""Probability that lid.176 gives to neighbours together: from it on py3langid is asked."""


def is_confidently_another(identified: Identified, language: str, settings: FilterSettings) -> bool:
    """True if the likeliest language is not `language`, nor one that can't be told from it, and is confident."""
    return (
        identified.language not in (*group_of(language), UNDETERMINED)
        and identified.probability >= settings.confident_language_probability
    )


def is_taken_for_another(identified: Identified, language: str, settings: FilterSettings) -> bool:
    """Whether lid.176, asked alone, would drop the text by the rule above."""
    group = group_of(language)
    if identified.language in (*group, UNDETERMINED):
        return False
    own = sum(identified.probability_of(one) for one in group)
    return own < settings.min_language_probability or is_confidently_another(identified, language, settings)


def check_wrong_language(candidate: Candidate, identified: Identified, settings: FilterSettings) -> Verdict:
    """Rejects by the rules above. A text without letters (a number for a number) is in no language and stays."""
    language = candidate.language
    is_doubted = is_taken_for_another(identified, language, settings)
    has_second = (
        settings.second_opinion and language != SOURCE and len(candidate.text) >= _MIN_LETTERS and knows(language)
    )
    if not is_doubted and not (has_second and _has_likely_neighbour(identified, language)):
        return KEEP
    own = identified.probability_of(language)
    seen = f"{identified.language} at {identified.probability:.2f}, {language} at {own:.2f} in {quoted(candidate.text)}"
    if not has_second:
        return reject("wrong_language", seen)
    found = margins(candidate.text, language)
    least_near, least_other = least_margins(language)
    if found.to_neighbours < least_near:
        return reject("wrong_language", f"{found.nearest} rather than {language} to py3langid; {seen}")
    if is_doubted and (found.to_others < least_other or _is_beyond_doubt(candidate, identified)):
        return reject("wrong_language", seen)
    is_agreed = min(found.to_neighbours, found.to_others) < agreed_margin(language)  # py3langid too sees another one
    if is_agreed and is_confidently_another(identified, language, settings):
        return reject("wrong_language", seen)
    return KEEP


def _is_beyond_doubt(candidate: Candidate, identified: Identified) -> bool:
    """Whether lid.176 is right against any second opinion: it reads English, and words of the source stand in the text;
    or the text begins as English sentences do, with the source's first word (2 of 24,000 good texts); or a letter is
    there that the claimed language does not have.
    """
    if is_ruled_out(candidate.text, candidate.language):
        return True
    source = candidate.source_words
    if candidate.words[:1] == list(source.words[:1]) and not ENGLISH_OPENERS.isdisjoint(source.words[:1]):
        return True
    return identified.language == SOURCE and not (source.known - source.names).isdisjoint(candidate.words)


def _has_likely_neighbour(identified: Identified, language: str) -> bool:
    if identified.language == UNDETERMINED:
        return False
    near = neighbours_of(language)
    return bool(near) and sum(identified.probability_of(one) for one in near) >= _CONSIDERED
