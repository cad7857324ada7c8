import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards_dataset import (
    BUILD,
    ENGLISH,
    FRENCH,
    GERMAN,
    SEED,
    caption,
    edit_listing,
    edit_members,
    edit_samples,
    jpeg_of,
    key_of,
    make_sample,
    members_of,
    shard_file,
    translation,
    write_dataset,
)

from florenz.shards import verify as verify_module
from florenz.shards.manifest import read_manifest, write_manifest
from florenz.shards.plan import plan_shards
from florenz.shards.schema import Sample
from florenz.shards.verify import main, verify

TRAIN, TRAIN_1, VAL, HELDOUT = "train-000000.tar", "train-000001.tar", "val-000000.tar", "heldout-000000.tar"
SHARDS = [TRAIN, TRAIN_1, VAL, HELDOUT]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_dataset(str(tmp_path))
    return tmp_path


def problems(out: Path) -> list[str]:
    return list(verify(str(out)).problems)


def the_problem(out: Path) -> str:
    found = problems(out)
    assert len(found) == 1, found
    return found[0]


def first(edit: Callable[[Sample], Sample]) -> Callable[[list[Sample]], list[Sample]]:
    return lambda samples: [edit(samples[0]), *samples[1:]]


def with_examples(*examples: Any) -> Callable[[list[Sample]], list[Sample]]:
    return first(lambda sample: replace(sample, examples=(*sample.examples, *examples)))


def edit_json(out: Path, name: str, **changes: Any) -> str:
    """Change fields in the JSON of the first sample; its key comes back."""
    members = members_of(out, name)
    record = json.loads(members[1][1]) | changes
    edit_members(out, name, [members[0], (members[1][0], json.dumps(record).encode()), *members[2:]])
    return members[0][0].partition(".")[0]


def test_a_sound_dataset_is_proven_line_by_line(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "shards",
        "samples",
        "images",
        "counts",
        "counts",
        "counts",
        "held-out",
        "language ID",
    ]
    assert "12 of schema version 2, 9 in train, 3 in val" in lines[1]
    assert lines[3] == "counts: train has 18 caption in de en, 18 translation in de fr, as in the manifest"
    assert "no caption example in fr in train, choose or val; heldout has 3 images" in lines[6]
    assert "none of 24 caption texts" in lines[7]


def test_a_dataset_in_an_object_store_is_proven_too() -> None:
    write_dataset("memory://verify")
    assert verify("memory://verify").problems == ()


@pytest.mark.parametrize("name", SHARDS)
def test_a_flipped_byte_is_found_by_the_checksum(out: Path, name: str) -> None:
    content = bytearray(shard_file(out, name).read_bytes())
    content[512 + len(jpeg_of(0)) - 10] ^= 1  # in the pixels of the first image, which opens as before
    shard_file(out, name).write_bytes(content)
    assert the_problem(out).startswith(f"{name}: SHA-256 is ")


@pytest.mark.parametrize("name", SHARDS)
def test_a_truncated_shard_is_found(out: Path, name: str) -> None:
    content = shard_file(out, name).read_bytes()
    shard_file(out, name).write_bytes(content[:5000])
    size, digest, damage = problems(out)
    assert size == f"{name}: has 5000 bytes, the manifest says {len(content)}"
    assert digest.startswith(f"{name}: SHA-256 is ")
    assert damage.startswith(f"{name}: damaged at byte ")


@pytest.mark.parametrize("name", SHARDS)
def test_a_missing_shard_is_found(out: Path, name: str) -> None:
    shard_file(out, name).unlink()
    assert the_problem(out) == f"{name}: listed in the manifest but not there"


@pytest.mark.parametrize("name", ["train-000002.tar", "notes/readme.txt"])
def test_a_file_that_the_manifest_does_not_list_is_found(out: Path, name: str) -> None:
    shard_file(out, name).parent.mkdir(exist_ok=True)
    shard_file(out, name).write_bytes(shard_file(out, TRAIN).read_bytes())
    assert the_problem(out) == f"{name}: lies in shards/0123456789abcdef but is not in the manifest"


def test_a_shard_that_is_a_folder_is_a_problem_and_no_end(out: Path) -> None:
    shard_file(out, TRAIN).unlink()
    shard_file(out, TRAIN).mkdir()
    assert the_problem(out).startswith(f"{TRAIN}: cannot be read: ")


