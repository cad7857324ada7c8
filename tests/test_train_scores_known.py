"""What a training has to do with questions: languages and concepts that it withheld, and scenes that it has seen."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from shards_dataset import ENGLISH, FRENCH, edit_samples, shard_file, translation, write_dataset
from training_examples import recipe_in, train_quietly, write_recipe

from florenz.playground.scene import concepts_of
from florenz.playground.world import draw_world, picture
from florenz.shards.manifest import write_manifest
from florenz.train.evaluate import main
from florenz.train.scores.asking import Asking
from florenz.train.scores.benchmark_table import benchmark_table
from florenz.train.scores.known import Known, known_to
from florenz.train.scores.scoring import Answers, Pair, _score
from florenz.train.scores.sets import dataset, playground
from florenz.train.scores.sets.contract import Item, has_baselines, judge_of
from florenz.train.scores.table import Evaluation, markdown, screen_table
from florenz.train.scores.texts import PairScores
from florenz.train.scores.verdict import verdict

SEED, COUNT = 7, 6


def of_the_playground(folder: Path, *withheld: str) -> str:
    """A dataset whose manifest says that its pictures are the playground's."""
    manifest = write_dataset(str(folder))
    recipe = {"images": {"source": "playground"}, "coverage": {"withheld": list(withheld)}}
    write_manifest(str(folder), replace(manifest, recipe=recipe))
    return str(folder)


@dataclass(frozen=True, kw_only=True)
class Other(dataset.Set):
    """Asks about a scene that no picture shows, too."""

    def items(self, part: str) -> Iterator[Item]:
        for item in super().items(part):
            yield item
            yield replace(item, id=f"{item.id}/other", truth=f"{item.truth} Another one.")


def test_a_question_is_repeated_if_a_training_picture_has_its_caption(tmp_path: Path) -> None:
    asked = known_to([of_the_playground(tmp_path)], Other(folder=str(tmp_path)))
    items = [item for part in asked.parts() for item in asked.items(part)]
    assert {(item.truth == ENGLISH, item.is_repeated) for item in items} == {(True, True), (False, False)}
    assert {item.language for item in items if item.is_held_out} == {"fr"}  # of heldout, as before
    assert all(item.task == "translation" for item in items if item.language == "fr" and not item.is_held_out)


def test_the_source_of_a_translation_is_a_caption_that_was_seen(tmp_path: Path) -> None:
    """A picture that shows what is withheld has its English caption there alone."""
    folder = of_the_playground(tmp_path)
    alone = (translation("fr", FRENCH, "A purple car."),)
    edit_samples(tmp_path, "train-000000.tar", lambda samples: [replace(samples[0], examples=alone), *samples[1:]])
    known = known_to([folder], dataset.Set(folder=folder))
    assert isinstance(known, Known) and known.texts == {("short", ENGLISH), ("short", "A purple car.")}


def test_val_is_scored_where_train_is_gone_and_nobody_can_tell_what_is_new(tmp_path: Path) -> None:
    folder = of_the_playground(tmp_path)
    shard_file(tmp_path, "train-000000.tar").unlink()
    asked = known_to([folder], dataset.Set(folder=folder))
    items = [item for part in asked.parts() for item in asked.items(part)]
    assert items and {item.is_repeated for item in items} == {None}


