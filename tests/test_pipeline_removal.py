"""Opt-outs: an image leaves everything that lies in OUT and stays out, whatever stops the removal in the middle."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from object_stores import way_into
from pipeline_examples import (
    CAPTION_PRINT,
    TRANSLATION_PRINT,
    caption_row,
    jpeg_of,
    key_of,
    published,
    recipe_for,
    text_of,
    translation_row,
    write_ledger,
    write_pictures,
)

from benchmarks.stand_in_stores import StandInStore
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.assemble.books import imbalances
from florenz.pipeline.assemble.build import is_assembled, kept_manifest_path, read_summary
from florenz.pipeline.index import build_index
from florenz.pipeline.listing import listing_of
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.removal import remove
from florenz.pipeline.remove import main
from florenz.pipeline.report import RunFacts, rejects_of, write_report
from florenz.pipeline.tombstones import read_tombstones, tombstones_path
from florenz.reports.judging import add_answers, draw_sheet, read_sheet
from florenz.reports.page import write_page
from florenz.reports.preview import write_preview
from florenz.shards.manifest import read_manifest, read_manifest_file, shard_path
from florenz.shards.plan import HELDOUT
from florenz.shards.reader import iter_members
from florenz.shards.verify import verify
from florenz.stores import files

COUNT = 14
SECRET = "SecretCaption"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Two builds, a copy of a picture, translations that no filter keeps, and all pages."""
    folder = tmp_path_factory.mktemp("removal")
    keys = write_pictures(folder / "pictures", COUNT)
    (folder / "pictures" / "copy.jpg").write_bytes(jpeg_of(0))
    recipe = recipe_for(folder / "out", folder / "pictures", keep_builds=1)
    write_ledger(recipe, keys[1:])
    ledger, styles = Ledger(recipe.out), recipe.captioner.styles
    ledger.append_captions(CAPTION_PRINT, [caption_row(keys[0], 0, style) for style in styles])
    for language in recipe.languages:
        bad = [translation_row(keys[0], 0, language, style, text=SECRET, finish_reason="length") for style in styles]
        ledger.append_translations(language, TRANSLATION_PRINT, bad)
    with pytest.MonkeyPatch.context() as patch:  # pictures of this very moment are noted as known too
        patch.setattr("florenz.images.folders.CLOCK_STEP_S", -1e9)
        published(recipe)
        manifest = published(replace(recipe, seed=1))
    books = read_summary(recipe.out, manifest.build).books
    facts = RunFacts(
        out=recipe.out, manifest=manifest, books=books, asked={"captions": 1}, seconds={"read": 1.0}, next_command="x"
    )
    write_report(facts, rejects_of(recipe.out, manifest.build))
    write_page(recipe.out)
    for key in keys[:3]:
        write_preview(recipe.out, key)
    sheet = read_sheet(recipe.out, draw_sheet(recipe.out, number=60, language="de"))
    add_answers(recipe.out, {"sample": sheet.name, "answers": {item.item: "right" for item in sheet.items}})
    return replace(recipe, seed=1)


@pytest.fixture
def recipe(world: Recipe, tmp_path: Path) -> Recipe:
    shutil.copytree(world.out, tmp_path / "out")
    return replace(world, out=str(tmp_path / "out"))


def chosen(recipe: Recipe) -> list[str]:
    """The image with a reject and a copy, one of val, and all images of one shard of train."""
    manifest = read_manifest(recipe.out)
    val, train = manifest.shards_of("val")[0], manifest.shards_of("train")[-1]
    of_val = [key for key, _ in iter_members(shard_path(recipe.out, manifest.build, val.path))][0]
    of_train = [key for key, _ in iter_members(shard_path(recipe.out, manifest.build, train.path))]
    return sorted({key_of(jpeg_of(0)), of_val, *of_train})


