"""A caption job whose workers reach no image writes nothing down that would never be asked again."""

from pathlib import Path

import pytest

from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.answers.reading import NothingRead, check_reading

PRINT = "c" * 16
TASKS = [CaptionTask(key=key, source=f"gs://bucket/{key}", styles=("short",)) for key in ("a", "b")]


def row(key: str, reason: str = "") -> CaptionRow:
    return CaptionRow(key=key, style="short", text=None if reason else "A red car.", reason=reason, detail="no rights")


def test_not_one_readable_image_is_an_error_and_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_captions(PRINT, [row("a", "unreadable_file"), row("b", "unreadable_source"), row("old")])
    with pytest.raises(NothingRead, match="could not read a single one of 2 images .no rights.: .*gs://bucket"):
        check_reading(ledger, [PRINT], TASKS, "gs://bucket/")
    assert set(ledger.read_captions(PRINT)) == {("old", "short")}, "answers of other runs stay"


@pytest.mark.parametrize("reason", ["", "no_image"])
def test_one_image_that_was_read_is_enough(tmp_path: Path, reason: str) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_captions(PRINT, [row("a", "unreadable_file"), row("b", reason)])
    check_reading(ledger, [PRINT], TASKS, "gs://bucket/")
    assert len(ledger.read_captions(PRINT)) == 2


def test_no_answers_say_nothing(tmp_path: Path) -> None:
    check_reading(Ledger(str(tmp_path)), [PRINT], TASKS, "gs://bucket/")