def test_a_shard_that_is_listed_twice_is_found(out: Path) -> None:
    manifest = read_manifest(str(out))
    write_manifest(str(out), replace(manifest, shards=(*manifest.shards, manifest.shards[0])))
    assert f"{TRAIN}: listed 2 times in the manifest" in problems(out)


def test_a_key_twice_in_a_shard_is_found(out: Path) -> None:
    edit_samples(out, TRAIN, lambda samples: [*samples, samples[0]])
    assert the_problem(out).endswith("is there twice")


def test_a_key_in_two_shards_of_a_split_is_found(out: Path) -> None:
    stray = make_sample(train_numbers()[0])
    edit_samples(out, TRAIN_1, lambda samples: [*samples, stray])
    assert the_problem(out) == f"{TRAIN_1}: sample {stray.key} is also in {TRAIN}"


def test_a_key_in_train_and_val_is_found(out: Path) -> None:
    stray = make_sample(train_numbers()[0])
    edit_samples(out, VAL, lambda samples: [*samples, stray])
    assert the_problem(out) == f"{VAL}: sample {stray.key} is also in {TRAIN}"


def train_numbers() -> list[int]:
    """Numbers of the images in the first train shard, in its order."""
    numbers = {key_of(number): number for number in range(12)}
    plans = plan_shards(numbers, seed=SEED, val_fraction=0.25, choose_fraction=0, images_per_shard=5)
    return [numbers[key] for key in plans[0].keys]


def test_a_count_of_a_shard_that_differs_is_found(out: Path) -> None:
    edit_listing(out, TRAIN, lambda info: replace(info, counts=info.counts | {"caption/de": 6, "caption/es": 1}))
    assert problems(out) == [
        f"{TRAIN}: has 5 caption/de examples, the manifest says 6",
        f"{TRAIN}: has 0 caption/es examples, the manifest says 1",
    ]


def test_a_number_of_samples_that_differs_is_found(out: Path) -> None:
    edit_listing(out, VAL, lambda info: replace(info, samples=4))
    assert the_problem(out) == f"{VAL}: has 3 samples, the manifest says 4"


def test_a_total_that_differs_is_found(out: Path) -> None:
    manifest = read_manifest(str(out))
    counts = manifest.counts | {"val": {"caption": {"de": 3, "en": 3}, "translation": {"de": 3, "fr": 2}}}
    write_manifest(str(out), replace(manifest, counts=counts))
    assert the_problem(out) == "val: has 3 translation/fr examples, the manifest's counts say 2"


@pytest.mark.parametrize("name", [TRAIN, TRAIN_1, VAL])
def test_a_held_out_caption_example_is_found(out: Path, name: str) -> None:
    edit_samples(out, name, with_examples(caption("fr", "Ein rotes Auto am Fluss.")))  # the label alone gives it away
    found = problems(out)
    assert [("caption example in fr" in line, "held out, it may not be in" in line) for line in found] == [(True, True)]


def test_a_shard_of_withheld_captions_that_passes_for_train_is_found(out: Path) -> None:
    shard_file(out, HELDOUT).rename(shard_file(out, "train-000002.tar"))
    edit_listing(out, HELDOUT, lambda info: replace(info, path="train-000002.tar"))
    assert the_problem(out) == "train-000002.tar: the manifest says split heldout, its name says train"


@pytest.mark.parametrize("name", [TRAIN, VAL])
def test_a_text_in_a_held_out_language_under_another_label_is_found(out: Path, name: str) -> None:
    edit_samples(out, name, with_examples(caption("de", FRENCH)))
    assert f"caption example in de: language ID places {FRENCH!r} in fr, which is held out" in the_problem(out)


def test_language_id_looks_at_every_text_of_many(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "TEXTS_PER_BATCH", 3)
    edit_samples(out, TRAIN_1, lambda samples: [*samples[:-1], *with_examples(caption("de", FRENCH))(samples[-1:])])
    assert "in fr, which is held out" in the_problem(out)


def test_a_held_out_text_under_a_translation_is_fine(out: Path) -> None:
    edit_samples(out, TRAIN, with_examples(translation("fr", "Une voiture rouge près de la rivière.")))
    assert problems(out) == []