def tree(out: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(Path(out).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def mentions(out: str, keys: list[str]) -> list[str]:
    """Files in which one of these keys stands, the tables' cells included."""
    found = []
    for name, content in tree(out).items():
        if name.endswith(".parquet"):
            content = repr(pq.read_table(Path(out, name)).to_pylist()).encode()
        if any(key.encode() in content or key in name for key in keys):
            found.append(name)
    return found


def test_nothing_in_out_speaks_of_a_removed_image_and_all_else_is_as_it_was(recipe: Recipe) -> None:
    keys, before = chosen(recipe), tree(recipe.out)
    manifest = read_manifest(recipe.out)
    assert set(mentions(recipe.out, keys)) >= {"report.html"}
    assert {Path(name).parent.name for name in mentions(recipe.out, keys)} >= {"images", "found"}
    assert SECRET.encode() in before["REPORT.md"]
    done = remove(recipe.out, keys)
    assert mentions(recipe.out, keys) == ["ledger/removed.txt"]
    assert SECRET.encode() not in b"".join(tree(recipe.out).values())
    assert done.images == 2 * len(keys) and done.rejects and done.answers and done.listed == len(keys) + 1
    assert verify(recipe.out).problems == ()

    after = read_manifest(recipe.out)
    assert after.build == manifest.build and is_assembled(recipe.out, after.build)
    touched = {shard.path for shard in manifest.shards} - {
        shard.path for shard in after.shards if shard in manifest.shards
    }
    assert touched and len(touched) < len(manifest.shards), "only shards that hold one are written anew"
    for shard in manifest.shards:
        name = str(Path(shard_path(recipe.out, manifest.build, shard.path)).relative_to(recipe.out))
        kept = [pair for pair in samples_in(before[name]) if pair[0].removesuffix("-heldout") not in keys]
        assert samples_in(tree(recipe.out).get(name, b"")) == kept, "what stays keeps its bytes"
        assert (tree(recipe.out).get(name) == before[name]) == (shard.path not in touched)
    assert manifest.shards_of("train")[-1].path not in {shard.path for shard in after.shards_of("train")}


def samples_in(tar: bytes) -> list[tuple[str, dict[str, bytes]]]:
    if not tar:
        return []
    with files.atomic_write("memory://removal.tar") as file:
        file.write(tar)
    return list(iter_members("memory://removal.tar"))


def test_the_books_say_what_was_removed_and_balance(recipe: Recipe) -> None:
    keys, build = chosen(recipe), read_manifest(recipe.out).build
    before = read_summary(recipe.out, build).books
    remove(recipe.out, keys)
    after = read_summary(recipe.out, build).books
    assert not imbalances(after) and after["write", "", "rejected:removed"] == len(keys)
    assert before["write", "", "kept"] - after["write", "", "kept"] == len(keys)
    assert read_manifest(recipe.out).rejected["write"]["removed"] == {"": len(keys)}
    assert "removed" in Path(recipe.out, "REPORT.md").read_text()


def test_a_kept_build_is_cleaned_too_and_can_still_be_gone_back_to(recipe: Recipe) -> None:
    keys, current = chosen(recipe), read_manifest(recipe.out).build
    (kept,) = [path.name.split(".")[0] for path in Path(recipe.out, "builds").glob("*.manifest.json")]
    remove(recipe.out, keys)
    assert kept != current and read_manifest_file(kept_manifest_path(recipe.out, kept)).build == kept
    shutil.copy(kept_manifest_path(recipe.out, kept), Path(recipe.out, "manifest.json"))
    assert verify(recipe.out).problems == ()


def test_a_removed_image_does_not_come_back(recipe: Recipe) -> None:
    keys = chosen(recipe)
    remove(recipe.out, keys)
    again = published(recipe)  # its picture still lies in IMAGES
    assert mentions(recipe.out, keys) == ["ledger/removed.txt"]
    assert sum(shard.samples for shard in again.shards if shard.split != HELDOUT) == COUNT - len(keys)
    write_ledger(recipe, keys)  # answers for them, from anywhere
    (Path(recipe.images.source) / "again.jpg").write_bytes(jpeg_of(0))
    try:
        assert not set(build_index(recipe, listing_of(recipe), None).images) & set(keys)
    finally:
        (Path(recipe.images.source) / "again.jpg").unlink()


@pytest.mark.parametrize("left", ["assembling/bbbb/3.texts", "ledger/packs/a0a0a0a0a0a0"])
def test_what_a_graph_that_was_cut_off_has_left_goes_too(recipe: Recipe, left: str) -> None:
    path = Path(recipe.out, left)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chosen(recipe)[0])
    remove(recipe.out, chosen(recipe))
    assert not path.exists() and not Path(recipe.out, "assembling").exists()


def test_an_index_that_was_just_being_made_is_cleaned_too(recipe: Recipe) -> None:
    """A run that was killed between two parts: nothing says yet which there are."""
    keys = chosen(recipe)
    Path(recipe.out, "ledger", "images", "parts.json").unlink()
    assert any(name.startswith("ledger/images/") for name in mentions(recipe.out, keys))
    remove(recipe.out, keys)
    assert mentions(recipe.out, keys) == ["ledger/removed.txt"]


def test_a_tombstone_alone_keeps_an_image_out(recipe: Recipe) -> None:
    """A removal that was killed at once: what the next run reads still holds the image."""
    key = chosen(recipe)[0]
    Path(tombstones_path(recipe.out)).write_text(f"{key}\n")
    assert key not in build_index(recipe, listing_of(recipe), None).images


class Killed(BaseException):
    """As a kill is: nobody catches it."""


@pytest.fixture
def kill_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int | None], list[int]]]:
    """Arms a kill before the n-th write or removal of a file; the list counts them."""
    real = {"atomic_write": files.atomic_write, "remove": files.remove}

    def arm(at: int | None) -> list[int]:
        done: list[int] = []

        def counted(name: str) -> Any:
            def call(path: str) -> Any:
                if len(done) == at:
                    raise Killed
                done.append(1)
                return real[name](path)

            return call

        for name in real:
            monkeypatch.setattr(files, name, counted(name))
        return done

    yield arm


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_anywhere_the_same_command_ends_with_the_same_bytes(
    recipe: Recipe, tmp_path: Path, kill_before: Callable[[int | None], list[int]], every: int
) -> None:
    keys = chosen(recipe)
    out, pristine = Path(recipe.out), tmp_path / "pristine"  # in one place each time: the report names it
    shutil.copytree(out, pristine)
    done = kill_before(None)
    remove(str(out), keys)
    expected, num_steps = tree(str(out)), len(done)
    assert num_steps > 20
    for at in range(every - 1, num_steps, every):
        shutil.rmtree(out)
        shutil.copytree(pristine, out)
        kill_before(at)
        with pytest.raises(Killed):
            remove(str(out), keys)
        kill_before(None)
        remove(str(out), keys)
        found = tree(str(out))
        assert found.keys() == expected.keys(), at
        assert [name for name in found if found[name] != expected[name]] == [], at


