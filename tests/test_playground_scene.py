"""Scenes: how many there are, that a seed gives the same ones everywhere, what English hides, what is withheld."""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from florenz.playground.captions import state
from florenz.playground.scene import (
    AMBIGUOUS_KINDS,
    ANIMALS,
    COLOURS,
    COUNTS,
    KINDS,
    PLACES,
    PLAIN_KINDS,
    POSES,
    RELATIONS,
    SIZES,
    TIMES,
    Group,
    Scene,
    all_concepts,
    concepts_of,
    count_scenes,
    is_unseen,
    noun_of,
    possible_poses,
    random_for,
    readings,
    sample_scene,
    senses_of,
    shows_withheld,
    usual_reading,
    word_of,
)

SCENES = [sample_scene(random_for(1, "test", number)) for number in range(20_000)]
HASH_OF_SCENES = """
import hashlib
from florenz.playground.scene import is_unseen, random_for, sample_scene
scenes = [sample_scene(random_for(7, "process", number)) for number in range(200)]
print(hashlib.sha256(repr([(scene, is_unseen(scene)) for scene in scenes]).encode()).hexdigest())
"""


def scene_of(kind: str, *more: str, colour: str = "red", place: str = "street", relation: str = "left") -> Scene:
    """Everything placed as it usually is."""
    relation = relation if more else "alone"
    groups = tuple(
        Group(kind=name, colour=colour, size="small", count=2, pose=possible_poses(name, place, relation, index)[0])
        for index, name in enumerate((kind, *more))
    )
    return Scene(place=place, time="night", relation=relation, groups=groups)


def test_there_are_more_scenes_than_in_the_first_world() -> None:
    """By hand: 63 looks of 36 kinds; in the sea each floats, and ten of them may hang as well."""
    assert len(KINDS) == 36 and len(COLOURS) == 9
    looks = 9 * (2 * 3 + 1)
    on_ground = sum(len(possible_poses(kind, "grass", "alone", 0)) for kind in KINDS)
    in_sea = sum(len(possible_poses(kind, "sea", "alone", 0)) for kind in KINDS)
    assert count_scenes() > 2 * looks * (5 * on_ground + in_sea) and (on_ground, in_sea) == (54, 36 + 10)
    assert count_scenes() == 212_532_138 > 54_097_920


def test_counted_scenes_are_those_that_can_be_listed() -> None:
    """Scenes with one group, listed one by one."""
    listed = {
        (place, time, kind, colour, size, count, pose)
        for place in PLACES
        for time in TIMES
        for kind in KINDS
        for pose in possible_poses(kind, place, "alone", 0)
        for colour in COLOURS
        for count in COUNTS
        for size in (SIZES if count < 5 else ("small",))
    }
    drawn = {
        (
            scene.place,
            scene.time,
            *(getattr(scene.groups[0], name) for name in ("kind", "colour", "size", "count", "pose")),
        )
        for scene in SCENES
        if scene.relation == "alone"
    }
    assert drawn <= listed and len(listed) == 2 * 63 * (5 * 54 + 46)


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
    assert {group.count for group in groups} == set(COUNTS) and {group.pose for group in groups} == set(POSES)


def test_five_things_are_small_and_what_is_above_hangs() -> None:
    for scene in SCENES:
        assert all(group.size == "small" for group in scene.groups if group.count == 5)
        assert scene.relation != "above" or scene.groups[0].pose == "hang"
        for index, group in enumerate(scene.groups):
            assert group.pose in possible_poses(group.kind, scene.place, scene.relation, index)
            assert scene.place != "sea" or group.pose in ("float", "hang")


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


def test_the_usual_reading_is_the_usual_sense_the_darker_blue_and_the_usual_pose() -> None:
    unusual = scene_of("umbrella_sun", "bow_weapon", colour="light_blue")
    assert usual_reading(unusual) == scene_of("umbrella_rain", "bow_ribbon", colour="blue")
    for scene in SCENES[:2000]:
        reading = usual_reading(scene)
        assert usual_reading(reading) == reading
        assert state(reading, "en", "short") == state(scene, "en", "short")
        assert all(group.kind == senses_of(group.kind)[0] for group in reading.groups)
        assert all(group.colour != "light_blue" for group in reading.groups)


def test_readings_are_the_scenes_with_the_same_short_caption() -> None:
    """A change of one group gives another reading exactly if it leaves the English caption as it is."""
    for scene in SCENES[:60]:
        found = readings(scene)
        assert len(set(found)) == len(found) and scene in found and usual_reading(scene) in found
        assert {state(reading, "en", "short") for reading in found} == {state(scene, "en", "short")}
        first = scene.groups[0]
        for kind in KINDS:
            for colour in COLOURS:
                for pose in possible_poses(kind, scene.place, scene.relation, 0):
                    group = Group(kind=kind, colour=colour, size=first.size, count=first.count, pose=pose)
                    other = Scene(
                        place=scene.place, time=scene.time, relation=scene.relation, groups=(group, *scene.groups[1:])
                    )
                    assert (other in found) is (state(other, "en", "short") == state(scene, "en", "short"))


def test_a_scene_shows_its_nouns_its_colours_and_both_together() -> None:
    scene = scene_of("bat_sport", "cat", colour="light_blue")
    assert concepts_of(scene) == ["bat", "blue", "blue bat", "blue cat", "cat"]
    for scene in SCENES[:500]:
        assert set(concepts_of(scene)) <= all_concepts()
    assert all_concepts() == {concept for scene in SCENES for concept in concepts_of(scene)}


def test_withheld_is_what_shows_a_withheld_noun_colour_or_pair() -> None:
    scene = scene_of("bat_sport", "cat")
    for concept in ("bat", "cat", "red", "red cat"):
        assert shows_withheld(scene, frozenset({concept, "turtle"}))
    assert not shows_withheld(scene, frozenset({"turtle", "blue", "blue cat", "red turtle"}))
    assert not shows_withheld(scene, frozenset())


def test_animals_are_kinds_and_one_sense_of_a_noun_may_be_alive_alone() -> None:
    assert set(KINDS) > ANIMALS and "mouse_animal" in ANIMALS and "mouse_computer" not in ANIMALS


def test_the_short_captions_word_for_both_blues_is_blue() -> None:
    assert word_of("light_blue") == word_of("blue") == "blue" and word_of("red") == "red"


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
