"""The validation split as an evaluation set: the suite of all sets, and what a damaged shard says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from contracts.evaluation_set import EvaluationSetSuite, Written
from shards_dataset import COVERED, WITHHELD, edit_members, edit_samples, jpeg_of, key_of, members_of, write_dataset

from florenz.playground.captions import num_wordings, state, state_in
from florenz.playground.scene import Scene, random_for, sample_scene
from florenz.shards.manifest import read_manifest, write_manifest
from florenz.shards.schema import HELDOUT_SUFFIX, WITHHELD_NOTE, Caption, Example, Sample
from florenz.train.data.examples import examples_of
from florenz.train.data.stream import StreamError
from florenz.train.scores.sets import dataset
from florenz.train.scores.sets.contract import judge_of

VAL, VAL_HELDOUT = "val-000000.tar", "heldout-000000.tar"
NUM_IN_VAL = 3


class TestDataset(EvaluationSetSuite):
    module = dataset
    needed = ("manifest.json",)

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("dataset")
        write_dataset(str(folder))
        return folder

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        return [
            (one.task, one.language, one.style, one.source_text or "", (one.text,), one in WITHHELD)
            for one in (*COVERED, *WITHHELD)
        ] * NUM_IN_VAL

    def test_the_picture_is_the_jpeg_of_its_key(self, folder: Path) -> None:
        jpegs = {key_of(number): jpeg_of(number) for number in range(12)}
        items = list(dataset.Set(folder=str(folder)).items("val"))
        assert len(items) == NUM_IN_VAL * len(COVERED) and all(item.picture == jpegs[item.image] for item in items)


def test_its_order_is_that_of_the_stream(tmp_path: Path) -> None:
    write_dataset(str(tmp_path), num_images=60)
    for part in ("val", "heldout"):
        asked = [
            (one.image, one.task, one.language, one.references) for one in dataset.Set(folder=str(tmp_path)).items(part)
        ]
        seen = [
            (one.key.removesuffix(HELDOUT_SUFFIX), one.task, one.language, (one.text,))
            for one in examples_of(str(tmp_path), part, None)
        ]
        assert asked == seen and len(read_manifest(str(tmp_path)).shards_of(part)) > 1


def test_a_dataset_without_validation_images_is_a_problem(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    edit_samples(tmp_path, VAL, lambda samples: [])
    assert dataset.Set(folder=str(tmp_path)).problems() == [
        f"{tmp_path} has no validation images: run make dataset with more images"
    ]


def test_a_dataset_that_withholds_nothing_has_an_empty_part(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    edit_samples(tmp_path, VAL_HELDOUT, lambda samples: [])
    one = dataset.Set(folder=str(tmp_path))
    assert one.problems() == [] and one.parts() == {"val": NUM_IN_VAL, "heldout": 0}
    assert list(one.items("heldout")) == []


def test_a_sample_that_breaks_the_schema_is_named_with_its_shard(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    members = members_of(tmp_path, VAL)
    edit_members(tmp_path, VAL, [(name, data.replace(b"schema_version", b"schema_virsion")) for name, data in members])
    with pytest.raises(StreamError, match=rf"{VAL} at byte \d+: sample [0-9a-f]{{32}} breaks the schema: .*version"):
        list(dataset.Set(folder=str(tmp_path)).items("val"))


def test_captions_of_withheld_concepts_are_a_pair_of_their_own(tmp_path: Path) -> None:
    write_dataset(str(tmp_path), num_images=24)
    shown = {}

    def withhold_every_second(samples: list[Sample]) -> list[Sample]:
        shown.update({sample.key.removesuffix(HELDOUT_SUFFIX): number % 2 for number, sample in enumerate(samples)})
        return [
            replace(sample, notes=f"{WITHHELD_NOTE}turtle") if number % 2 else sample
            for number, sample in enumerate(samples)
        ]

    edit_samples(tmp_path, VAL_HELDOUT, withhold_every_second)
    items = [item for item in dataset.Set(folder=str(tmp_path)).items("heldout") if item.image in shown]
    assert {(item.image, item.is_withheld) for item in items} == {(key, bool(odd)) for key, odd in shown.items()}
    assert {item.pair for item in items} == {"caption/fr", "caption/fr/withheld"}
    assert not any(item.is_withheld for item in dataset.Set(folder=str(tmp_path)).items("val"))


def english_samples(scene: Scene | None) -> Callable[[list[Sample]], list[Sample]]:
    """An edit: each has one caption and one caption example, of that scene or of an earlier world."""
    text = "The world of yesterday." if scene is None else state(scene, "en", "short")
    caption = Caption(style="short", text=text, made_by="c", way="captioned")
    example = Example(task="caption", language="en", style="short", text=text, made_by="c", way="captioned")
    return lambda samples: [replace(sample, captions=(caption,), examples=(example,)) for sample in samples]


def test_the_playgrounds_captions_are_judged_by_what_they_say(tmp_path: Path) -> None:
    scene = sample_scene(random_for(0, "judge", 1))
    texts = [state_in(scene, "de", "short", wording) for wording in range(num_wordings("de"))]
    english = state(scene, "en", "short")
    for folder, source, shown in (("new", "playground", scene), ("old", "playground", None), ("photos", "p", scene)):
        manifest = write_dataset(str(tmp_path / folder))
        edit_samples(tmp_path / folder, VAL, english_samples(shown))
        edited = read_manifest(str(tmp_path / folder))
        assert edited.build == manifest.build
        write_manifest(str(tmp_path / folder), replace(edited, recipe={"seed": 0, "images": {"source": source}}))
        judge = judge_of(dataset.Set(folder=str(tmp_path / folder)))
        assert (judge is not None) == (folder == "new")
        if judge is not None:
            assert all(judge(english, "de", text) for text in texts) and len(set(texts)) > 1
            assert not judge(english, "de", english) and not judge(english, "fr", texts[0])
