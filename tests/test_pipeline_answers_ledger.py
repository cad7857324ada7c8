"""The ledger keeps every answer, through retries, damage, merging, and being killed in the middle of it."""

import hashlib
import json
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.answers import ledger as ledger_module
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.parts import part_range
from florenz.recipes.fingerprints import fingerprint
from florenz.stores import files
from florenz.stores.models import fingerprint_of_model


def caption(key: str, text: str | None = "A bat.", style: str = "short", **more: str) -> CaptionRow:
    return CaptionRow(key=key, style=style, text=text, **({"reason": "too_many_pixels"} if text is None else {}) | more)


def translation(key: str, text: str | None = "Eine Fledermaus.", source_text: str = "A bat.") -> TranslationRow:
    return TranslationRow(
        key=key,
        style="short",
        language="de",
        source_text=source_text,
        text=text,
        finish_reason="stop",
        reason="refused" if text is None else "",
    )


def parts(out: Path | str) -> list[str]:
    return [path for path in files.list_files(files.join(str(out), "ledger")) if "/damaged/" not in path]


@pytest.fixture(params=["local", "memory"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}"


def test_answers_come_back_as_they_went_in(out: str) -> None:
    ledger = Ledger(out)
    rows = [caption("a", finish_reason="stop"), caption("a", style="detailed"), caption("b", None, detail="101 MP")]
    ledger.append_captions("f1", rows)
    ledger.append_translations("de", "f2", [translation("a"), translation("b", None)])
    assert ledger.read_captions("f1") == {(row.key, row.style): row for row in rows}
    assert set(ledger.read_translations("de", "f2").values()) == {translation("a"), translation("b", None)}
    assert ledger.damaged == []


def test_nothing_asked_yet_is_an_empty_ledger(out: str) -> None:
    ledger = Ledger(out)
    assert ledger.read_captions("f1") == {} and ledger.read_translations("de", "f1") == {}
    assert ledger.append_captions("f1", []) == [] and ledger.compact() == 0
    assert ledger.forget_captions("f1", lambda row: True) == 0
    assert files.list_files(out) == []


def test_answers_of_other_fingerprints_and_languages_stay_apart(out: str) -> None:
    ledger = Ledger(out)
    ledger.append_captions("f1", [caption("a")])
    ledger.append_translations("de", "f1", [translation("a")])
    assert ledger.read_captions("f2") == {}
    assert ledger.read_translations("fr", "f1") == {} and ledger.read_translations("de", "f2") == {}


def test_a_retried_batch_lands_on_the_same_part_whatever_its_order(out: str) -> None:
    ledger = Ledger(out)
    rows = [caption("a"), caption("b"), caption("c", None)]
    assert ledger.append_captions("f1", rows) == ledger.append_captions("f1", rows[::-1])
    assert len(parts(out)) == 1


def test_parts_lie_where_the_design_says_and_any_parquet_reader_opens_them(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_translations("de", "f2", [translation("b"), translation("a", None)])
    (path,) = tmp_path.rglob("*.parquet")
    assert path.parent == tmp_path / "ledger" / "translations" / "de" / "f2"
    assert path.name == f"part-{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}.parquet"
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"
    assert pq.ParquetFile(path).read().column_names == [
        "key",
        "style",
        "language",
        "source_text",
        "text",
        "finish_reason",
        "reason",
        "detail",
    ]
    assert pq.ParquetFile(path).read()["text"].to_pylist() == [None, "Eine Fledermaus."]


@given(st.permutations([caption("a", "B"), caption("a", "A"), caption("a", None, reason="busy"), caption("b", None)]))
def test_of_several_answers_the_same_one_wins_in_any_order(rows: list[CaptionRow]) -> None:
    ledger = Ledger(f"memory://{uuid4().hex}")
    for row in rows:
        ledger.append_captions("f1", [row])
    assert ledger.read_captions("f1") == {("a", "short"): caption("a", "A"), ("b", "short"): caption("b", None)}


def test_a_new_captioners_text_does_not_get_the_old_ones_translation(out: str) -> None:
    ledger = Ledger(out)
    old, new = translation("a", "Alt.", source_text="Old."), translation("a", "Neu.", source_text="New.")
    ledger.append_translations("de", "f2", [old, new])
    assert ledger.read_translations("de", "f2") == {("a", "short", "Old."): old, ("a", "short", "New."): new}


def test_a_row_holds_a_text_or_a_reason_never_both_or_neither() -> None:
    with pytest.raises(ValueError, match="a text or a reason"):
        CaptionRow(key="a", style="short", text=None)
    with pytest.raises(ValueError, match="a text or a reason"):
        CaptionRow(key="a", style="short", text="A bat.", reason="empty")
    assert CaptionRow(key="a", style="short", text="").text == ""  # an answer, if an empty one: the filters judge it


def test_a_row_in_another_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows in de were handed to the ledger of fr"):
        Ledger(str(tmp_path)).append_translations("fr", "f2", [translation("a")])
    assert parts(tmp_path) == []


def test_half_an_emoji_costs_one_character_not_the_batch(out: str) -> None:
    ledger = Ledger(out)
    ledger.append_captions("f1", [caption("a", "A bat \ud83e"), caption("b", "Ein Bär 🐻")])
    assert [row.text for row in ledger.read_captions("f1").values()] == ["A bat ?", "Ein Bär 🐻"]


def damage_by_truncation(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damage_by_one_bit(content: bytes) -> bytes:
    middle = content.index(b"PAR1") + 30
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def damage_by_emptying(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [damage_by_truncation, damage_by_one_bit, damage_by_emptying])
def test_a_damaged_part_is_set_aside_and_the_others_are_read(out: str, damage) -> None:  # noqa: ANN001
    ledger = Ledger(out)
    (bad,) = ledger.append_captions("f1", [caption("a")])
    ledger.append_captions("f1", [caption("b")])
    broken = damage(files.read_bytes(bad))
    with files.atomic_write(bad) as file:
        file.write(broken)

    assert list(ledger.read_captions("f1")) == [("b", "short")]
    (message,) = ledger.damaged
    assert bad in message and "asked again" in message
    aside = files.join(out, "ledger", "damaged", "captions", "f1", bad.rpartition("/")[2])
    assert files.read_bytes(aside) == broken and not files.exists(bad)

    again = Ledger(out)
    assert again.append_captions("f1", [caption("a")]) == [bad]
    assert len(again.read_captions("f1")) == 2 and again.damaged == []


def test_a_sound_file_under_another_parts_name_is_set_aside(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    (path,) = ledger.append_captions("f1", [caption("a")])
    (other,) = ledger.append_captions("f2", [caption("a", "A text that the model never gave.")])
    Path(path).write_bytes(Path(other).read_bytes())
    assert ledger.read_captions("f1") == {} and "do not fit the hash" in ledger.damaged[0]


@pytest.mark.parametrize("content", [b"not parquet", b""])
def test_a_whole_file_that_is_no_part_is_set_aside(tmp_path: Path, content: bytes) -> None:
    name = f"part-{hashlib.sha256(content).hexdigest()[:32]}.parquet"
    folder = tmp_path / "ledger" / "captions" / "f1"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    ledger = Ledger(str(tmp_path))
    assert ledger.read_captions("f1") == {}
    assert "not a readable Parquet file" in ledger.damaged[0]


def test_a_part_with_other_columns_is_set_aside(tmp_path: Path) -> None:
    folder = tmp_path / "ledger" / "captions" / "f1"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"key": ["a"], "caption": ["A bat."]}), folder / "x.parquet")
    content = (folder / "x.parquet").read_bytes()
    (folder / "x.parquet").rename(folder / f"part-{hashlib.sha256(content).hexdigest()[:32]}.parquet")
    ledger = Ledger(str(tmp_path))
    assert ledger.read_captions("f1") == {}
    assert "its columns are ['key', 'caption']" in ledger.damaged[0]


def test_files_that_are_no_parts_are_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append_captions("f1", [caption("a")])
    note = tmp_path / "ledger" / "captions" / "f1" / "NOTE.txt"
    note.write_text("mine")
    assert len(ledger.read_captions("f1")) == 1 and ledger.compact(max_parts=0) == 1
    assert note.read_text() == "mine" and ledger.damaged == []


def fill(ledger: Ledger) -> None:
    for number in range(6):
        ledger.append_captions("f1", [caption(f"{number}"), caption("same", f"A bat {number}."), caption("no", None)])
        ledger.append_translations("de", "f2", [translation(f"{number}")])


def test_compaction_leaves_one_part_with_the_same_answers(out: str) -> None:
    ledger = Ledger(out)
    fill(ledger)
    captions, translations = ledger.read_captions("f1"), ledger.read_translations("de", "f2")
    assert ledger.compact(max_parts=5) == 2
    assert len(parts(out)) == 2
    assert ledger.read_captions("f1") == captions and ledger.read_translations("de", "f2") == translations
    assert ledger.compact(max_parts=1) == 0


def test_few_parts_are_left_as_they_are(out: str) -> None:
    ledger = Ledger(out)
    fill(ledger)
    before = parts(out)
    assert ledger.compact(max_parts=6) == 0 and parts(out) == before


def test_the_same_answers_compact_to_the_same_bytes(tmp_path: Path) -> None:
    rows = [caption(f"{number}") for number in range(8)]
    names = set()
    for run, size in enumerate((1, 3, 5)):
        ledger = Ledger(str(tmp_path / f"{run}"))
        for start in range(0, len(rows), size):
            ledger.append_captions("f1", rows[::-1][start : start + size])
        ledger.compact(max_parts=1)
        (part,) = parts(tmp_path / f"{run}")
        names.add(part.rpartition("/")[2])
    assert len(names) == 1


class Killed(BaseException):
    pass


def test_killed_between_the_new_part_and_the_old_nothing_is_lost(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(out)
    fill(ledger)
    before, old_parts = ledger.read_captions("f1"), parts(out)

    def die(path: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", die)
        with pytest.raises(Killed):
            ledger.compact(max_parts=1)
    assert set(old_parts) < set(parts(out))
    assert ledger.read_captions("f1") == before

    ledger.compact(max_parts=1)
    assert len(parts(out)) == 2 and ledger.read_captions("f1") == before


def test_compacting_a_single_part_again_does_not_remove_it(out: str) -> None:
    ledger = Ledger(out)
    ledger.append_captions("f1", [caption("a")])
    assert ledger.compact(max_parts=0) == 1
    assert ledger.read_captions("f1") == {("a", "short"): caption("a")}


def test_a_read_survives_that_another_run_compacts(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(out)
    fill(ledger)
    before = ledger.read_captions("f1")
    list_parts = ledger_module._list_parts

    def list_then_compact(folder: str) -> list[str]:
        monkeypatch.setattr(ledger_module, "_list_parts", list_parts)
        listed = list_parts(folder)
        Ledger(out).compact(max_parts=1)
        return listed

    monkeypatch.setattr(ledger_module, "_list_parts", list_then_compact)
    assert ledger.read_captions("f1") == before


def test_compaction_leaves_a_folder_to_the_run_that_is_at_it(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(out)
    fill(ledger)
    list_parts = ledger_module._list_parts
    monkeypatch.setattr(
        ledger_module,
        "_list_parts",
        lambda folder: [*list_parts(folder), files.join(folder, "f1", "part-gone.parquet")],
    )
    before = parts(out)
    assert ledger.compact(max_parts=6) == 0
    assert parts(out) == before


def of_key(first: str) -> CaptionRow:
    return caption(first.ljust(32, "0"))


def test_a_range_is_read_from_parts_of_wider_and_of_narrower_ranges(out: str) -> None:
    rows = [of_key(first) for first in ("3f", "3f7", "3a", "b0")]
    for digits, row in zip((0, 1, 2, 3), rows, strict=True):
        Ledger(out, digits).append_captions("f1", [row])
    read = {
        within: [key.rstrip("0") for key, _ in Ledger(out).read_captions("f1", within)]
        for within in ("", "3", "3f", "3f7", "c")
    }
    assert read == {
        "": ["3a", "3f", "3f7", "b"],
        "3": ["3a", "3f", "3f7"],
        "3f": ["3f", "3f7"],
        "3f7": ["3f7"],
        "c": [],
    }


def test_a_worker_reads_the_parts_of_its_range_and_no_others(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger(out, 2).append_captions("f1", [of_key(first) for first in ("3f", "3a", "b0")])
    seen: list[str] = []
    read = files.read_bytes
    monkeypatch.setattr(files, "read_bytes", lambda path: seen.append(path) or read(path))
    assert len(Ledger(out).read_captions("f1", "3f")) == 1
    assert [part_range(path) for path in seen] == ["3f"]


def test_one_part_of_all_keys_becomes_a_part_for_each_range_with_the_same_answers(out: str) -> None:
    rows = [of_key(f"{number:02x}") for number in range(256)]
    Ledger(out).append_captions("f1", rows)
    before, ledger = Ledger(out).read_captions("f1"), Ledger(out, 1)
    assert ledger.compact() == 1 and ledger.compact() == 0
    assert sorted(map(part_range, parts(out))) == list("0123456789abcdef")
    assert Ledger(out).read_captions("f1") == before
    Ledger(out, 1).append_captions("f1", rows)
    assert len(parts(out)) == 16, "the same answers, the same parts"


def test_a_ledger_of_all_keys_is_split_a_few_parts_at_a_time(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "WIDE_PARTS", 3)
    for first in "0123456789":
        Ledger(out).append_captions("f1", [of_key(first), of_key(first + "f")])
    before, ledger = Ledger(out).read_captions("f1"), Ledger(out, 1)
    assert [len(some) for some in ledger.scattered()] == [3, 3, 3, 1]
    assert ledger.compact() == 4 and ledger.scattered() == [] and Ledger(out).read_captions("f1") == before


def test_what_is_left_of_a_range_stays_in_its_range(out: str) -> None:
    """A ledger that forgets does not know how wide the ranges of the next run are."""
    Ledger(out, 2).append_captions("f1", [of_key(first) for first in ("3f0", "3f1", "b0")])
    assert Ledger(out).forget_images([of_key("3f0").key]) == 1
    assert Ledger(out).forget_captions("f1", lambda row: row.key == of_key("b0").key) == 1
    assert sorted(map(part_range, parts(out))) == ["3f"] and len(Ledger(out).read_captions("f1", "3f")) == 1


def test_forgetting_drops_what_it_is_told_and_nothing_else(out: str) -> None:
    ledger = Ledger(out)
    ledger.append_captions("f1", [caption("a"), caption("b", None), caption("c", None, reason="refused")])
    ledger.append_captions("f1", [caption("d", None)])
    ledger.append_captions("f3", [caption("b", None)])
    ledger.append_translations("de", "f2", [translation("a"), translation("b", None)])
    assert ledger.forget_captions("f1", lambda row: row.reason == "too_many_pixels") == 2
    assert [key for key, _ in ledger.read_captions("f1")] == ["a", "c"]
    assert ledger.forget_captions("f1", lambda row: bool(row.reason)) == 1
    assert [key for key, _ in ledger.read_captions("f1")] == ["a"]
    assert ledger.forget_translations("de", "f2", lambda row: row.key == "a") == 1
    assert [key for key, *_ in ledger.read_translations("de", "f2")] == ["b"]
    assert ledger.forget_captions("f1", lambda row: bool(row.reason)) == 0
    assert [key for key, _ in ledger.read_captions("f3")] == ["b"]


def test_a_forgetting_that_is_cut_off_has_lost_no_text(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(out)
    ledger.append_captions("f1", [caption("a"), caption("b", None)])

    def full(path: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "remove", full)
    with pytest.raises(OSError, match="No space"):
        ledger.forget_captions("f1", lambda row: bool(row.reason))
    assert ("a", "short") in ledger.read_captions("f1")


def test_a_fingerprint_stands_for_the_settings_not_for_their_order() -> None:
    settings = {"model": "m", "sampling": {"temperature": 0.0, "max_tokens": 96}, "stop": ["\n"]}
    assert fingerprint(settings) == fingerprint(dict(reversed(settings.items())))
    assert fingerprint(settings) != fingerprint({**settings, "model": "n"})
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()
    assert fingerprint(settings) == hashlib.sha256(canonical).hexdigest()[:16]
    with pytest.raises(ValueError):
        fingerprint({"temperature": float("nan")})


def make_model(folder: Path, weights: bytes = b"weights") -> str:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{}")
    return str(folder)


def test_a_local_model_is_its_files_not_its_place(tmp_path: Path) -> None:
    here, there = make_model(tmp_path / "here"), make_model(tmp_path / "there")
    assert fingerprint_of_model(here) == fingerprint_of_model(there + "/")
    assert fingerprint_of_model(here) != fingerprint_of_model(make_model(tmp_path / "other", b"Weights"))
    before = fingerprint_of_model(there)
    (tmp_path / "there" / ".cache").mkdir()
    (tmp_path / "there" / ".cache" / "model.metadata").write_text("downloaded today")
    assert fingerprint_of_model(there) == before
    (tmp_path / "there" / "config.json").rename(tmp_path / "there" / "generation_config.json")
    assert fingerprint_of_model(there) != before


def test_a_hub_model_is_its_name_and_revision() -> None:
    assert fingerprint_of_model("org/name-9B", "abc123") == "org/name-9B@abc123"
    assert fingerprint_of_model("org/name") == "org/name@main"


@pytest.mark.parametrize("model", ["", "a/b/captioner", "./model", "/nowhere/model", "memory://nowhere", "a b/c"])
def test_a_model_that_is_neither_folder_nor_hub_name_is_refused(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="neither a folder with files in it nor a hub name|can't fetch a model from"):
        fingerprint_of_model(model)


def test_a_hundred_thousand_answers_keep_their_count_and_winners(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    rows = [caption(f"{number:032x}", f"A bat {number}.") for number in range(100_000)]
    for start in range(0, len(rows), 10_000):
        ledger.append_captions("f1", rows[start : start + 10_000])
    assert list(ledger.read_captions("f1").values()) == rows
