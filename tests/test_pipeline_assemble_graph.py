"""Real Beam over a hand-written ledger and small pictures: the same bytes whoever does the work, and nothing lost."""

import hashlib
import io
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import webdataset
from PIL import Image
from pipeline_examples import (
    CAPTION_PRINT,
    TRANSLATION_PRINT,
    answers_for,
    assemble,
    bytes_of,
    caption_row,
    jpeg_of,
    key_of,
    makers_for,
    name_of,
    number_of,
    published,
    recipe_for,
    samples_of,
    text_of,
    translation_row,
    write_ledger,
    write_pictures,
)

from florenz.pipeline import index as index_module
from florenz.pipeline import packing
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.assemble import build as build_module
from florenz.pipeline.assemble import graph as graph_module
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.alignment import pairs_of
from florenz.pipeline.assemble.books import KEPT, BooksError, imbalances, total
from florenz.pipeline.assemble.build import EmptyBuild, assembly_of, publish, read_summary
from florenz.pipeline.assemble.graph import rejects_path, run_assembly, summary_path
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.assemble.texts import Place
from florenz.pipeline.index import build_index
from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.listing import listing_of
from florenz.pipeline.packing import pack
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import Running
from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.reader import iter_samples
from florenz.shards.verify import verify

NUM_PICTURES = 14


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_source(tmp_path / "pictures")


def write_source(folder: Path) -> Path:
    """Fourteen pictures, one of them there twice, and a file that is no image."""
    write_pictures(folder, NUM_PICTURES)
    (folder / "copy.jpg").write_bytes(jpeg_of(3))
    (folder / "notes.md").write_text("no image")
    return folder


KEYS = [key_of(jpeg_of(number)) for number in range(NUM_PICTURES)]