def test_nothing_held_out_needs_no_language_id(out: Path) -> None:
    (shard_file(out, HELDOUT)).unlink()
    manifest = read_manifest(str(out))
    counts = {split: counts for split, counts in manifest.counts.items() if split != "heldout"}
    write_manifest(str(out), replace(manifest, held_out=(), shards=manifest.shards[:3], counts=counts))
    assert verify(str(out)).proofs[-1] == "held-out: no language is held out"


def test_covered_examples_in_val_heldout_are_found(out: Path) -> None:
    edit_samples(out, HELDOUT, with_examples(caption("de", GERMAN), translation("fr", FRENCH)))
    found = problems(out)
    assert len(found) == 2
    assert all(line.endswith("heldout may hold withheld captions only") for line in found)


def test_an_image_in_val_heldout_that_is_not_of_val_is_found(out: Path) -> None:
    stray = make_sample(train_numbers()[0], (caption("fr", FRENCH),), suffix="-heldout")
    edit_samples(out, HELDOUT, lambda samples: [*samples, stray])
    assert the_problem(out) == f"{HELDOUT}: sample {stray.key}: its image is not in val"


def test_a_key_without_its_suffix_in_heldout_and_with_it_elsewhere_is_found(out: Path) -> None:
    """Readers that take all shards at once refuse or merge equal keys."""
    edit_samples(out, HELDOUT, first(lambda sample: replace(sample, key=sample.image)))
    assert "keys end in -heldout in heldout and nowhere else" in the_problem(out)


def test_a_file_in_the_folder_of_withheld_captions_that_is_not_listed_is_found(out: Path) -> None:
    shard_file(out, "heldout-000007.tar").write_bytes(b"")
    assert the_problem(out) == f"heldout-000007.tar: lies in heldout/{BUILD} but is not in the manifest"


def test_an_unknown_schema_version_of_a_sample_is_found(out: Path) -> None:
    key = edit_json(out, VAL, schema_version=3)
    assert f"{VAL}: sample {key}: schema version 3, this program reads 1 and 2" in problems(out)


def test_a_key_of_another_form_is_found(out: Path) -> None:
    members = members_of(out, VAL)
    edit_members(
        out, VAL, [(f"photo.{name.partition('.')[2]}", content) for name, content in members[:3]] + members[3:]
    )
    assert any("sample photo: its JSON says it is" in line for line in problems(out))


def test_a_missing_and_an_unexpected_file_of_a_sample_are_found(out: Path) -> None:
    members = members_of(out, TRAIN)
    key = members[0][0].partition(".")[0]
    edit_members(out, TRAIN, [*members[:3], (f"{key}.npy", b"1"), *members[3:-1]])
    found = problems(out)
    assert f"{TRAIN}: sample {key}: unexpected file {key}.npy" in found
    assert any(line.endswith(".txt is missing") for line in found)


def test_an_image_of_another_size_is_found(out: Path) -> None:
    edit_samples(out, TRAIN, first(lambda sample: replace(sample, jpeg=jpeg_of(0, 24, 32))))
    assert the_problem(out).endswith("its image is 24 x 32, the JSON says 32 x 24")


@pytest.mark.parametrize("jpeg", [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", jpeg_of(0)[:100]])
def test_an_image_that_does_not_open_is_found(out: Path, jpeg: bytes) -> None:
    edit_samples(out, TRAIN, first(lambda sample: replace(sample, jpeg=jpeg)))
    assert "its image " in the_problem(out)


def test_a_txt_that_is_not_the_caption_is_found(out: Path) -> None:
    members = members_of(out, TRAIN)
    edit_members(out, TRAIN, [*members[:2], (members[2][0], b"A blue car."), *members[3:]])
    assert the_problem(out).endswith(f"{members[2][0]} is not its English caption {ENGLISH!r}")


def test_a_language_that_the_manifest_does_not_name_is_found(out: Path) -> None:
    edit_samples(out, TRAIN, with_examples(translation("es", "Un coche rojo."), translation("en", "A red car.")))
    assert [line.partition("example in ")[2] for line in problems(out)] == [
        "es, style short: the manifest does not name this language",
        "en, style short: the manifest does not name this language",
    ]


def test_a_held_out_language_that_is_not_a_language_is_found(out: Path) -> None:
    write_manifest(str(out), replace(read_manifest(str(out)), held_out=("fr", "it")))
    assert the_problem(out) == "manifest: it is held out but is not one of the languages"


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (translation("de", GERMAN, "A blue car."), "its source 'A blue car.' is not the image's caption"),
        (replace(translation("de", GERMAN), source_language="fr"), "translated from fr, not from en"),
        (caption("en", "A blue car."), "its text 'A blue car.' is not the image's caption"),
        (replace(caption("de", GERMAN), style="detailed"), "the image has no English caption of this style"),
    ],
)
def test_a_text_that_does_not_belong_to_the_caption_is_found(out: Path, example: Any, message: str) -> None:
    edit_samples(out, TRAIN, with_examples(example))
    assert message in the_problem(out)


