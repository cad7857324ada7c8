"""What filters have dropped is looked up a range of keys at a time: no more is held, and nothing is missed."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_examples import caption_row, key_of, recipe_for, translation_row

from florenz.pipeline.answers import dropped as module
from florenz.pipeline.answers import retry
from florenz.pipeline.answers.dropped import DroppedTexts
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import translator_fingerprint
from florenz.pipeline.answers.retry import ALL, forget_rejected
from florenz.pipeline.assemble.rejects import Reject, iter_rejects, join_rejects, leave_rejects

KEYS = sorted(key_of(str(number).encode()) for number in range(200))


def reject_of(key: str, reason: str = "empty", text: str = "text") -> Reject:
    return Reject(key=key, step="filter", language="de", style="short", reason=reason, text=text)


def write_rejects(folder: Path, rejects: list[Reject]) -> str:
    """As a build leaves them: a row group for each range of keys."""
    for digit in "0123456789abcdef":
        leave_rejects(str(folder), digit, [one for one in rejects if one.key.startswith(digit)], "/nowhere")
    path = str(folder / "rejects.parquet")
    join_rejects(path, str(folder), sorted(part.name for part in folder.glob("*.rejects")))
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(range, rejects read of it), each time."""
    found: list[tuple[str, int]] = []

    def watched(path: str, within: str = "") -> Iterator[Reject]:
        rows = list(iter_rejects(path, within))
        found.append((within, len(rows)))
        yield from rows

    monkeypatch.setattr(module, "iter_rejects", watched)
    return found


def test_ranges_are_held_one_after_the_other_and_each_is_read_once(
    tmp_path: Path, read: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 20)
    path = write_rejects(tmp_path, [reject_of(key) for key in KEYS[::2]])
    dropped = DroppedTexts(path, lambda reject: True)
    assert [dropped.hold(key, "short", "de", "text") for key in KEYS] == [True, False] * 100
    assert [within for within, _ in read] == list("0123456789abcdef")
    assert sum(number for _, number in read) == 100 and max(number for _, number in read) < 20


def test_in_any_order_the_same_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 1)
    path = write_rejects(tmp_path, [reject_of(key, text=key) for key in KEYS[::2]])
    dropped = DroppedTexts(path, lambda reject: True)
    for key in random.Random(3).sample(KEYS, len(KEYS)):
        assert dropped.hold(key, "short", "de", key) is (key in KEYS[::2])
        others = [("short", "de", "other"), ("detailed", "de", key), ("short", "fr", key), ("short", "de", None)]
        assert not any(dropped.hold(key, *other) for other in others)


def test_few_are_read_once_and_without_a_file_nothing_was_dropped(tmp_path: Path, read: list[tuple[str, int]]) -> None:
    dropped = DroppedTexts(write_rejects(tmp_path, [reject_of(key) for key in KEYS]), lambda reject: True)
    assert all(dropped.hold(key, "short", "de", "text") for key in KEYS) and read == [("", 200)]
    assert not DroppedTexts(None, lambda reject: True).hold(KEYS[0], "short", "de", "text")


@pytest.mark.parametrize("max_held", [1 << 17, 8], ids=["at once", "by ranges"])
@pytest.mark.parametrize("digits", [0, 1, 2])
def test_a_retry_forgets_the_same_answers_however_rejects_and_ledger_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_held: int, digits: int
) -> None:
    monkeypatch.setattr(module, "MAX_HELD", max_held)
    recipe = recipe_for(tmp_path / "out")
    maker = translator_fingerprint(recipe, recipe.translator.settings)
    ledger = Ledger(recipe.out, digits)
    rows = [translation_row(key, number, "de") for number, key in enumerate(KEYS)]
    ledger.append_translations("de", maker, rows)
    ledger.append_captions("c" * 16, [caption_row(key, number) for number, key in enumerate(KEYS)])
    bad = [reject_of(row.key, ("empty", "copied")[number % 2], row.text or "") for number, row in enumerate(rows[::3])]
    path = write_rejects(tmp_path, bad)
    monkeypatch.setattr(retry, "_rejects", lambda out: path)
    assert forget_rejected(recipe, ledger, "copied").translations == len(bad[1::2])
    gone = {one.key for one in bad[1::2]}
    assert {key for key, *_ in ledger.read_translations("de", maker)} == set(KEYS) - gone
    assert forget_rejected(recipe, ledger, ALL).translations == len(bad[::2])
