"""What a score does to a text: it stands in the sample, and one that is worse than the threshold drops it.

A text that should have a score and has none is dropped as well: nobody has looked at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from florenz.filters.verdict import Verdict, read_as, reject
from florenz.pipeline.answers.score_rows import Scores
from florenz.shards.schema import scores_text

NOT_SCORED = "not_scored"


@dataclass(frozen=True, kw_only=True)
class ScoreRule:
    """reason: of what is dropped. threshold: the worst score that is kept; None: none is dropped."""

    what: str
    reason: str
    threshold: float | None
    lower_is_better: bool


def judged(scores: Scores, verdict: Verdict, rules: Iterable[ScoreRule]) -> Verdict:
    """The verdict, or the first rule's that drops what the filters keep. scores: as far as there is one to be had."""
    if not verdict.keep:
        return verdict
    found = dict(scores)
    for rule in rules:
        if rule.threshold is None or rule.what not in found:
            continue
        score = found[rule.what]
        if score is None:
            return read_as(reject(NOT_SCORED, f"no {rule.what} is known of it"), verdict.language)
        if (score > rule.threshold) if rule.lower_is_better else (score < rule.threshold):
            side, better = ("above", "lower") if rule.lower_is_better else ("below", "higher")
            detail = f"{rule.what} {score:.4f} is {side} {rule.threshold:g} ({better} is better)"
            return read_as(reject(rule.reason, detail), verdict.language)
    return verdict


def told(scores: Scores) -> str:
    """As they stand in a sample."""
    return scores_text({what: score for what, score in scores if score is not None})
