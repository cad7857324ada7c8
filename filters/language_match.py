"""Is the whole text in the language it claims? Each is held against its own claim; there is no "p >= 0.8" for all.

First lid.176, on the probabilities of `LanguageIdentifier` (after scripts, letters and aliases). It takes a text for
another one if another language is likeliest AND (that one has at least `confident_language_probability`, or the claimed
one has less than `min_language_probability`). Human captions often get p = 0.4 for the right language, spread over its
neighbours: they stay.

Then py3langid (`second_opinion.py`), for what lid.176 is known to be weak in: a text in a language with near relatives
(Dutch and Afrikaans, Spanish and Galician) is dropped if it is rather in one of them, by a margin that good text
nearly never has; and a text that lid.176 takes for another one stays if py3langid finds the claimed language likely
enough. Croatian, Serbian and Bosnian in one script count as one language: neither model tells them apart.
Cost: lid.176 about 30 microseconds a text; py3langid 5 to 15, for languages with neighbours that lid.176 considers, and
for what it takes for another language.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, read_as, reject
from florenz.filters.words import ENGLISH_OPENERS
from florenz.languages.codes import SOURCE
from florenz.languages.identification import UNDETERMINED, Identified, Readings
from florenz.languages.labels import is_ruled_out
from florenz.languages.second_opinion import (
    Margins,
    agreed_margin,
    group_of,
    knows,
    least_margins,
    margins,
    margins_of,
    neighbours_of,
    odds_to_neighbours,
)

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


def check_wrong_languages(
    candidates: Sequence[Candidate], readings: Readings, settings: FilterSettings
) -> list[Verdict]:
    """One verdict for each, with what language ID reads. The rule is asked about the few that it could reject."""
    verdicts = [read_as(KEEP, language) for language in readings.languages]
    is_doubted, is_near = _may_be_another(candidates, readings, settings)
    near = np.flatnonzero(is_near & ~is_doubted)
    languages = [candidates[place].language for place in near.tolist()]
    odds = odds_to_neighbours([candidates[place].text for place in near.tolist()], languages)
    is_doubted[near] = odds < [least_margins(language)[0] for language in languages]
    asked = np.flatnonzero(is_doubted).tolist()
    second = [place for place in asked if _has_second(candidates[place], settings)]
    found = margins_of([candidates[place].text for place in second], [candidates[place].language for place in second])
    of_place = dict(zip(second, found, strict=True))
    for place in asked:
        verdict = check_wrong_language(candidates[place], readings.one(place), settings, of_place.get(place))
        verdicts[place] = read_as(verdict, verdicts[place].language)
    return verdicts


def _may_be_another(
    candidates: Sequence[Candidate], readings: Readings, settings: FilterSettings
) -> tuple[np.ndarray, np.ndarray]:
    """([texts] whether lid.176 takes it for another language, as `is_taken_for_another`; [texts] whether py3langid has
    to be asked about neighbours)."""
    languages = [candidate.language for candidate in candidates]
    own = readings.together([_places(group_of(language), readings.labels) for language in languages])
    near = readings.together([_places(neighbours_of(language), readings.labels) for language in languages])
    is_own = np.fromiter(
        (seen in group_of(language) for seen, language in zip(readings.languages, languages, strict=True)),
        dtype=bool, count=len(languages),
    )  # fmt: skip
    is_confident = readings.highest >= settings.confident_language_probability
    is_doubted = (readings.best >= 0) & ~is_own & ((own < settings.min_language_probability) | is_confident)
    is_near = (readings.best >= 0) & (near >= _CONSIDERED)
    for place in np.flatnonzero(is_near).tolist():
        is_near[place] = _has_second(candidates[place], settings)
    return is_doubted, is_near


@cache
def _places(languages: frozenset[str], labels: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(place for place, label in enumerate(labels) if label in languages)


def _has_second(candidate: Candidate, settings: FilterSettings) -> bool:
    """Whether py3langid has a say."""
    is_long_enough = len(candidate.text) >= _MIN_LETTERS
    return settings.second_opinion and candidate.language != SOURCE and is_long_enough and knows(candidate.language)


def check_wrong_language(
    candidate: Candidate, identified: Identified, settings: FilterSettings, found: Margins | None = None
) -> Verdict:
    """Rejects by the rules above. A text without letters (a number for a number) is in no language and stays. found:
    its margins, where they are there already.
    """
    language = candidate.language
    is_doubted = is_taken_for_another(identified, language, settings)
    has_second = _has_second(candidate, settings)
    if not is_doubted and not (has_second and _has_likely_neighbour(identified, language)):
        return KEEP
    own = identified.probability_of(language)
    seen = f"{identified.language} at {identified.probability:.2f}, {language} at {own:.2f} in {quoted(candidate.text)}"
    if not has_second:
        return reject("wrong_language", seen)
    found = found or margins(candidate.text, language)
    least_near, least_other = least_margins(language)
    if found.odds_to_neighbours < least_near:
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
