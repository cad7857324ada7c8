"""What a score does to a text: it stands in the sample, and one that is worse than the threshold drops it.

A text that should have a score and has none is dropped as well: nobody has looked at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from florenz.filters.verdict import Verdict, read_as, reject
from florenz.pipeline.answers.score_rows import Scores
from florenz.pipeline.assemble.books import IN, KEPT, Entry, of_source, rejected
from florenz.pipeline.scored import SCORED
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


def booked_by_source(
    source: str, language: str, scores: Scores, verdict: Verdict, rules: Iterable[ScoreRule]
) -> Iterator[Entry]:
    """One text in the books of its source, for each rule about pictures that decided about it: models of this kind
    favour some pictures and some languages. Source: the first folder below IMAGES, "." without one.
    """
    for rule in rules:
        is_decided = rule.threshold is not None and rule.what in dict(scores)
        if is_decided and SCORED[rule.what].sees_image and (verdict.keep or verdict.reason == rule.reason):
            step = of_source(rule.what, _first_folder(source))
            yield step, language, IN
            yield step, language, KEPT if verdict.keep else rejected(rule.reason)


def _first_folder(source: str) -> str:
    folder, slash, _ = source.partition("?")[0].partition("/")
    return folder if slash else "."


def told(scores: Scores) -> str:
    """As they stand in a sample."""
    return scores_text({what: score for what, score in scores if score is not None}) if scores else ""