@pytest.mark.slow
def test_workers_order_and_parts_do_not_change_a_byte(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = list(KEYS)
    outs = []
    for name, workers, rows_per_part in (("one", 1, 1000), ("two", 2, 5), ("again", 1, 3), ("spread", 1, 5)):
        out = tmp_path / name
        recipe = recipe_for(out, pictures, workers=workers)
        if name == "spread":
            monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
            monkeypatch.setattr(index_module, "BYTES_FOR_A_PROCESS", 1)
            monkeypatch.setattr(graph_module, "IMAGES_FOR_A_PROCESS", 1)
        random.Random(name).shuffle(keys)
        write_ledger(recipe, keys, rows_per_part)
        published(recipe, LearnedAhead(lambda language: None))  # which lies in this process, and goes to no other
        outs.append(out)
        assert local_log(str(out), "workers").exists() == (name in ("two", "spread"))
    one, two, again, spread = map(bytes_of, outs)
    assert len([name for name in one if name.endswith(".tar")]) >= 5
    assert one == two == again == spread
    assert verify(str(outs[1])).problems == ()


def test_a_large_assembly_is_spread_over_the_cores_and_a_small_one_is_not(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Opened(Exception):
        pass

    def opened(running: Running, *others: Any) -> None:
        raise Opened(running.workers)

    recipe = recipe_for(tmp_path / "out", pictures)
    write_ledger(recipe, KEYS)
    index = build_index(recipe, listing_of(recipe), None)
    named = replace(assembly_of(recipe, makers_for(recipe)), build="b")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)))
    monkeypatch.setattr(graph_module, "graph", opened)
    for images, wanted in ((NUM_PICTURES + 1, 1), (NUM_PICTURES // 3, 3), (1, 5)):
        monkeypatch.setattr(graph_module, "IMAGES_FOR_A_PROCESS", images)
        with pytest.raises(Opened, match=str(wanted)):
            run_assembly(named, index, answers_for(recipe), None, recipe.running)


@pytest.mark.parametrize("is_worth_it", [False, True])
def test_answers_are_read_once_more_only_where_a_table_may_be_learned(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, is_worth_it: bool
) -> None:
    recipe, asked = recipe_for(tmp_path / "out", pictures), []

    def watched(images: Mapping[str, str], *others: Any) -> Mapping[str, list[tuple[str, str]]]:
        asked.extend(images)
        return pairs_of(images, *others)

    write_ledger(recipe, KEYS)
    monkeypatch.setattr(graph_module, "pairs_of", watched)
    monkeypatch.setattr(graph_module, "may_learn", lambda *run: is_worth_it)
    published(recipe)
    assert sorted(asked) == (sorted(KEYS) if is_worth_it else [])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published build of it all, only to be read; French captions are withheld."""
    folder = tmp_path_factory.mktemp("assembled")
    recipe = recipe_for(folder / "out", write_source(folder / "pictures"))
    write_ledger(recipe, KEYS)
    published(recipe)
    return folder / "out"


@pytest.fixture
def own_out(tmp_path: Path, out: Path) -> Path:
    """A copy of it, for tests that change it."""
    return Path(shutil.copytree(out, tmp_path / "own"))


def test_what_waits_for_the_plan_of_shards_is_the_names_of_ranges(
    tmp_path: Path, pictures: Path, held_by_beam: list[bytes]
) -> None:
    """What became of a range counts its images in buckets, of which there are nearly as many as images."""
    recipe = recipe_for(tmp_path / "out", pictures)
    write_ledger(recipe, [key_of(jpeg_of(number)) for number in range(NUM_PICTURES)])
    published(recipe)
    assert any(b"WrittenShard" in data or b"ShardInfo" in data for data in held_by_beam), "names of classes are seen"
    assert not any(b"CoveredRange" in data for data in held_by_beam)


def test_packs_of_a_large_run_wait_on_the_disk_and_nobody_sees_it(
    tmp_path: Path, pictures: Path, held_by_beam: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish_in(name: str) -> int:
        """How many packs the runner was given that lie on the disk."""
        held_by_beam.clear()
        recipe = recipe_for(tmp_path / name, pictures)
        left = tmp_path / name / "ledger" / "packs" / "left"  # by a run that was killed
        left.parent.mkdir(parents=True)
        left.write_bytes(b"?")
        write_ledger(recipe, KEYS)
        published(recipe)
        assert not list(left.parent.iterdir())
        return sum(len(re.findall(rb"@[0-9a-f]{12} \d+ \d+", data)) for data in held_by_beam)

    assert publish_in("small") == 0
    monkeypatch.setattr(packing, "MAX_ROWS", 3)
    by_key = publish_in("large")
    assert by_key > 2 * NUM_PICTURES / 3, "by file, by range and by shard"
    monkeypatch.setattr(packing, "MAX_BYTES", 1)
    assert publish_in("larger") > by_key, "and references on their way to who reads them"
    assert bytes_of(tmp_path / "small") == bytes_of(tmp_path / "large") == bytes_of(tmp_path / "larger")


def test_where_an_images_texts_lie_is_some_30_bytes() -> None:
    keys = [hashlib.sha256(bytes([number])).hexdigest()[:32] for number in range(256)]
    places = [Place(key, key[:2], 517 * number, 517 + number % 9) for number, key in enumerate(keys)]
    assert len(pack(places)) < 35 * len(places)


def test_verification_finds_nothing(out: Path) -> None:
    findings = verify(str(out))
    assert findings.problems == () and findings.proofs


def test_webdataset_reads_the_shards_without_being_told_anything(out: Path) -> None:
    manifest = read_manifest(str(out))
    paths = [str(out / "shards" / manifest.build / shard.path) for shard in manifest.shards_of("train")]
    samples = list(webdataset.WebDataset(paths, shardshuffle=False).decode("pil"))
    vals = samples_of(out, "val")
    assert {sample["__key__"] for sample in samples} | set(vals) == set(KEYS)
    for sample in samples:
        assert sample["jpg"].size == (32, 24) == (sample["json"]["width"], sample["json"]["height"])
        captions = {caption["style"]: caption["text"] for caption in sample["json"]["captions"]}
        assert sample["txt"] == captions["short"] == text_of(number_of(sample["__key__"]), "en")


def test_a_sample_is_as_the_readme_shows_it(out: Path) -> None:
    for split in ("train", "val"):
        for key, record in samples_of(out, split).items():
            assert record["schema_version"] == 2 and record["key"] == key
            assert (out.parent / "pictures" / record["source"]).is_file(), "relative to IMAGES"
            assert (record["licence"], record["url"], record["notes"]) == ("", "", "")
            for text in [*record["captions"], *record["examples"]]:
                made = ("captioner (cccccccccccccccc)", "captioned"), ("translator (tttttttttttttttt)", "translated")
                by, way = made[text.get("language", "en") != "en"]
                assert (text["made_by"], text["way"]) == (f"org/{by}", way)
            tasks = Counter((example["task"], example["language"]) for example in record["examples"])
            assert tasks == {
                ("caption", "en"): 2, ("caption", "de"): 2, ("translation", "de"): 2, ("translation", "fr"): 2
            }  # fmt: skip


def test_the_withheld_captions_are_in_heldout_and_nowhere_else(out: Path) -> None:
    vals, withheld = samples_of(out, "val"), samples_of(out, "heldout")
    assert set(withheld) == {f"{key}-heldout" for key in vals} and vals
    for record in withheld.values():
        assert {(example["task"], example["language"]) for example in record["examples"]} == {("caption", "fr")}
    assert not set(samples_of(out, "train")) & set(vals)


def test_an_upright_baseline_jpeg_keeps_its_bytes(out: Path) -> None:
    manifest = read_manifest(str(out))
    for shard in manifest.shards:
        for sample in iter_samples(shard_path(str(out), manifest.build, shard.path)):
            assert key_of(sample.jpeg) == sample.image


def test_what_was_dropped_is_in_the_reject_file_and_in_the_manifest(out: Path) -> None:
    manifest = read_manifest(str(out))
    rejects = read_rejects(rejects_path(str(out), manifest.build))
    assert sorted((reject.step, reject.reason) for reject in rejects) == [
        ("read", "duplicate_image"), ("read", "not_an_image")
    ]  # fmt: skip
    assert manifest.rejected == {"read": {"duplicate_image": {"": 1}, "not_an_image": {"": 1}}}
    assert manifest.inputs["found"] == NUM_PICTURES + 2 and manifest.inputs["images"] == NUM_PICTURES


def test_the_books_balance_and_count_every_sample(out: Path) -> None:
    books = read_summary(str(out), read_manifest(str(out)).build).books
    assert imbalances(books) == []
    num_samples = len(samples_of(out, "train")) + len(samples_of(out, "val"))
    assert total(books, "write", KEPT) == num_samples == NUM_PICTURES


def test_bad_answers_are_dropped_one_by_one(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    first, second, third, *others = sorted(KEYS)
    ledger = Ledger(recipe.out)
    write_ledger(recipe, others)
    for style in recipe.captioner.styles:
        ledger.append_captions(CAPTION_PRINT, [caption_row(key, number_of(key), style) for key in (first, second)])
        ledger.append_captions(CAPTION_PRINT, [caption_row(third, 0, style, text=None, reason="broken_image")])
        for language in recipe.languages:
            cut = translation_row(first, number_of(first), language, style, finish_reason="length")
            copied = translation_row(
                second, number_of(second), language, style, text=text_of(number_of(second), "en", style)
            )
            ledger.append_translations(language, TRANSLATION_PRINT, [cut, copied])
    manifest = published(recipe)
    assert verify(recipe.out).problems == ()
    assert manifest.rejected["filter"]["truncated"] == {"de": 2, "fr": 2}
    assert sum(sum(by.values()) for by in manifest.rejected["filter"].values()) == 8
    assert manifest.rejected["caption"] == {"broken_image": {"en": 2}}
    assert manifest.rejected["write"] == {"no_examples": {"": 1}}
    told = Counter((reject.step, reject.key) for reject in read_rejects(rejects_path(recipe.out, manifest.build)))
    assert told["filter", first] == told["filter", second] == 4 and told["write", third] == 1


def test_a_caption_that_nobody_asked_for_stops_the_build_before_it_is_published(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    write_ledger(recipe, KEYS[1:])
    with pytest.raises(BooksError, match=r"caption \(en\): 28 in, 26 kept or rejected"):
        published(recipe)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_picture_that_changed_since_it_was_captioned_is_dropped_while_writing(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    write_ledger(recipe, KEYS)
    index = build_index(recipe, listing_of(recipe), None)
    (pictures / "005.jpg").write_bytes(jpeg_of(99))
    (pictures / "006.jpg").unlink()
    build = name_of(recipe, index)
    assembly = replace(assembly_of(recipe, makers_for(recipe)), build=build)
    run_assembly(assembly, index, answers_for(recipe).fitted(index.digits), None, recipe.running)
    manifest = publish(recipe, build, read_summary(recipe.out, build), index, {})
    assert manifest.rejected["write"] == {"unreadable_file": {"": 2}}
    assert verify(recipe.out).problems == ()


def test_every_picture_unreadable_is_a_build_that_is_never_published(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.txt").write_text("no image")
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    with pytest.raises(EmptyBuild, match="every image was rejected"):
        published(recipe)
    assert not (tmp_path / "out" / "manifest.json").exists()
    (rejects,) = (tmp_path / "out" / "rejects").iterdir()
    assert [reject.reason for reject in read_rejects(str(rejects))] == ["not_an_image"]


def test_another_held_out_set_is_another_build_and_the_old_one_goes(own_out: Path) -> None:
    old = read_manifest(str(own_out)).build
    manifest = published(recipe_for(own_out, read_manifest(str(own_out)).inputs["source"], held_out=()))
    assert manifest.build != old and manifest.counts["train"]["caption"]["fr"] > 0
    assert {Path(name).parts[1].split(".")[0] for name in bytes_of(own_out)} == {manifest.build}
    assert sorted(path.name for path in (own_out / "shards").iterdir()) == [manifest.build]
    assert not list((own_out / "heldout").iterdir()), "nothing is held out any more"
    assert verify(str(own_out)).problems == ()


def test_the_old_build_stays_whole_until_the_manifest_is_swapped(
    own_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bytes_of(own_out)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build_module, "write_manifest", no_space)
    recipe = recipe_for(own_out, read_manifest(str(own_out)).inputs["source"], held_out=())
    with pytest.raises(OSError, match="No space"):
        published(recipe)
    assert {name: bytes_of(own_out)[name] for name in before} == before
    findings = verify(str(own_out))
    assert findings.problems == (), "the new build's shards lie beside the old one's and are no part of it"


def test_the_summary_is_there_only_when_all_else_is(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    write_ledger(recipe, KEYS)
    build, _ = assemble(recipe)
    summary = read_summary(recipe.out, build)
    assert Path(summary_path(recipe.out, build)).exists() and Path(rejects_path(recipe.out, build)).exists()
    names = {path.name for path in (tmp_path / "out").glob(f"*/{build}/*.tar")}
    assert names == {shard.path for shard in summary.shards}


def test_the_build_is_named_after_all_that_decides_its_bytes(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    write_ledger(recipe, KEYS)
    index = build_index(recipe, listing_of(recipe), None)

    def name(recipe: Recipe) -> str:
        return name_of(recipe, index)

    same = [replace(recipe, workers=4), replace(recipe, held_out=("fr",))]
    other = [
        replace(recipe, seed=1),
        replace(recipe, languages=("de",)),
        replace(recipe, held_out=()),
        replace(recipe, shards=replace(recipe.shards, images_per_shard=5)),
        replace(recipe, filters=replace(recipe.filters, max_repeats=4)),
        replace(recipe, captioner=replace(recipe.captioner, styles=("short",))),
        replace(recipe, captioner=replace(recipe.captioner, model="other/captioner")),
    ]
    names = [name(recipe), *map(name, other)]
    assert {name(one) for one in same} == {name(recipe)} and len(set(names)) == len(names)
    Ledger(recipe.out).append_translations(
        "de",
        TRANSLATION_PRINT,
        [translation_row(sorted(index.images)[0], number_of(sorted(index.images)[0]), "de", text="A")],
    )
    assert name(recipe) != names[0]


def test_mended_code_makes_another_build(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_for(tmp_path / "out", pictures)
    index = build_index(recipe, listing_of(recipe), None)
    before = name_of(recipe, index)
    assert before == name_of(recipe, index)
    monkeypatch.setattr(build_module, "code_checksum", lambda: "another")
    assert name_of(recipe, index) != before


def test_pictures_on_their_side_are_stored_upright(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write_pictures(folder, 1)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(buffer, "JPEG", exif=exif)
    (folder / "turned.jpg").write_bytes(buffer.getvalue())
    recipe = recipe_for(tmp_path / "out", folder)
    write_ledger(recipe, [key_of(jpeg_of(0)), key_of(buffer.getvalue())])
    published(recipe)
    record = {**samples_of(tmp_path / "out", "train"), **samples_of(tmp_path / "out", "val")}[key_of(buffer.getvalue())]
    assert (record["width"], record["height"]) == (20, 40)
    assert verify(recipe.out).problems == ()
