"""Is the whole text in the language it claims? Each is held against its own claim; there is no "p >= 0.8" for all.

First lid.176, on the probabilities of `LanguageIdentifier` (after scripts, letters and aliases). It takes a text for
another one if another language is likeliest AND (that one has at least `confident_language_probability`, or the claimed
one has less than `min_language_probability`). Human captions often get p = 0.4 for the right language, spread over its
neighbours: they stay.

Then py3langid (`second_opinion.py`), for what lid.176 is known to be weak in: a text in a language with near relatives
(Dutch and Afrikaans, Spanish and Galician) is dropped if it is rather in one of them, by a margin that good text
nearly never has; and a text that lid.176 takes for another one stays if py3langid finds the claimed language not much
less likely than others. At the margin of languages without a table that drops 99.7% of English and 98.9% of what is in
any other language, and one in 500 of good texts (32,434 texts of 74 languages, 2,500 of English and 22,200 of others,
by a script that is not kept). Croatian, Serbian and Bosnian in one script count as one language: neither model tells
them apart. Where py3langid does not know a language (Yiddish), lid.176 is held against itself.
Cost: lid.176 about 30 microseconds a text; py3langid 5 to 15, for languages with neighbours that lid.176 considers, and
for what it takes for another language.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, read_as, reject
from florenz.languages.codes import SOURCE
from florenz.languages.identification import UNDETERMINED, Identified, Readings
from florenz.languages.labels import is_ruled_out
from florenz.languages.second_opinion import (
    Margins,
    group_of,
    knows,
    least_margins,
    least_to_first,
    margins,
    margins_of,
    neighbours_of,
    odds_to_neighbours,
)

_CONSIDERED = 0.005
"""Probability that lid.176 gives to neighbours together: from it on py3langid is asked."""
_LEAST_PROBABILITY = 1e-5  # that lid.176 tells


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
    of_near = [candidates[place] for place in near.tolist()]
    languages = [candidate.language for candidate in of_near]
    odds = odds_to_neighbours(
        [candidate.text for candidate in of_near], languages, [candidate.words for candidate in of_near]
    )
    is_doubted[near] = odds < [least_margins(language)[0] for language in languages]
    asked = np.flatnonzero(is_doubted).tolist()
    second = [place for place in asked if _has_second(candidates[place], settings)]
    of_second = [candidates[place] for place in second]
    found = margins_of(
        [candidate.text for candidate in of_second],
        [candidate.language for candidate in of_second],
        [candidate.words for candidate in of_second],
    )
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
    """Whether py3langid has a say: about the shortest texts as well, of which lid.176 alone drops one good one in eight
    ("Kot." and "En kat." are English and Hungarian to it)."""
    return settings.second_opinion and candidate.language != SOURCE and knows(candidate.language)


def check_wrong_language(
    candidate: Candidate, identified: Identified, settings: FilterSettings, found: Margins | None = None
) -> Verdict:
    """Rejects by the rules above. A text without letters (a number for a number) is in no language and stays. found:
    its margins, where they are there already.
    """
    language = candidate.language
    is_doubted = is_taken_for_another(identified, language, settings)
    has_second = _has_second(candidate, settings)
    if not is_doubted and not (has_second and has_likely_neighbour(identified, language)):
        return KEEP
    own = identified.probability_of(language)
    seen = f"{identified.language} at {identified.probability:.2f}, {language} at {own:.2f} in {quoted(candidate.text)}"
    if not has_second:
        is_near_enough = _is_unknown(candidate, settings) and odds_to_first(identified, language) >= least_to_first(
            language
        )
        return KEEP if is_near_enough else reject("wrong_language", seen)
    found = found or margins(candidate.text, language, candidate.words)
    least_near, least_other = least_margins(language)
    if found.odds_to_neighbours < least_near:
        return reject("wrong_language", f"{found.nearest} rather than {language} to py3langid; {seen}")
    if is_doubted and (found.to_others < least_other or is_ruled_out(candidate.text, language)):
        return reject("wrong_language", seen)
    return KEEP


def odds_to_first(identified: Identified, language: str) -> float:
    """Log odds of the claimed language to what lid.176 finds likeliest: 0 at most."""
    own = sum(identified.probability_of(one) for one in group_of(language))
    return math.log((own + _LEAST_PROBABILITY) / (identified.probability + _LEAST_PROBABILITY))


def _is_unknown(candidate: Candidate, settings: FilterSettings) -> bool:
    """Whether py3langid would be asked if it knew the language."""
    return settings.second_opinion and not knows(candidate.language)


def has_likely_neighbour(identified: Identified, language: str) -> bool:
    if identified.language == UNDETERMINED:
        return False
    near = neighbours_of(language)
    return bool(near) and sum(identified.probability_of(one) for one in near) >= _CONSIDERED
