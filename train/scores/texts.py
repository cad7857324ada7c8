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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from florenz.languages.identification import LanguageIdentifier
from florenz.train.scores.cider import cider
from florenz.train.scores.sets.contract import pair_name

# contrast: whether the right text is likelier than a wrong one (`Item.wrong`), which the model is asked, not its texts.
METRICS = ("exact_match", "chrf", "language_fidelity", "bleu", "cider", "contrast")
USUAL = METRICS[:3]  # of a set that names none of its own
References = tuple[str, ...]
RESAMPLES = 1000  # of a bootstrap
NUM_OTHERS = 4  # references of other images for each one: enough for a steady figure, and chrF takes its time


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """exact_match: share of answers that are their reference, 0 to 1. chrf: of the whole corpus, 0 to 100.

    language_fidelity: share of answers that language ID places in the asked language, 0 to 1; None for a language that
    it does not know. meaning: share of answers that say what the picture shows, in whatever words, 0 to 1. bleu: of the
    corpus, 0 to 100. cider: CIDEr-D times 100. comet: mean over the texts, by the model that a
    recipe names. Each is None where its set does not count it. intervals: metric -> 95% of bootstrap samples lie
    between these; empty where they were not asked for.
    """

    exact_match: float | None
    chrf: float | None
    language_fidelity: float | None
    meaning: float | None = None
    bleu: float | None = None
    cider: float | None = None
    comet: float | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """A task in a language. is_held_out: never trained on. is_withheld: as in `Item`. num_texts: questions; images
    times styles.

    cross_entropy: nats per token of the references, ends included, forced beginnings not; teacher-forced. num_tokens:
    what it is the mean of. with_prefix: None where there are no words to begin with. without_prefix: None for
    translations. chance: None where no two images share a style. translated: the model's own English caption,
    translated by the model. copied: the English text as the answer, the source of a translation or the model's own
    caption. by_translator: that English text, translated by the dataset's translator. All three None where they were
    not asked for. contrast: the share of right texts that are likelier than the
    wrong ones beside them, with its interval; None where there are none. num_new: questions about what no picture of
    the training shows. new: with_prefix, of those alone. Both None where nobody can tell.
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
    translated: TextScores | None = None
    copied: TextScores | None = None
    by_translator: TextScores | None = None
    contrast: float | None = None
    contrast_interval: tuple[float, float] | None = None
    is_withheld: bool = False
    num_new: int | None = None
    new: TextScores | None = None

    @property
    def name(self) -> str:
        return pair_name(self.task, self.language, is_withheld=self.is_withheld)


def score_texts(
    answers: Sequence[str],
    references: Sequence[References],
    language: str,
    metrics: Sequence[str] = USUAL,
    *,
    verdicts: Sequence[bool] = (),
    with_intervals: bool = False,
) -> TextScores:
    """The scores of answers in `language`, each against the references in its place; at least one.

    verdicts: a judge's, answer by answer; empty: there is no judge. with_intervals: by bootstrap, which takes a while.
    """
    return TextScores(
        exact_match=exact_match(answers, references) if "exact_match" in metrics else None,
        chrf=chrf(answers, references) if "chrf" in metrics else None,
        language_fidelity=language_fidelity(answers, language) if "language_fidelity" in metrics else None,
        meaning=sum(verdicts) / len(verdicts) if verdicts else None,
        bleu=bleu(answers, references, language) if "bleu" in metrics else None,
        cider=float(cider(answers, references).mean()) if "cider" in metrics else None,
        intervals=_all_intervals(answers, references, language, metrics, verdicts) if with_intervals else {},
    )


def exact_match(answers: Sequence[str], references: Sequence[References]) -> float:
    """The share of answers that are one of their references; only white space may differ."""
    matches = _matches(answers, references)
    return sum(matches) / len(matches)


def _matches(answers: Sequence[str], references: Sequence[References]) -> list[bool]:
    return [
        any(answer.split() == text.split() for text in texts) for answer, texts in zip(answers, references, strict=True)
    ]


def chrf(answers: Sequence[str], references: Sequence[References]) -> float:
    """sacrebleu's chrF2 of the corpus, 0 to 100."""
    from sacrebleu.metrics import CHRF  # optional: training needs no scores

    assert len(answers) == len(references) > 0, (len(answers), len(references))
    first_second_and_so_on = list(zip_longest(*references))  # None where there are fewer, which sacrebleu leaves out
    return float(CHRF().corpus_score(list(answers), first_second_and_so_on).score)


def bleu(answers: Sequence[str], references: Sequence[References], language: str) -> float:
    """sacrebleu's BLEU of the corpus, 0 to 100: words of 13a, Chinese in characters."""
    return float(_bleu(language).corpus_score(list(answers), list(zip_longest(*references))).score)


def intervals(
    answers: Sequence[str], references: Sequence[References], language: str, metrics: Sequence[str] = USUAL
) -> dict[str, tuple[float, float]]:
    """Metric -> where 95% of RESAMPLES bootstrap samples of the texts lie; BLEU and chrF by sacrebleu's own."""
    found: dict[str, tuple[float, float]] = {}
    streams = list(zip_longest(*references))
    for name, metric in (("bleu", _bleu(language)), ("chrf", _resampled_chrf())):
        if name in metrics:
            score = metric.corpus_score(list(answers), streams, n_bootstrap=RESAMPLES)
            found[name] = float(score._mean - score._ci), float(score._mean + score._ci)
    if "cider" in metrics:
        found["cider"] = interval_of_mean(cider(answers, references))
    if "exact_match" in metrics:
        found["exact_match"] = interval_of_mean(_matches(answers, references))
    return found


def _all_intervals(
    answers: Sequence[str],
    references: Sequence[References],
    language: str,
    metrics: Sequence[str],
    verdicts: Sequence[bool],
) -> dict[str, tuple[float, float]]:
    found = intervals(answers, references, language, metrics)
    return {**found, "meaning": interval_of_mean(verdicts)} if verdicts else found


def interval_of_mean(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Where 95% of the means of RESAMPLES bootstrap samples lie; the same twice."""
    array = np.asarray(values, dtype=float)
    draws = np.random.Generator(np.random.Philox(0))
    means = [array[draws.integers(len(array), size=len(array))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _bleu(language: str) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize="zh" if language == "zh" else "13a")


def _resampled_chrf() -> Any:
    """sacrebleu's counts of a bootstrap sample are single precision, and so are the scores that it makes of them, but
    for a plain 0.0 where nothing fits. It cannot take the mean of both: English as an answer for Chinese texts of which
    one has a Latin word ended a whole scoring."""
    from sacrebleu.metrics import CHRF

    class Resampled(CHRF):  # type: ignore[misc]
        def _compute_score_from_stats(self, stats: Sequence[float]) -> Any:
            return super()._compute_score_from_stats([float(number) for number in stats])  # type: ignore[misc]

    return Resampled()


def language_fidelity(answers: Sequence[str], language: str) -> float | None:
    """The share of answers whose likeliest language is `language`; an answer without letters is in none.

    None for a language that language ID does not know.
    """
    identifier = LanguageIdentifier()
    if language not in identifier.known_languages():
        return None
    return sum(found.language == language for found in identifier.identify(answers)) / len(answers)


def chance(
    references: Sequence[References], styles: Sequence[str], language: str, metrics: Sequence[str] = USUAL
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
        bleu=bleu(answers, asked, language) if "bleu" in metrics else None,
        cider=float(cider(answers, asked).mean()) if "cider" in metrics else None,
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