def test_all_problems_are_listed_and_none_hides_another(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_samples(out, TRAIN, with_examples(caption("fr", FRENCH), caption("de", FRENCH)))
    edit_samples(out, TRAIN, lambda samples: [*samples, samples[1]])
    edit_json(out, TRAIN_1, schema_version=7)
    edit_listing(out, VAL, lambda info: replace(info, samples=99))
    shard_file(out, HELDOUT).unlink()
    shard_file(out, "train-000005.tar").touch()
    assert main([str(out)]) == 1
    *lines, summary, advice = capsys.readouterr().out.splitlines()
    for fragment in (
        "may not be in train",
        "in fr, which is held out",
        "is there twice",
        "schema version 7",
        "the manifest says 99",
        f"{HELDOUT}: listed",
        "train-000005.tar: lies in",
    ):
        assert any(fragment in line for line in lines), fragment
    assert summary == f"{len(lines)} problems in {out}" and advice.startswith("to mend: make dataset")


def test_what_a_text_holds_cannot_break_the_lines_or_the_terminal(out: Path) -> None:
    edit_samples(out, TRAIN, with_examples(caption("en", "one\ntwo\x1b[2J")))
    edit_members(out, VAL, [*members_of(out, VAL), ("\udcff\n.jpg", b"")])
    assert all(line.isprintable() for line in problems(out))


def test_no_manifest_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out in (str(tmp_path), "nowhere://out"):
        assert main([out]) == 2
        captured = capsys.readouterr()
        assert (captured.out, len(captured.err.splitlines())) == ("", 1)


def test_an_unknown_schema_version_of_the_manifest_is_status_2(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads((out / "manifest.json").read_bytes())
    (out / "manifest.json").write_text(json.dumps(record | {"schema_version": 9}))
    assert main([str(out)]) == 2
    assert "has schema version 9, this program reads 1" in capsys.readouterr().err


def test_it_runs_as_a_program(out: Path) -> None:
    shard_file(out, TRAIN).unlink()
    run = subprocess.run(
        [sys.executable, "-m", "florenz.shards.verify", str(out)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout.startswith(f"{TRAIN}: listed in the manifest but not there\n1 problems in {out}\nto mend: ")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_damage_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    out = tmp_path_factory.mktemp("damaged")
    write_dataset(str(out))
    name = data.draw(st.sampled_from(SHARDS))
    content = damage(shard_file(out, name).read_bytes(), data)
    shard_file(out, name).write_bytes(content)
    assert any(line.startswith(f"{name}: SHA-256 is ") for line in problems(out))
    # With a hash that fits, all that is left to find the damage is what reads the tar, the JSON and the image.
    edit_listing(out, name, lambda info: replace(info, bytes=len(content), sha256=hashlib.sha256(content).hexdigest()))
    assert main([str(out)]) in (0, 1)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_damage_to_the_manifest_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    out = tmp_path_factory.mktemp("damaged")
    write_dataset(str(out))
    (out / "manifest.json").write_bytes(damage((out / "manifest.json").read_bytes(), data))
    assert main([str(out)]) in (0, 1, 2)


def damage(content: bytes, data: st.DataObject) -> bytes:
    """Some bytes overwritten, taken out or put in; never the same as before."""
    start, length = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 600))
    syntax = st.text("0123456789{}[],:", min_size=1).map(str.encode)
    other = data.draw(st.one_of(st.binary(min_size=1, max_size=600), syntax))
    changed = content[:start] + other + content[start + length :]
    return changed if changed != content else content[:start]