def test_removing_again_changes_nothing(recipe: Recipe) -> None:
    keys = chosen(recipe)
    remove(recipe.out, keys)
    before = tree(recipe.out)
    done = remove(recipe.out, keys)
    assert (done.images, done.shards, done.rejects, done.answers) == (0, 0, 0, 0)
    assert tree(recipe.out) == before


def test_the_command_says_what_went(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = chosen(recipe)[0]
    (tmp_path / "keys").write_text(f"# asked by mail\n\n{key.upper()}-heldout  # number 7\n{'0' * 32}\n")
    assert main([recipe.out, f"KEYS={tmp_path / 'keys'}"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("removed    2 images from") and "exports and copies" in said
    assert read_tombstones(recipe.out) == {key, "0" * 32}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names no image"),
        ("# nothing\n", "names no image"),
        ("zebra\n", "line 1: 'zebra' is no key"),
        ("a" * 31, "is no key"),
        ("../../etc/passwd", "is no key"),
    ],
)
def test_bad_keys_are_one_line_and_nothing_is_done(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    before = tree(recipe.out)
    (tmp_path / "keys").write_text(content)
    assert main([recipe.out, f"KEYS={tmp_path / 'keys'}"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and tree(recipe.out) == before


def test_an_address_names_the_images_that_came_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By what sidecars say now, and by the index of a build whose sidecars have changed since."""
    urls = ["https://a.example/#1", "https://a.example/#2", "https://b.example/", "https://a.example/#1"]
    keys = write_pictures(tmp_path / "pictures", 5)
    for number, url in enumerate(urls):
        (tmp_path / "pictures" / f"{number:03d}.json").write_text(json.dumps({"url": url}))
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    write_ledger(recipe, keys)
    published(recipe)
    (tmp_path / "keys").write_text(f"https://a.example/#1  # asked by mail\n{keys[4]}\nhttps://c.example/\n")
    assert main([recipe.out, f"KEYS={tmp_path / 'keys'}"]) == 0
    said = capsys.readouterr().out
    assert read_tombstones(recipe.out) == {keys[0], keys[3], keys[4]} and said.startswith("removed    3 images")
    assert "unknown    1 of 2 addresses, like https://c.example/" in said and verify(recipe.out).problems == ()

    (tmp_path / "keys").write_text("https://b.example/")
    shutil.rmtree(Path(recipe.out, "ledger", "images"))
    assert main([recipe.out, f"KEYS={tmp_path / 'keys'}"]) == 0
    assert keys[2] in read_tombstones(recipe.out) and mentions(recipe.out, [keys[2]]) == ["ledger/removed.txt"]

    before = tree(recipe.out)
    assert main([recipe.out, f"KEYS={tmp_path / 'keys'}"]) == 2, "nothing is left that came from there"
    assert "no image of" in capsys.readouterr().err and tree(recipe.out) == before


def test_in_a_store_a_removal_leaves_what_it_leaves_on_a_disk(recipe: Recipe, object_store: StandInStore) -> None:
    keys, way = chosen(recipe), way_into(object_store)
    out = f"{object_store.bucket}/{uuid.uuid4().hex}"
    for name, content in tree(recipe.out).items():
        way.put(f"{out}/{name}", content)
    in_store, on_disk = remove(out, keys), remove(recipe.out, keys)
    assert in_store == on_disk and verify(out).problems == ()
    found = {name: way.get(f"{out}/{name}") or b"" for name in way.names(out) if not name.startswith(".")}
    expected = tree(recipe.out)
    assert found.keys() == expected.keys()
    as_on_disk = {name: content.replace(out.encode(), recipe.out.encode()) for name, content in found.items()}
    assert [name for name in expected if as_on_disk[name] != expected[name]] == []
    assert remove(out, keys).images == 0, "again, and nothing is left to do"


@pytest.mark.parametrize("words", [["KEYS=missing"], []])
def test_a_missing_file_is_one_line(recipe: Recipe, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([recipe.out, *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_dataset_and_a_damaged_tombstone_are_one_line(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").write_text("0" * 32)
    assert main([str(tmp_path / "none"), f"KEYS={tmp_path / 'keys'}"]) == 2
    assert "manifest.json does not exist" in capsys.readouterr().err
    Path(tombstones_path(recipe.out)).write_text("nonsense\n")
    assert main([recipe.out, f"KEYS={tmp_path / 'keys'}"]) == 1
    assert "is damaged" in capsys.readouterr().err
    with pytest.raises(ValueError, match="is damaged"):
        build_index(recipe, listing_of(recipe), None)


def test_the_german_text_of_another_image_stays(recipe: Recipe) -> None:
    remove(recipe.out, chosen(recipe))
    assert any(text_of(number, "de") in Path(recipe.out, "report.html").read_text() for number in range(4))
