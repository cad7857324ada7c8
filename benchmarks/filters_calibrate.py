"""Writes `languages/calibration.py`: what language ID does with good text, per language.

    python -m benchmarks.filters_calibrate

Thresholds are quantiles of good text: all but one text in 150 has the margin to neighbours, all but one in 300 the
margin to all others, but never less than -1.5, below which other languages come in. Where lid.176 is confident of
another language, a text that py3langid too finds likelier in another one is dropped from a margin on that loses at most
one text in 300. All on the half of the pairs that `make bench-filters` does not score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.filters_texts import languages, pairs
from florenz.languages import second_opinion

QUANTILE_NEAR, QUANTILE_OTHERS, QUANTILE_AGREED, LEAST = 1 / 150, 1 / 300, 1 / 300, -1.5
TABLE = Path(second_opinion.__file__).with_name("calibration.py")
HEAD = '''"""How language ID does on good text: made by `python -m benchmarks.filters_calibrate`, not by hand.

From human sentence pairs (Tatoeba) of four words and more on average, one half of them; the other half is what
`make bench-filters` scores. Margins are those of `second_opinion.py`, to neighbours as log odds.
"""

from __future__ import annotations

from typing import NamedTuple


class Calibrated(NamedTuple):
    """texts: how many. kept: share, 0 to 1, that both models together keep. Margins: what good text has at least;
    agreed: to both, where lid.176 is confident of another language.
    """

    texts: int
    kept: float
    to_neighbours: float
    to_others: float
    agreed: float


MARGINS: dict[str, Calibrated] = {
'''


def quantile(values: list[float], share: float) -> float:
    """The value below which this share lies; of 200 texts and more it is a real one, of fewer the least."""
    return sorted(values)[math.floor(share * len(values))]


def agreed_margin(margins: Sequence[float], num_texts: int) -> float:
    """margins: the lesser of both, of good texts that lid.176 is confident are in another language and that stay so
    far. At most 0, above which py3langid does not agree.
    """
    spare = math.floor(QUANTILE_AGREED * num_texts)
    return min(0.0, math.floor(100 * sorted(margins)[spare]) / 100) if spare < len(margins) else 0.0


def main() -> None:
    from florenz.filters.language_match import is_confidently_another, is_taken_for_another
    from florenz.filters.settings import FilterSettings
    from florenz.languages.identification import LanguageIdentifier

    settings, lines = FilterSettings(), []
    for language in languages():
        texts = [text for _, text in pairs(language, calibration=True)]
        found = LanguageIdentifier().identify(texts)
        doubted = [is_taken_for_another(seen, language, settings) for seen in found]
        kept, near, others, agreed = 1 - sum(doubted) / len(texts), 0.0, 0.0, 0.0
        if second_opinion.knows(language):
            margins = second_opinion.margins_of(texts, [language] * len(texts))
            finite = [one.odds_to_neighbours for one in margins if one.to_neighbours < math.inf]
            near = quantile(finite, QUANTILE_NEAR) if finite else 0.0
            others = max(LEAST, quantile([one.to_others for one in margins], QUANTILE_OTHERS))
            passed = [
                one.odds_to_neighbours >= near and (not doubt or one.to_others >= others)
                for one, doubt in zip(margins, doubted, strict=True)
            ]
            confident = [is_confidently_another(seen, language, settings) for seen in found]
            left = [
                min(one.to_neighbours, one.to_others)
                for one, stays, is_sure in zip(margins, passed, confident, strict=True)
                if stays and is_sure
            ]
            agreed = agreed_margin(left, len(texts))
            kept = (sum(passed) - sum(one < agreed for one in left)) / len(texts)
        lines.append(f'    "{language}": Calibrated({len(texts)}, {kept:.3f}, {near:.2f}, {others:.2f}, {agreed:.2f}),')
        print(lines[-1], flush=True)
    TABLE.write_text(HEAD + "\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
