"""Scores in the ledger keep its promises, and of several answers the best by score is the one."""

import math
from pathlib import Path

import pytest

from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.score_rows import ScoreRow
from florenz.pipeline.answers.scores import best_of, scored, texts_to_score
from florenz.scorers.contract import Facts

PRINT = "f" * 16
KEYS = ("0" * 32, "7" * 32, "f" * 32)
LOWER = Facts(needs_image=False, lower_is_better=True, lowest=0, highest=25)
HIGHER = Facts(needs_image=True, lower_is_better=False, lowest=-1, highest=1)


def score_row(key: str = KEYS[0], score: float | None = 1.5, text: str = "Ein Auto.", reason: str = "") -> ScoreRow:
    return ScoreRow(
        key=key, style="short", language="de", source_text="A car.", text=text, score=score, reason=reason
    )  # fmt: skip


def translation(text: str | None, score: float | None = None, key: str = KEYS[0]) -> TranslationRow:
    scores = (("quality", score),) if text else ()
    return TranslationRow(
        key=key, style="short", language="de", source_text="A car.", text=text, reason="" if text else "refused",
        scores=scores,
    )  # fmt: skip


def test_what_was_said_is_read_again_in_the_range_of_its_key(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), digits=1)
    rows = [score_row(key, number / 3) for number, key in enumerate(KEYS)]
    parts = ledger.append_scores("quality", PRINT, rows)
    assert [part.rpartition("/part-")[2][:2] for part in parts] == ["0-", "7-", "f-"]
    assert ledger.append_scores("quality", PRINT, rows) == parts, "said twice, written once"
    assert list(ledger.read_scores("quality", PRINT).values()) == rows
    assert list(ledger.read_scores("quality", PRINT, within="7").values()) == [rows[1]]
    assert ledger.read_scores("quality", "0" * 16) == {} == ledger.read_scores("image_text", PRINT)


def test_another_text_or_source_is_another_question(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_scores("quality", PRINT, [score_row(text="Ein Auto."), score_row(text="Ein Wagen.", score=2.0)])
    found = ledger.read_scores("quality", PRINT)
    assert found[KEYS[0], "short", "de", "A car.", "Ein Wagen."].score == 2.0 and len(found) == 2
    assert (KEYS[0], "short", "de", "A bus.", "Ein Auto.") not in found


def test_a_number_wins_over_a_reason_before_and_after_compaction(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    for row in (score_row(score=None, reason="unreadable_file"), score_row(score=4.0), score_row(score=3.0)):
        ledger.append_scores("quality", PRINT, [row])
    for _ in range(2):
        assert [row.score for row in ledger.read_scores("quality", PRINT).values()] == [3.0]
        assert ledger.compact(max_parts=1) in (0, 1)
    assert len(ledger.parts()) == 1 and ledger.damaged == []


def test_what_is_removed_or_to_be_asked_again_is_gone(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_scores("quality", PRINT, [score_row(key) for key in KEYS])
    ledger.append_scores("quality", PRINT, [score_row(KEYS[1], None, "Ein Rad.", "unreadable_file")])
    assert ledger.forget_images([KEYS[0]]) == 1
    assert {row.key for row in ledger.read_scores("quality", PRINT).values()} == set(KEYS[1:])
    assert ledger.forget_scores("quality", PRINT, lambda row: bool(row.reason)) == 1
    assert all(row.score is not None for row in ledger.read_scores("quality", PRINT).values())


def test_a_damaged_part_is_set_aside(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    (part,) = ledger.append_scores("quality", PRINT, [score_row()])
    Path(part).write_bytes(b"x" + Path(part).read_bytes()[1:])
    assert ledger.read_scores("quality", PRINT) == {} and "is damaged" in ledger.damaged[0]


@pytest.mark.parametrize(("score", "reason"), [(None, ""), (1.0, "why"), (math.nan, ""), (math.inf, "")])
def test_a_score_is_a_finite_number_or_has_a_reason(score: float | None, reason: str) -> None:
    with pytest.raises(ValueError, match="a finite number or has a reason"):
        score_row(score=score, reason=reason)


def test_the_best_by_score_whichever_way_is_better_and_the_first_of_equals() -> None:
    first, others = translation("a", 5.0), [translation("b", 3.0), translation("c", 3.0), translation("d", 9.0)]
    assert best_of(first, others, "quality", LOWER).text == "b"
    assert best_of(first, others, "quality", HIGHER).text == "d"
    assert best_of(first, [translation("b", None), translation(None)], "quality", LOWER) is first
    assert best_of(first, [translation("b", 5.0)], "quality", LOWER) is first


def test_captions_are_scored_with_their_image_and_translations_with_both() -> None:
    caption = CaptionRow(key=KEYS[0], style="short", text="A car.")
    assert list(texts_to_score(caption, "quality")) == []
    assert list(texts_to_score(caption, "image_text")) == [(KEYS[0], "short", "en", "", "A car.")]
    assert list(texts_to_score(translation(None), "quality")) == []
    identity = (KEYS[0], "short", "de", "A car.", "Ein Auto.")
    assert list(texts_to_score(translation("Ein Auto."), "quality")) == [identity]
    found = scored(translation("Ein Auto."), {"quality": {identity: score_row()}, "image_text": {}})
    assert found.scores == (("image_text", None), ("quality", 1.5))
    assert scored(caption, {"quality": {}}).scores == ()