def test_of_other_pictures_nothing_is_marked(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    asked = dataset.Set(folder=str(tmp_path))
    assert known_to([str(tmp_path)], asked) is asked
    assert {item.is_repeated for part in asked.parts() for item in asked.items(part)} == {None}


def test_scenes_of_another_seed_learn_what_the_training_withheld(tmp_path: Path) -> None:
    draw_world(str(tmp_path / "scenes"), count=COUNT, seed=SEED)
    scenes = {f"scene-{number:06d}.jpg": picture(SEED, number)[2] for number in range(COUNT)}
    concept = concepts_of(scenes["scene-000002.jpg"])[0]
    data = of_the_playground(tmp_path / "data", concept)
    asked = known_to([data], playground.Set(folder=str(tmp_path / "scenes")))
    items = list(asked.items(playground.PART))
    assert judge_of(asked) is not None and has_baselines(asked) and asked.metrics == playground.Set.metrics
    for item in items:
        shows = item.task == "caption" and concept in concepts_of(scenes[item.image])
        assert item.is_withheld == shows
        never = item.language not in ("en", "de", "fr")
        assert item.is_held_out == (shows or never or (item.task, item.language) == ("caption", "fr"))
    assert {item.is_withheld for item in items} == {True, False}


def scored(language: str, *, is_held_out: bool) -> PairScores:
    """Three answers, two right, of which one repeats what was seen."""
    answers = Answers(
        references=[("one",), ("two",), ("three",)], truths=["1", "2", "3"], images=["a", "b", "c"],
        styles=["short"] * 3, with_prefix=["one", "two", "wrong"], losses=[1.0], num_tokens=3,
        repeated=[True, False, False],
    )  # fmt: skip
    return _score(Pair("caption", language, is_held_out), answers, ("exact_match", "chrf"), None, Asking())


def test_new_scenes_are_scored_by_themselves_and_stand_in_every_table() -> None:
    pairs = (scored("de", is_held_out=False), scored("fr", is_held_out=True))
    for pair in pairs:
        assert pair.with_prefix is not None and pair.with_prefix.exact_match == pytest.approx(2 / 3)
        assert pair.num_new == 2 and pair.new is not None and pair.new.exact_match == 0.5
    evaluation = Evaluation(dataset="d", images={"val": 3}, pairs=pairs)
    for text in (screen_table(evaluation), markdown(evaluation)):
        assert "new scenes" in text and "50.0% of 2" in text
    (row,) = [
        line for line in benchmark_table(evaluation).splitlines() if "caption/fr" in line and "new scenes" in line
    ]
    assert row.split()[:3] == ["caption/fr", "(held", "out)"] and " 2 " in row and "50.0" in row
    assert "(of 2 whose scene no other picture showed it either: French 50%)" in verdict(pairs)


def test_where_nobody_has_looked_there_is_no_such_column() -> None:
    answers = Answers(
        references=[("one",)], truths=[""], images=["a"], styles=["short"], with_prefix=["one"], losses=[1.0],
        num_tokens=1, repeated=[None],
    )  # fmt: skip
    pair = _score(Pair("caption", "fr", False), answers, ("exact_match", "chrf"), None, Asking())
    assert pair.num_new is None and pair.new is None
    assert "new scenes" not in screen_table(Evaluation(dataset="d", images={"val": 1}, pairs=(pair,))).splitlines()[1]


def test_a_language_that_was_never_learned_has_no_part_in_the_verdict() -> None:
    pairs = [scored("de", is_held_out=False), scored("fr", is_held_out=True), scored("ru", is_held_out=True)]
    learned = replace(pairs[0], task="translation", language="fr")
    assert "Russian" in verdict(pairs) and "Russian" not in verdict([*pairs, learned])


@pytest.mark.usefixtures("one_build")
def test_a_finished_training_is_scored_with_what_it_has_seen_and_withheld(tmp_path: Path) -> None:
    """Its own val repeats its only caption; scenes of another seed are new, and learn what is held out."""
    of_the_playground(tmp_path / "data")
    train_quietly(recipe_in(tmp_path))
    draw_world(str(tmp_path / "scenes"), count=2, seed=SEED)
    recipe = str(write_recipe(tmp_path))
    assert main([recipe]) == 0
    assert main([recipe, "BENCHMARK=playground", f"BENCHMARK_DATA={tmp_path}/scenes"]) == 0
    own, others = (
        json.loads((tmp_path / "out" / f"evaluation{name}.json").read_text())["pairs"] for name in ("", "-playground")
    )
    assert {(one["num_new"], one["new"]) for one in own} == {(0, None)}
    assert all(one["num_new"] == one["num_texts"] > 0 and one["new"] == one["with_prefix"] for one in others)
    held_out = {one["language"] for one in others if one["task"] == "caption" and one["is_held_out"]}
    assert held_out == {"fr", "es", "ru", "zh"}  # French is translated into, the others are not there at all
