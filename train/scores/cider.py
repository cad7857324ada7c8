"""CIDEr-D (Vedantam et al. 2015, section 4 and its appendix): how much of what people say of a picture a caption says.

Counts of 1- to 4-grams, weighted by how rare they are among the pictures' references, compared by cosine, with the
candidate's counts clipped to the reference's, and less the more lengths differ. As in the authors' code, which the
COCO server and pycocoevalcap use: log of the number of pictures as the reference length, sigma 6, ten times the mean.
Scores are given times 100, as papers print them.

Words are not those of the Stanford tokenizer, which needs Java: texts are lower-cased, punctuation is left out, and
Chinese, Japanese and Thai are cut into characters. Figures compare among themselves, roughly with published ones.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

MAX_N = 4
SIGMA = 6.0
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]|[^\W_]+", re.UNICODE)

Grams = Counter[tuple[str, ...]]


def words_of(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower().replace("'", "").replace("\u2019", ""))


def cider(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> np.ndarray:
    """(N,): the score of each answer, times 100; their mean is that of the corpus. At least one answer."""
    counts = [[_grams(words_of(text)) for text in texts] for texts in references]
    seen = Counter(gram for texts in counts for gram in set().union(*texts))
    rarity = {gram: math.log(len(references)) - math.log(number) for gram, number in seen.items()}
    unseen = math.log(len(references))
    scores = []
    for answer, texts in zip(answers, counts, strict=True):
        candidate = _grams(words_of(answer))
        scores.append(sum(_similarity(candidate, text, rarity, unseen) for text in texts) / len(texts))
    return 1000.0 * np.array(scores)  # ten times, as the authors have it, times 100


def _grams(words: Sequence[str]) -> Grams:
    return Counter(tuple(words[at : at + n]) for n in range(1, MAX_N + 1) for at in range(len(words) - n + 1))


def _similarity(candidate: Grams, reference: Grams, rarity: dict[tuple[str, ...], float], unseen: float) -> float:
    """Mean over n of the clipped cosine, times what the difference in length leaves. The authors' length is that of the
    2-grams."""

    def weight(gram: tuple[str, ...]) -> float:
        return rarity.get(gram, unseen)

    gap = _length(candidate) - _length(reference)
    total = 0.0
    for n in range(1, MAX_N + 1):
        of_candidate = [gram for gram in candidate if len(gram) == n]
        of_reference = [gram for gram in reference if len(gram) == n]
        product = sum(
            min(candidate[gram], reference[gram]) * reference[gram] * weight(gram) ** 2
            for gram in of_candidate
            if gram in reference
        )
        norms = _norm(candidate, of_candidate, weight) * _norm(reference, of_reference, weight)
        total += product / norms if norms else 0.0
    return total / MAX_N * math.exp(-(gap**2) / (2 * SIGMA**2))


def _norm(grams: Grams, chosen: Iterable[tuple[str, ...]], weight: object) -> float:
    assert callable(weight)
    return math.sqrt(sum((grams[gram] * weight(gram)) ** 2 for gram in chosen))


def _length(grams: Grams) -> int:
    return sum(number for gram, number in grams.items() if len(gram) == 2)
