"""Exports: every chosen text, proved from the bytes, resumable, and nothing that is withheld unless it is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from shards_dataset import FRENCH, GERMAN, shard_file, write_dataset

from florenz.exports.__main__ import main
from florenz.exports.formats.contract import format_names, load_format
from florenz.exports.run import DONE, ExportError, export
from florenz.exports.selection import SelectionError, read_selection
from florenz.shards.manifest import Manifest, read_manifest

FORMATS = format_names()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_dataset(str(tmp_path / "out"))
    return tmp_path / "out"


def run(out: Path, name: str, to: Path, **typed: str) -> Manifest:
    manifest = read_manifest(str(out))
    kind = load_format(name)
    selection = read_selection(typed, manifest, one_task=kind.TASKS == "one task")
    export(str(out), manifest, str(to), name, kind, selection)
    return manifest


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def texts_in(to: Path, name: str) -> list[str]:
    record = json.loads((to / DONE).read_text())
    from florenz.exports.formats.contract import Piece

    return [text for one in record["pieces"] for text in load_format(name).texts(str(to), Piece(**one["piece"]))]


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_holds_the_chosen_texts_and_no_other(out: Path, tmp_path: Path, name: str) -> None:
    manifest = run(out, name, tmp_path / "to", TASK="caption", LANGS="de")
    counted = sum(manifest.counts[split]["caption"]["de"] for split in ("train", "val"))
    assert texts_in(tmp_path / "to", name) == [GERMAN] * counted and counted == 12


@pytest.mark.parametrize("name", FORMATS)
def test_by_default_nothing_withheld_is_exported_and_alone_it_is(out: Path, tmp_path: Path, name: str) -> None:
    run(out, name, tmp_path / "default", TASK="caption")
    assert FRENCH not in texts_in(tmp_path / "default", name)
    assert not any("heldout" in path for path in bytes_below(tmp_path / "default"))
    run(out, name, tmp_path / "withheld", SPLITS="heldout", TASK="caption")
    assert set(texts_in(tmp_path / "withheld", name)) == {FRENCH}
    with pytest.raises(SelectionError, match="export it alone"):
        run(out, name, tmp_path / "both", SPLITS="heldout,val")


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_that_was_cut_off_ends_with_the_same_bytes(
    out: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(out, name, tmp_path / "whole")
    kind = load_format(name)
    write, done = kind.write, []

    def third_fails(*words: object) -> object:
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        done.append(words)
        return write(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "write", third_fails)
    with pytest.raises(OSError, match="No space"):
        run(out, name, tmp_path / "cut")
    assert not (tmp_path / "cut" / DONE).exists()
    monkeypatch.setattr(kind, "write", lambda *words: done.append(words) or write(*words))
    run(out, name, tmp_path / "cut")
    assert len(done) == len(read_manifest(str(out)).shards) - 1, "two were kept, heldout is not exported"
    assert bytes_below(tmp_path / "cut") == bytes_below(tmp_path / "whole")


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_found_when_the_export_is_read_back(out: Path, tmp_path: Path, name: str) -> None:
    run(out, name, tmp_path / "to", TASK="caption")
    piece = json.loads((tmp_path / "to" / DONE).read_text())["pieces"][0]["piece"]
    path = tmp_path / "to" / piece["files"][0]
    content = path.read_bytes()
    assert GERMAN.encode() in content
    path.write_bytes(content.replace(GERMAN.encode(), GERMAN.upper().encode(), 1))
    with pytest.raises(ExportError, match="holds other texts than its shard"):
        run(out, name, tmp_path / "to", TASK="caption")


def test_another_export_is_never_mixed_in(out: Path, tmp_path: Path) -> None:
    run(out, "webdataset", tmp_path / "to", LANGS="de")
    with pytest.raises(ExportError, match=r"holds another export \(languages\)"):
        run(out, "webdataset", tmp_path / "to", LANGS="en")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds other files"):
        run(out, "mds", tmp_path / "full")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["FORMAT=mdss"], "FORMAT is 'mdss': choose one of conversation, energon, mds, webdataset"),
        (["FORMAT=mds", "LANGS=dee"], "LANGS: 'dee' is not in this build: did you mean 'de'?"),
        (["FORMAT=webdataset", "TASK=caption", "LANGS=fr"], "nothing is chosen: no caption in fr (captions in fr are"),
        (["FORMAT=webdataset", "TASK=caption,translation"], "TASK: this format holds one text a sample"),
        (["FORMAT=mds", "TOO=x"], "unknown variable TOO: did you mean 'TO'?"),
        (["FORMAT=mds", "TO={out}/export"], "inside OUT"),
        (["FORMAT=mds", "TO={out}/../{out.name}/export"], "inside OUT"),
    ],
)
def test_bad_input_is_one_line(out: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = bytes_below(out.parent)
    assert main([str(out), *(word.format(out=out) for word in words)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert bytes_below(out.parent) == before


def test_a_style_that_no_text_has_is_refused_and_leads_nowhere_else(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(out), "FORMAT=mds", "STYLES=../../shrot"]) == 2
    assert "no text of the style ../../shrot" in capsys.readouterr().err
    assert [path.name for path in out.parent.iterdir() if path != out] == ["out-mds--shrot"]


def test_the_command_says_what_it_did_and_where(out: Path) -> None:
    command = [sys.executable, "-m", "florenz.exports", str(out), "FORMAT=webdataset", "TASK=translation", "LANGS=fr"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "exported   12 samples with 12 texts" in done.stdout
    assert Path(f"{out}-webdataset-translation-fr", "train-000000.tar").is_file()


def test_a_damaged_shard_stops_the_export(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shard_file(out, "train-000001.tar")
    path.write_bytes(path.read_bytes()[:5000])
    assert main([str(out), "FORMAT=mds"]) == 1
    assert "make verify" in capsys.readouterr().err
