"""Is the translation far too long or too short for its source?

Counted in characters, against the ratio that human sentence pairs of each language show: words would not work for
Chinese, bytes would punish Cyrillic. Short sentences vary more ("So what." is "Et alors ?"), so a few characters of
slack are added on top of the factor; it matters below about 30 characters and fades above.
"""

from __future__ import annotations

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject

# Characters of the translation for one character of English. Measured on Tatoeba pairs (up to 1,000 for each language):
EXPECTED_RATIO = {
    "cs": 0.92, "de": 1.17, "es": 1.06, "fr": 1.18, "it": 1.09, "ja": 0.47, "nl": 1.08, "pl": 1.01, "pt": 1.07,
    "ru": 0.99, "tr": 1.03, "uk": 1.00, "zh": 0.32,
    # Scripts in which a character is a syllable or vowels are left out; from their typical text, not measured here:
    "ko": 0.50, "ar": 0.85, "he": 0.80, "fa": 0.95, "th": 0.95,
}  # fmt: skip
DEFAULT_RATIO = 1.05
SLACK_CHARS = 12
"""Characters of English: what may be added or lost whatever the length of the source."""


def may_be_length_ratio(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text outside of the range."""
    number = len(columns.candidates)
    sources = np.fromiter((len(one.source.strip()) for one in columns.candidates), dtype=np.int64, count=number)
    chars = np.fromiter((len(text.strip()) for text in columns.texts), dtype=np.int64, count=number)
    ratios = np.array([EXPECTED_RATIO.get(language, DEFAULT_RATIO) for language in columns.languages])
    low = ratios * (sources - SLACK_CHARS) / settings.max_length_factor
    high = ratios * (sources + SLACK_CHARS) * settings.max_length_factor
    return (sources > 0) & ~((low <= chars) & (chars <= high))


def check_length_ratio(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a translation outside of the range; an English caption has no source and is not asked."""
    if not candidate.source.strip():
        return KEEP
    ratio = EXPECTED_RATIO.get(candidate.language, DEFAULT_RATIO)
    source_chars, chars = len(candidate.source.strip()), len(candidate.text.strip())
    low = ratio * (source_chars - SLACK_CHARS) / settings.max_length_factor
    high = ratio * (source_chars + SLACK_CHARS) * settings.max_length_factor
    if low <= chars <= high:
        return KEEP
    counts = f"{chars} characters for {source_chars}, expected {low:.0f} to {high:.0f}"
    return reject("length_ratio", f"{counts}: {quoted(candidate.text)} for {quoted(candidate.source)}")
