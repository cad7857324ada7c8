"""What a run tells its user, on the screen and in OUT."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.assemble.books import IN, KEPT, Tally, rejected, rejected_counts
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import Reject, write_rejects
from florenz.pipeline.notices import drops_of_most
from florenz.pipeline.report import Rejects, RunFacts, rejects_of, screen_table, write_report
from florenz.shards.manifest import Manifest, count_examples
from florenz.shards.writer import ShardInfo

BOOKS = Tally({
    ("read", "", IN): 12, ("read", "", KEPT): 10, ("read", "", rejected("duplicate_image")): 2,
    ("caption", "en", IN): 20, ("caption", "en", KEPT): 19, ("caption", "en", rejected("broken_image")): 1,
    ("filter", "de", IN): 19, ("filter", "de", KEPT): 16, ("filter", "de", rejected("truncated")): 3,
    ("filter", "fr", IN): 19, ("filter", "fr", KEPT): 18, ("filter", "fr", rejected("truncated")): 1,
    ("write", "", IN): 10, ("write", "", KEPT): 9, ("write", "", rejected("no_examples")): 1,
})  # fmt: skip
TRAIN = {"caption/en": 14, "caption/de": 12, "translation/de": 12, "translation/fr": 13}
VAL = {"caption/en": 5, "caption/de": 4, "translation/de": 4, "translation/fr": 5}


def shard(name: str, split: str, counts: dict[str, int]) -> ShardInfo:
    return ShardInfo(path=name, split=split, samples=3, bytes=10240, sha256="ab" * 32, counts=counts)


def facts(out: Path | str = "data/out") -> RunFacts:
    shards = (
        shard("train-000000.tar", "train", TRAIN),
        shard("val-000000.tar", "val", VAL),
        shard("heldout-000000.tar", "heldout", {"caption/fr": 5}),
    )
    manifest = Manifest(
        build="b" * 16,
        languages=("de", "fr"),
        held_out=("fr",),
        shards=shards,
        counts=count_examples(shards),
        rejected=rejected_counts(BOOKS),
        inputs={},
        recipe={},
        models={},
    )
    return RunFacts(
        out=str(out),
        manifest=manifest,
        books=BOOKS,
        asked={"captions": 20, "translations": 38},
        seconds={"read": 0.51, "caption": 12.34, "server": 20.06},
        next_command="make verify OUT=data/out",
    )


def rejects(*first: Reject) -> Rejects:
    return Rejects(number=len(first), first=first)


def test_the_table_has_all_that_a_user_wants_to_know() -> None:
    table = screen_table(facts())
    assert re.search(r"images +12 found, 9 written", table)
    assert re.search(r"captions +19 in English", table)
    assert re.search(r"en +English: 19 caption examples", table)
    assert re.search(r"de +German: 16 translation examples, 16 caption examples$", table, re.MULTILINE)
    assert re.search(r"fr +French: 18 translation examples, 0 caption examples \(held out\)", table)
    assert re.search(r"rejected +filter: truncated \(de 3, fr 1\)", table)
    assert re.search(r"rejected +read: duplicate_image \(2\)", table)
    assert re.search(r"time +read 0\.5 s, caption 12\.3 s, server 20\.1 s", table)
    assert re.search(r"asked +20 captions, 38 translations", table)
    assert re.search(r"shards +3 in data/out/shards/b{16}", table)
    assert table.splitlines()[-1].split(maxsplit=1) == ["next", "make verify OUT=data/out"]
    assert "withheld" not in table
    assert len(table.splitlines()) <= 20 and max(map(len, table.splitlines())) <= 120


def test_a_filter_that_drops_most_of_a_language_is_the_first_line(tmp_path: Path) -> None:
    books = BOOKS.copy()
    books["filter", "fr", KEPT], books["filter", "fr", rejected("wrong_language")] = 8, 10
    one = replace(facts(tmp_path), books=books)
    first = screen_table(one).splitlines()[0]
    assert "WARNING" in first and "wrong_language dropped 10 of 19 French texts (fr)" in first and len(first) <= 120
    write_report(one, rejects())
    assert "wrong_language dropped 10 of 19" in (tmp_path / "REPORT.md").read_text().splitlines()[0]
    assert json.loads((tmp_path / "report.json").read_text())["warnings"] == drops_of_most(books)


def test_filters_that_drop_most_of_a_language_together_are_told_and_half_is_not_most() -> None:
    books = Tally({
        ("filter", "de", IN): 10, ("filter", "de", rejected("empty")): 3, ("filter", "de", rejected("mojibake")): 3,
        ("filter", "de", KEPT): 4, ("filter", "fr", IN): 10, ("filter", "fr", rejected("empty")): 5,
        ("filter", "fr", KEPT): 5,
    })  # fmt: skip
    (line,) = drops_of_most(books)
    assert line.startswith("all filters together dropped 6 of 10 German texts (de)")


def test_where_no_alignment_was_learned_the_report_says_so(tmp_path: Path) -> None:
    books = BOOKS + Tally({("translate", "de", KEPT): 19_000, ("translate", "fr", KEPT): 4_321})
    one = replace(facts(tmp_path), books=books, tables={"de": "0" * 16})
    assert re.search(r"^alignment  no table for fr 4,321 texts: a language needs 5,000 pairs", screen_table(one), re.M)
    write_report(one, rejects())
    assert "no table for fr 4,321 texts" in (tmp_path / "REPORT.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["alignment"] == {"de": "0" * 16}
    assert "no table" not in screen_table(replace(one, tables=None))
    assert "no table" not in screen_table(replace(one, tables={"de": "0" * 16, "fr": "1" * 16}))


def test_the_machine_readable_report_holds_the_same(tmp_path: Path) -> None:
    write_report(facts(tmp_path), rejects())
    record = json.loads((tmp_path / "report.json").read_text())
    assert record["build"] == "b" * 16 and record["asked"] == {"captions": 20, "translations": 38}
    assert record["seconds"]["caption"] == 12.34 and record["rejected"]["filter"]["truncated"] == {"de": 3, "fr": 1}
    assert sum(entry["number"] for entry in record["books"]) == sum(BOOKS.values())


def cells_of(row: str) -> list[str]:
    """The cells of a table row as GitHub splits it: at pipes that no backslash escapes."""
    return re.findall(r"\|((?:\\.|[^|\\])*)(?=\|)", row)


def reject_rows(report: str) -> list[str]:
    section = report.split("## Rejects")[1].split("\n## ")[0]
    return section.strip().splitlines()[4:]


@pytest.mark.parametrize(
    "text", ["a | b", "a\nb\r\nc", "\\", "\\|", "a\\\\|b", "| --- |", "\u2028x\x85y\x0bz", "x" * 500, "`|`", "|" * 200]
)
def test_no_text_breaks_the_table(tmp_path: Path, text: str) -> None:
    check_table(tmp_path, text)


@given(st.text(alphabet="\\|\n\r`ab \u2028", max_size=160))
def test_no_text_of_pipes_and_backslashes_breaks_the_table(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    check_table(tmp_path_factory.getbasetemp(), text)


def check_table(out: Path, text: str) -> None:
    reject = Reject(key="0" * 32, step="filter", language="de", reason="truncated", detail=text, text=text, source="a")
    write_report(facts(out), rejects(reject, reject))
    rows = reject_rows((out / "REPORT.md").read_text())
    assert len(rows) == 2
    assert all(len(cells_of(row)) == 5 for row in rows), rows


def test_the_readable_report_names_the_first_rejects_and_how_many_there_are(tmp_path: Path) -> None:
    found = [Reject(step="read", reason="not_an_image", source=f"file-{number:02d}") for number in range(25)]
    write_rejects(rejects_path(str(tmp_path), "b" * 16), found)
    write_report(facts(tmp_path), rejects_of(str(tmp_path), "b" * 16))
    report = (tmp_path / "REPORT.md").read_text()
    assert "## Rejects (25; the first 20)" in report and "file-19" in report and "file-20" not in report
    assert "| fr (held out) | 0 | 13 | 0 | 5 | 5 | 0 |" in report
