"""Scenes: how many there are, that a seed gives the same ones everywhere, and what "ambiguous" and "unseen" mean."""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from florenz.playground.scene import (
    AMBIGUOUS_KINDS,
    COLOURS,
    KINDS,
    MAX_COUNT,
    PLACES,
    PLAIN_KINDS,
    RELATIONS,
    SIZES,
    TIMES,
    Group,
    Scene,
    count_scenes,
    is_unseen,
    noun_of,
    random_for,
    sample_scene,
    usual_reading,
)

SCENES = [sample_scene(random_for(1, "test", number)) for number in range(20_000)]
HASH_OF_SCENES = """
import hashlib
from florenz.playground.scene import is_unseen, random_for, sample_scene
scenes = [sample_scene(random_for(7, "process", number)) for number in range(200)]
print(hashlib.sha256(repr([(scene, is_unseen(scene)) for scene in scenes]).encode()).hexdigest())
"""


def scene_of(kind: str, *more: str) -> Scene:
    groups = tuple(Group(kind=name, colour="red", size="small", count=2) for name in (kind, *more))
    return Scene(place="sea", time="night", relation="left" if more else "alone", groups=groups)


def test_there_are_more_than_ten_million_scenes() -> None:
    # By hand: 48 looks of 32 kinds; of 32 x 32 ordered pairs 18 x 1 + 7 x 4 share a noun; 2 relations; 12 settings.
    assert count_scenes() == 12 * (32 * 48 + 2 * (1024 - 46) * 48**2) == 54_097_920
    assert count_scenes() >= 10_000_000


def test_the_same_seed_gives_the_same_scenes_in_every_process() -> None:
    hashes = set()
    for salt in ("0", "1", "random"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        command = [sys.executable, "-c", HASH_OF_SCENES]
        root = Path(__file__).resolve().parents[1]
        hashes.add(subprocess.run(command, env=environment, cwd=root, capture_output=True, check=True).stdout)
    assert len(hashes) == 1


def test_a_generator_depends_on_each_of_its_arguments_and_on_nothing_else() -> None:
    names = [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1)]
    first = [random_for(*name).random() for name in names]
    random.seed(5)
    assert [random_for(*name).random() for name in names] == first
    assert len(set(first)) == len(names)


def test_two_groups_never_share_a_noun() -> None:
    pairs = [scene.groups for scene in SCENES if scene.relation != "alone"]
    assert pairs and all(noun_of(first.kind) != noun_of(second.kind) for first, second in pairs)


def test_a_scene_has_one_group_alone_and_two_in_a_relation() -> None:
    assert all(len(scene.groups) == (1 if scene.relation == "alone" else 2) for scene in SCENES)


def test_every_value_of_every_field_is_drawn() -> None:
    groups = [group for scene in SCENES for group in scene.groups]
    assert {scene.place for scene in SCENES} == set(PLACES) and {scene.time for scene in SCENES} == set(TIMES)
    assert {group.kind for group in groups} == set(KINDS) and {group.colour for group in groups} == set(COLOURS)
    assert {group.size for group in groups} == set(SIZES)
    assert {group.count for group in groups} == set(range(1, MAX_COUNT + 1))


def test_relations_are_drawn_at_the_stated_shares() -> None:
    counts = Counter(scene.relation for scene in SCENES)
    shares = {relation: counts[relation] / len(SCENES) for relation in RELATIONS}
    assert shares == pytest.approx({"alone": 0.3, "left": 0.35, "above": 0.35}, abs=0.02)


def test_at_least_six_nouns_have_two_meanings_and_both_are_kinds() -> None:
    assert len(AMBIGUOUS_KINDS) >= 6
    for noun, senses in AMBIGUOUS_KINDS.items():
        assert len(set(senses)) == 2 and set(senses) <= set(KINDS) and {noun_of(sense) for sense in senses} == {noun}
    assert not {noun_of(kind) for kind in PLAIN_KINDS} & set(AMBIGUOUS_KINDS)


def test_a_scene_is_ambiguous_when_any_group_is() -> None:
    assert scene_of("crane_machine").is_ambiguous
    assert scene_of("cat", "bat_animal").is_ambiguous  # the usual sense too: the English word has two meanings
    assert not scene_of("cat", "car").is_ambiguous


def test_about_half_of_the_scenes_are_ambiguous() -> None:
    share = sum(scene.is_ambiguous for scene in SCENES) / len(SCENES)
    assert 0.35 < share < 0.55


def test_the_usual_reading_changes_only_the_unusual_sense() -> None:
    assert usual_reading(scene_of("palm_hand", "bow_weapon")) == scene_of("palm_tree", "bow_ribbon")
    for scene in SCENES[:2000]:
        reading = usual_reading(scene)
        assert usual_reading(reading) == reading
        assert [noun_of(group.kind) for group in reading.groups] == [noun_of(group.kind) for group in scene.groups]
        assert all(group.kind in PLAIN_KINDS or group.kind == _usual(group.kind) for group in reading.groups)


def _usual(kind: str) -> str:
    return AMBIGUOUS_KINDS[noun_of(kind)][0]


def test_one_scene_in_twenty_is_unseen() -> None:
    assert sum(map(is_unseen, SCENES)) / len(SCENES) == pytest.approx(1 / 20, abs=0.006)


def test_one_caption_in_twenty_is_unseen() -> None:
    assert sum(is_unseen(f"caption {number}") for number in range(20_000)) / 20_000 == pytest.approx(1 / 20, abs=0.006)


def test_unseen_is_a_property_of_the_scene_alone() -> None:
    """Two scenes that are equal lie on the same side; nearly every scene has a neighbour on the other one."""
    unseen = next(scene for scene in SCENES if is_unseen(scene))
    twin = Scene(place=unseen.place, time=unseen.time, relation=unseen.relation, groups=tuple(unseen.groups))
    assert is_unseen(twin)
    others = [Scene(place=p, time=t, relation=unseen.relation, groups=unseen.groups) for p in PLACES for t in TIMES]
    assert not all(map(is_unseen, others))
