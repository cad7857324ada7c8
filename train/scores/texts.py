"""How good are texts? Exact match, chrF and language fidelity of answers against references; no model in sight.

A question has one right text or several. An answer matches exactly if it is one of them, and chrF takes the best of
them for each answer, as sacrebleu does.

Chance is what the right texts of other images would score as answers: perfect language without a look at the picture
(for a translation: at the sentence). It depends on the dataset alone, so that it is the same for every model, and no
answer of a model that ignores its input can be expected to do better.

These three numbers are blind to meaning: an answer with other words for the same thing is no exact match, and chrF
counts its letters. Where a set brings a judge (`sets/contract.py`), meaning is counted beside them. What language ID
says of short texts is often wrong, so the share of right texts that it places in their own language stands beside the
answers' share (it is chance's).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from florenz.languages.identification import LanguageIdentifier

METRICS = ("exact_match", "chrf", "language_fidelity")
References = tuple[str, ...]
NUM_OTHERS = 4  # references of other images for each one: enough for a steady figure, and chrF takes its time


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """exact_match: share of answers that are their reference, 0 to 1. chrf: of the whole corpus, 0 to 100.

    language_fidelity: share of answers that language ID places in the asked language, 0 to 1; None for a language that
    it does not know. meaning: share of answers that say what the picture shows, in whatever words, 0 to 1. Each is None
    where its set does not count it.
    """

    exact_match: float | None
    chrf: float | None
    language_fidelity: float | None
    meaning: float | None = None


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """A task in a language. is_held_out: never trained on. num_texts: questions; images times styles.

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


def score_texts(
    answers: Sequence[str],
    references: Sequence[References],
    language: str,
    metrics: Sequence[str] = METRICS,
    *,
    verdicts: Sequence[bool] = (),
) -> TextScores:
    """The scores of answers in `language`, each against the references in its place; at least one.

    verdicts: a judge's, answer by answer; empty: there is no judge.
    """
    return TextScores(
        exact_match=exact_match(answers, references) if "exact_match" in metrics else None,
        chrf=chrf(answers, references) if "chrf" in metrics else None,
        language_fidelity=language_fidelity(answers, language) if "language_fidelity" in metrics else None,
        meaning=sum(verdicts) / len(verdicts) if verdicts else None,
    )


def exact_match(answers: Sequence[str], references: Sequence[References]) -> float:
    """The share of answers that are one of their references; only white space may differ."""
    matches = [
        any(answer.split() == text.split() for text in texts) for answer, texts in zip(answers, references, strict=True)
    ]
    return sum(matches) / len(matches)


def chrf(answers: Sequence[str], references: Sequence[References]) -> float:
    """sacrebleu's chrF2 of the corpus, 0 to 100."""
    from sacrebleu.metrics import CHRF  # optional: training needs no scores

    assert len(answers) == len(references) > 0, (len(answers), len(references))
    first_second_and_so_on = list(zip_longest(*references))  # None where there are fewer, which sacrebleu leaves out
    return float(CHRF().corpus_score(list(answers), first_second_and_so_on).score)


def language_fidelity(answers: Sequence[str], language: str) -> float | None:
    """The share of answers whose likeliest language is `language`; an answer without letters is in none.

    None for a language that language ID does not know.
    """
    identifier = LanguageIdentifier()
    if language not in identifier.known_languages():
        return None
    return sum(found.language == language for found in identifier.identify(answers)) / len(answers)


def chance(
    references: Sequence[References], styles: Sequence[str], language: str, metrics: Sequence[str] = METRICS
) -> TextScores | None:
    """What the first references score when each answers for up to NUM_OTHERS others, the next ones in its style.

    references: the texts for each image and style, in the order of the images. None if no style has two.
    """
    pairs = [pair for style in dict.fromkeys(styles) for pair in _others(_of_style(references, styles, style))]
    if not pairs:
        return None
    answers, asked = zip(*pairs, strict=True)
    own = [texts[0] for texts in references]  # each once: how often one answers for others says nothing of its language
    return TextScores(
        exact_match=exact_match(answers, asked) if "exact_match" in metrics else None,
        chrf=chrf(answers, asked) if "chrf" in metrics else None,
        language_fidelity=language_fidelity(own, language) if "language_fidelity" in metrics else None,
    )


def check_tools() -> None:
    """What counts is there, found out before a model is asked. `ValueError` that says what to install."""
    if importlib.util.find_spec("sacrebleu") is None:
        raise ValueError("sacrebleu, which counts chrF, is not installed: pip install florenz[train]")
    LanguageIdentifier().known_languages()


def _of_style(references: Sequence[References], styles: Sequence[str], style: str) -> list[References]:
    return [texts for texts, its_style in zip(references, styles, strict=True) if its_style == style]


def _others(references: Sequence[References]) -> list[tuple[str, References]]:
    """(first text of another, texts) for each one and the ones after it, round the end."""
    num = len(references)
    shifts = range(1, min(NUM_OTHERS, num - 1) + 1)
    return [(references[(place + shift) % num][0], texts) for shift in shifts for place, texts in enumerate(references)]
