"""Which texts of an answer are scored, an answer with what was said of them, and the best of several answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from florenz.languages.codes import SOURCE
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.answers.makers import Again
from florenz.pipeline.answers.score_rows import Identity, ScoreRow, Scores
from florenz.pipeline.scored import SCORED
from florenz.scorers.contract import Facts

Row = TypeVar("Row", CaptionRow, TranslationRow)


def texts_to_score(row: CaptionRow | TranslationRow, what: str) -> Iterator[Identity]:
    """The caption, or the translation and the rephrasing of it, as far as this is a score of such texts."""
    if isinstance(row, CaptionRow):
        if row.text and SCORED[what].of_captions:
            yield row.key, row.style, SOURCE, "", row.text
        return
    for text in (row.text, row.rephrasing.text if row.rephrasing is not None else None):
        if text:
            yield row.key, row.style, row.language, row.source_text, text


def is_asked_again(row: TranslationRow, again: Again, scores: Mapping[Identity, ScoreRow]) -> bool:
    """Whether there is a text and it is worse than the threshold; who gave none is not asked again here."""
    found = scores.get((row.key, row.style, row.language, row.source_text, row.text)) if row.text else None
    return found is not None and again.is_too_bad(found.score)


def as_candidate(row: TranslationRow, candidate: int) -> TranslationRow:
    """candidate: from 0; the first text of all is not among them."""
    words = f"asked again, answer {candidate + 2}"
    return row if row.text is None else replace(row, detail="; ".join(filter(None, (words, row.detail))))


def best_of(first: TranslationRow, others: Sequence[TranslationRow], what: str, facts: Facts) -> TranslationRow:
    """By this score; of equal ones the earlier. Those without a text or a score do not count."""
    best, best_score = first, dict(first.scores).get(what)
    for other in others:
        score = dict(other.scores).get(what)
        if score is not None and (best_score is None or facts.is_worse(best_score, score)):
            best, best_score = other, score
    return best


def scored(row: Row, scores: Mapping[str, Mapping[Identity, ScoreRow]]) -> Row:
    """The same answer, with what each scorer says of its text, and of its rephrasing's."""
    if isinstance(row, CaptionRow):
        return replace(row, scores=_scores_of(row, row.text, scores))
    rephrasing = row.rephrasing
    if rephrasing is not None:
        rephrasing = replace(rephrasing, scores=_scores_of(row, rephrasing.text, scores))
    return replace(row, scores=_scores_of(row, row.text, scores), rephrasing=rephrasing)


def _scores_of(
    row: CaptionRow | TranslationRow, text: str | None, scores: Mapping[str, Mapping[Identity, ScoreRow]]
) -> Scores:
    """None for a text that was not scored, and nothing where there is nothing to score."""
    if not text:
        return ()
    language, source_text = (row.language, row.source_text) if isinstance(row, TranslationRow) else (SOURCE, "")
    found = []
    for what, of_identity in sorted(scores.items()):
        if isinstance(row, CaptionRow) and not SCORED[what].of_captions:
            continue
        one = of_identity.get((row.key, row.style, language, source_text, text))
        found.append((what, None if one is None else one.score))
    return tuple(found)
