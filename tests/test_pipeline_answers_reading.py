"""A caption job whose workers reach no image writes nothing down that would never be asked again."""

from pathlib import Path

import pytest

from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.reading import NothingRead, check_reading

PRINT = "c" * 16
PLACE = "gs://bucket/"


def row(key: str, reason: str = "") -> CaptionRow:
    return CaptionRow(key=key, style="short", text=None if reason else "A red car.", reason=reason, detail="no rights")


def test_not_one_readable_image_is_an_error_and_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_captions(PRINT, [row("a", "unreadable_file"), row("b", "unreadable_source"), row("old")])
    with pytest.raises(NothingRead, match="no image for a single one of 2 captions .no rights.: .*gs://bucket"):
        check_reading(ledger, [PRINT], answered=2, unreadable=2, where=PLACE)
    assert set(ledger.read_captions(PRINT)) == {("old", "short")}, "answers of other runs stay"


def test_one_image_that_was_read_is_enough(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_captions(PRINT, [row("a", "unreadable_file"), row("b")])
    check_reading(ledger, [PRINT], answered=2, unreadable=1, where=PLACE)
    assert len(ledger.read_captions(PRINT)) == 2


def test_no_answers_say_nothing(tmp_path: Path) -> None:
    check_reading(Ledger(str(tmp_path)), [PRINT], answered=0, unreadable=0, where=PLACE)
