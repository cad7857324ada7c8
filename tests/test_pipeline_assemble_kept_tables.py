"""A table that was kept judges as it did when it was learned, whatever a later run holds; a damaged one is told."""

import random
from pathlib import Path

import pytest
from alignment_examples import made_pairs

from florenz.filters import alignment_check
from florenz.filters.alignment import EARLIER_VIEWS
from florenz.filters.alignment_check import learn_table
from florenz.filters.settings import FilterSettings
from florenz.pipeline.assemble.alignment import is_learning, learned, may_learn
from florenz.pipeline.assemble.kept_tables import BrokenTable, keep_pairs, kept_table, path_of, problems, remove_others

PAIRS, OTHERS = made_pairs(1_500), made_pairs(1_500, seed=1)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return str(tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def table(out):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_check, "MIN_PAIRS", 1_000)
        ((language, table),) = learned("de", PAIRS, FilterSettings(), out)
        assert language == "de"
        yield table


@pytest.fixture
def name(table):
    return f"de-{table.fingerprint}"


def test_it_judges_another_run_as_it_did_its_own(out, table, name):
    filters = FilterSettings(alignment="off", alignment_tables=(name,))
    shuffled = random.Random(5).sample(OTHERS, 40)  # far too few to learn from
    ((_, again),) = learned("de", shuffled, filters, out)
    assert (again.fingerprint, again.least, again.num_pairs) == (table.fingerprint, table.least, table.num_pairs)
    assert list(again.scores(OTHERS[:50])) == list(table.scores(OTHERS[:50]))
    assert list(learned("fr", PAIRS, filters, out)) == []
    assert list(problems(out, [name])) == []


def test_one_that_was_kept_before_there_were_neighbours_judges_as_it_did(table, tmp_path, monkeypatch):
    """Its file is the same, a list of pairs; its name tells the views. A run that learns now keeps another one."""
    monkeypatch.setattr(alignment_check, "MIN_PAIRS", 1_000)
    earlier = learn_table(PAIRS, "de", EARLIER_VIEWS)
    name = f"de-{earlier.fingerprint}"
    keep_pairs(str(tmp_path), earlier, PAIRS)
    assert list(problems(str(tmp_path), [name])) == []
    again = kept_table(str(tmp_path), name)
    assert {model.views for model in again.models} == {EARLIER_VIEWS}
    assert (again.fingerprint, again.least) == (earlier.fingerprint, earlier.least)
    assert list(again.scores(OTHERS[:50])) == list(earlier.scores(OTHERS[:50])) != list(table.scores(OTHERS[:50]))
    list(learned("de", PAIRS, FilterSettings(), str(tmp_path)))
    assert len(list((tmp_path / "alignment").iterdir())) == 2


def test_without_its_name_a_run_learns_its_own(out, table):
    ((_, other),) = learned("de", OTHERS, FilterSettings(), out)
    assert other.fingerprint != table.fingerprint


def test_whether_a_run_looks_at_pairs_at_all(name):
    kept = FilterSettings(alignment="off", alignment_tables=(name,))
    assert is_learning(kept) and may_learn(kept, 1)
    assert not may_learn(FilterSettings(), 4_999) and may_learn(FilterSettings(), 5_000)
    assert not may_learn(FilterSettings(alignment="off"), 5_000)


def test_a_missing_one_is_told_before_the_run_with_those_that_are_there(out, name):
    (line,) = problems(out, ["de-0000000000000000"])
    assert "de-0000000000000000" in line and name in line and "copy it there" in line


@pytest.mark.parametrize("damage", [b"", b"xyz", "of another"])
def test_a_damaged_one_is_told(out, name, damage, tmp_path):
    wrong = "de-0000000000000000"
    content = Path(path_of(out, name)).read_bytes() if damage == "of another" else damage
    path = tmp_path / "alignment" / f"{wrong}.pairs"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(BrokenTable, match="is damaged: copy it there again"):
        kept_table(str(tmp_path), wrong)
    (line,) = problems(str(tmp_path), [wrong])
    assert "is damaged" in line


def test_tables_of_earlier_builds_go(tmp_path, table):
    for pairs in (PAIRS, OTHERS):
        list(learned("de", pairs, FilterSettings(), str(tmp_path)))
    name = f"de-{table.fingerprint}"
    assert len(list((tmp_path / "alignment").iterdir())) == 2
    remove_others(str(tmp_path), [name])
    assert [path.name for path in (tmp_path / "alignment").iterdir()] == [f"{name}.pairs"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("de",), "names 'de': a table is called like de-0123456789abcdef"),
        (("../x-0123456789abcdef",), "a table is called like"),
        (("de-0123456789abcdef", "de-0123456789abcdee"), "one for each language"),
    ],
)
def test_a_name_that_is_none_is_refused(names, said):
    with pytest.raises(ValueError, match=said):
        FilterSettings(alignment_tables=names)
