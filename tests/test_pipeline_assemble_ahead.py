"""What was learned ahead is taken for the pairs that it was learned from, and for no others."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alignment_examples import made_pairs

from florenz.filters import alignment_check
from florenz.filters.alignment_check import AlignmentTable, learn_table
from florenz.filters.settings import FilterSettings
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.alignment import learned
from florenz.pipeline.assemble.kept_tables import FOLDER

HUNG_AFTER_S = 60.0


def table_of(language: str, fingerprint: str = "abc") -> AlignmentTable:
    return AlignmentTable(language, (), (), 0.0, 0, fingerprint)


def test_a_table_is_waited_for_and_learned_once() -> None:
    may_go_on, learned_languages = threading.Event(), []

    def learn(language: str) -> AlignmentTable:
        assert may_go_on.wait(HUNG_AFTER_S)
        learned_languages.append(language)
        return table_of(language)

    ahead = LearnedAhead(learn)
    ahead.begin("de")
    ahead.begin("de")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ahead.table, "de", "abc")
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        may_go_on.set()
        assert waiting.result(HUNG_AFTER_S) == table_of("de")
    assert learned_languages == ["de"]


def test_nothing_else_is_given() -> None:
    ahead = LearnedAhead(lambda language: None if language == "fr" else table_of(language))
    ahead.begin("de")
    ahead.begin("fr")
    assert ahead.table("de", "another") is None, "pairs have come since"
    assert ahead.table("fr", "abc") is None, "there were too few"
    assert ahead.table("es", "abc") is None, "nobody has begun"


def test_what_learning_raised_is_raised() -> None:
    def learn(language: str) -> AlignmentTable:
        raise OSError(f"the ledger of {language} is gone")

    ahead = LearnedAhead(learn)
    ahead.begin("de")
    with pytest.raises(OSError, match="the ledger of de is gone"):
        ahead.table("de", "abc")


def test_threads_of_this_process_get_the_thing_itself() -> None:
    ahead = LearnedAhead(table_of)
    assert pickle.loads(pickle.dumps(ahead)) is ahead


def test_an_assembly_keeps_the_same_pairs_of_a_table_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment_check, "MIN_PAIRS", 500)
    pairs = made_pairs(600)
    there, others = learn_table(pairs, "de"), learn_table(pairs[:550], "de")
    assert there is not None and others is not None
    for table in (there, others):
        ahead = LearnedAhead({"de": table}.__getitem__)
        ahead.begin("de")
        out = tmp_path / table.fingerprint
        ((_, found),) = learned("de", pairs[::-1], FilterSettings(), str(out), ahead)
        assert found.fingerprint == there.fingerprint and (found is there) == (table is there)
        assert [path.name for path in (out / FOLDER).iterdir()] == [f"de-{there.fingerprint}.pairs"]
