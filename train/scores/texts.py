"""How good are texts? Exact match, chrF and language fidelity of answers against references; no model in sight.

Chance is what the right texts of other images would score as answers: perfect language without a look at the picture
(for a translation: at the sentence). It depends on the dataset alone, so that it is the same for every model, and no
answer of a model that ignores its input can be expected to do better.

All three numbers are blind to meaning: an answer with other words for the same thing is no exact match, and chrF counts
its letters. What language ID says of short texts is often wrong, so the share of right texts that it places in their
own language stands beside the answers' share (it is chance's).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from florenz.languages.identification import LanguageIdentifier

NUM_OTHERS = 4  # references of other images for each one: enough for a steady figure, and chrF takes its time


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """exact_match: share of answers that are their reference, 0 to 1. chrf: of the whole corpus, 0 to 100.

    language_fidelity: share of answers that language ID places in the asked language, 0 to 1; None for a language that
    it does not know.
    """

    exact_match: float
    chrf: float
    language_fidelity: float | None


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """A task in a language. is_held_out: never trained on. num_texts: images times styles.

    cross_entropy: nats per token of the references, ends included, forced beginnings not; teacher-forced. num_tokens:
    what it is the mean of. with_prefix: None where there are no words to begin with. without_prefix: None for
    translations. chance: None where no two images share a style.
    """

    task: str
    language: str
    is_held_out: bool
    num_texts: int
    num_tokens: int
    cross_entropy: float
    with_prefix: TextScores | None
    without_prefix: TextScores | None
    chance: TextScores | None


def score_texts(answers: Sequence[str], references: Sequence[str], language: str) -> TextScores:
    """The scores of answers in `language`, each against the reference in its place; at least one."""
    return TextScores(
        exact_match=exact_match(answers, references),
        chrf=chrf(answers, references),
        language_fidelity=language_fidelity(answers, language),
    )


def exact_match(answers: Sequence[str], references: Sequence[str]) -> float:
    """The share of answers that are their reference; only white space may differ."""
    return sum(a.split() == r.split() for a, r in zip(answers, references, strict=True)) / len(references)


def chrf(answers: Sequence[str], references: Sequence[str]) -> float:
    """sacrebleu's chrF2 of the corpus, 0 to 100."""
    from sacrebleu.metrics import CHRF  # optional: training needs no scores

    assert len(answers) == len(references) > 0, (len(answers), len(references))
    return float(CHRF().corpus_score(list(answers), [list(references)]).score)


def language_fidelity(answers: Sequence[str], language: str) -> float | None:
    """The share of answers whose likeliest language is `language`; an answer without letters is in none.

    None for a language that language ID does not know.
    """
    identifier = LanguageIdentifier()
    if language not in identifier.known_languages():
        return None
    return sum(found.language == language for found in identifier.identify(answers)) / len(answers)


def chance(references: Sequence[str], styles: Sequence[str], language: str) -> TextScores | None:
    """What the references score when each answers for up to NUM_OTHERS of the others, the next ones in its style.

    references: one text for each image and style, in the order of the images. None if no style has two.
    """
    pairs = [pair for style in dict.fromkeys(styles) for pair in _others(_of_style(references, styles, style))]
    if not pairs:
        return None
    answers, asked = zip(*pairs, strict=True)
    return TextScores(
        exact_match=exact_match(answers, asked),
        chrf=chrf(answers, asked),
        language_fidelity=language_fidelity(references, language),
    )


def check_tools() -> None:
    """What counts is there, found out before a model is asked. `ValueError` that says what to install."""
    if importlib.util.find_spec("sacrebleu") is None:
        raise ValueError("sacrebleu, which counts chrF, is not installed: pip install florenz[train]")
    LanguageIdentifier().known_languages()


def _of_style(texts: Sequence[str], styles: Sequence[str], style: str) -> list[str]:
    return [text for text, its_style in zip(texts, styles, strict=True) if its_style == style]


def _others(texts: Sequence[str]) -> list[tuple[str, str]]:
    """(another text, text) for each text and the ones after it, round the end."""
    shifts = range(1, min(NUM_OTHERS, len(texts) - 1) + 1)
    return [(texts[(place + shift) % len(texts)], text) for shift in shifts for place, text in enumerate(texts)]
