"""Pictures: what captions say must be visible, at the 96 px that the captioner sees, and must be the same every time.

Where a group stands is measured from pixels, not asked of the drawing code: the same scene and seed is drawn with the
group in white and in black, and what differs is the group.
"""

import itertools
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from florenz.playground import draw
from florenz.playground.draw import PALETTE, RADIUS_PX, SIDE_PX, draw_and_locate, draw_scene
from florenz.playground.scene import (
    COLOURS,
    KINDS,
    PLACES,
    SIZES,
    TIMES,
    Group,
    Scene,
    possible_poses,
    random_for,
    sample_scene,
)
from florenz.playground.things import THINGS, TURNS
from florenz.playground.things.pen import Pen

MAGENTA = (255, 0, 255)  # no thing has it
Box = tuple[int, int, int, int]
HASH_OF_PICTURES = """
import hashlib
from florenz.playground.draw import draw_scene
from florenz.playground.scene import random_for, sample_scene
digest = hashlib.sha256()
for number in range(20):
    rng = random_for(3, "picture", number)
    digest.update(draw_scene(sample_scene(rng), rng).tobytes())
print(digest.hexdigest())
"""


def scene_of(
    kind: str, colour: str = "red", size: str = "large", *, place: str = "grass", time: str = "day", pose: str = ""
) -> Scene:
    pose = pose or possible_poses(kind, place, "alone", 0)[0]
    group = Group(kind=kind, colour=colour, size=size, count=1, pose=pose)
    return Scene(place=place, time=time, relation="alone", groups=(group,))


def recoloured(scene: Scene, index: int, colour: str) -> Scene:
    groups = list(scene.groups)
    groups[index] = replace(groups[index], colour=colour)
    return replace(scene, groups=tuple(groups))


def group_mask(scene: Scene, index: int, seed: int) -> Image.Image:
    """White where the group is, as far as its colour or its outline shows."""
    white, black = (draw_scene(recoloured(scene, index, c), random.Random(seed)) for c in ("white", "black"))
    return ImageChops.difference(white, black).convert("L").point(lambda level: 255 if level else 0)


def group_box(scene: Scene, index: int, seed: int) -> Box:
    box = group_mask(scene, index, seed).getbbox()
    assert box is not None, f"group {index} of {scene} cannot be seen"
    return box


def centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def scenes_with_two_groups(count: int) -> list[tuple[int, Scene]]:
    scenes = ((seed, sample_scene(random_for(seed, "lanes"))) for seed in itertools.count())
    return list(itertools.islice(((seed, scene) for seed, scene in scenes if scene.relation != "alone"), count))


def silhouette(kind: str, pose: str, *, is_mirrored: bool) -> Image.Image:
    """A small thing as a picture of 96 px shows it: 19 px across, in 24 x 24."""
    image = Image.new("RGB", (48, 48), MAGENTA)
    pen = Pen(
        ImageDraw.Draw(image), 24, 24, RADIUS_PX["small"], (200, 30, 30), is_black=False, is_mirrored=is_mirrored,
        turns=TURNS.get((kind, pose), 0),
    )  # fmt: skip
    THINGS[kind](pen)
    drawn = ImageChops.difference(image, Image.new("RGB", image.size, MAGENTA)).convert("L")
    mask = drawn.point(lambda level: 255 if level else 0)
    return mask.resize((24, 24), Image.Resampling.BOX).point(lambda level: 255 if level > 127 else 0)


def is_near(pixel: Any, colour: tuple[int, ...]) -> bool:
    return all(abs(level - wanted) <= 8 for level, wanted in zip(pixel, colour, strict=True))


def test_a_picture_is_rgb_and_at_least_96_px() -> None:
    image = draw_scene(scene_of("cat"), random.Random(0))
    assert image.mode == "RGB" and image.size == (SIDE_PX, SIDE_PX) and SIDE_PX >= 96


def test_the_same_scene_and_seed_give_the_same_bytes() -> None:
    for number in range(10):
        scene = sample_scene(random.Random(number))
        first, again, other = (draw_scene(scene, random.Random(seed)).tobytes() for seed in (1, 1, 2))
        assert first == again and first != other


def test_pictures_are_the_same_in_every_process() -> None:
    hashes = set()
    for salt in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        command = [sys.executable, "-c", HASH_OF_PICTURES]
        root = Path(__file__).resolve().parents[1]
        hashes.add(subprocess.run(command, env=environment, cwd=root, capture_output=True, check=True).stdout)
    assert len(hashes) == 1


def test_every_kind_can_be_drawn_in_every_colour_and_size_and_is_seen_in_it() -> None:
    """No colour looks like another, and at least 100 px show it, of the 1,444 that a small thing could have."""
    assert set(THINGS) == set(KINDS)
    for kind, size in itertools.product(KINDS, SIZES):
        scene = scene_of(kind, size=size, place=PLACES[len(kind) % len(PLACES)], time=TIMES[len(kind) % 2])
        pictures = {draw_scene(recoloured(scene, 0, colour), random.Random(4)).tobytes() for colour in COLOURS}
        assert len(pictures) == len(COLOURS)
        assert group_mask(scene, 0, 4).histogram()[255] >= 100, f"{size} {kind}"


def test_nothing_leaves_the_canvas_by_more_than_its_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is drawn again on a canvas with a margin; outlines and tips may stand out by up to 3 of 192 px."""
    margin_px, outline_px = 16, 3
    side = SIDE_PX + 2 * margin_px
    blank = Image.new("RGB", (side, side), MAGENTA)
    image = blank.copy()
    wide = ImageDraw.Draw(image)

    def shifted_pen(canvas: ImageDraw.ImageDraw, x: float, y: float, *rest: object, **named: object) -> Pen:
        return Pen(wide, x + margin_px, y + margin_px, *rest, **named)  # type: ignore[arg-type]

    for kind, turns in itertools.product(KINDS, range(4)):
        draw.reach(kind, turns)  # measured with the real pen, and kept
    monkeypatch.setattr(draw, "Pen", shifted_pen)
    for kind, (size, count), relation in itertools.product(
        KINDS, (("small", 1), ("large", 3), ("small", 5)), ("alone", "left", "above")
    ):
        other = "cup" if kind != "cup" else "book"
        for pose in possible_poses(kind, "street", relation, 0):
            group = Group(kind=kind, colour="red", size=size, count=count, pose=pose)
            more = Group(kind=other, colour="red", size="large", count=3, pose="lie")
            groups = (group,) if relation == "alone" else (group, more)
            draw_scene(Scene(place="street", time="day", relation=relation, groups=groups), random.Random(count))
    box = ImageChops.difference(image, blank).getbbox()
    assert box is not None and min(box[:2]) >= margin_px - outline_px
    assert max(box[2:]) <= margin_px + SIDE_PX + outline_px


def test_silhouettes_differ_by_at_least_24_px_even_of_small_things_seen_at_96_px() -> None:
    """Colour and inner lines left out, against either way of facing."""
    plain = {kind: silhouette(kind, "", is_mirrored=False) for kind in KINDS}
    mirrored = {kind: silhouette(kind, "", is_mirrored=True) for kind in KINDS}
    for first, second in itertools.combinations(KINDS, 2):
        for other in (plain[second], mirrored[second]):
            differing_px = ImageChops.difference(plain[first], other).histogram()[255]
            assert differing_px >= 24, f"{first} and {second} differ by {differing_px} px"


def test_night_is_darker_than_day_in_every_place() -> None:
    for place in PLACES:
        day, night = (
            ImageStat.Stat(draw_scene(scene_of("cat", place=place, time=time), random.Random(2)).convert("L")).mean[0]
            for time in TIMES
        )
        assert night < day - 25, f"{place}: {day:.0f} by day, {night:.0f} by night"


def test_things_keep_their_colour_at_night() -> None:
    """Half of a house's pixels or more are within 8 levels of its palette colour, by day and by night."""
    for colour, time, place in itertools.product(COLOURS, TIMES, ("grass", "room")):
        scene = scene_of("house", colour, place=place, time=time)
        image, mask = draw_scene(scene, random.Random(6)), group_mask(scene, 0, 6)
        inside = Image.composite(image, Image.new("RGB", image.size, MAGENTA), mask)
        counts = {pixel: count for count, pixel in inside.getcolors(SIDE_PX**2) or () if pixel != MAGENTA}
        near_px = sum(count for pixel, count in counts.items() if is_near(pixel, PALETTE[colour]))
        assert near_px >= 0.5 * sum(counts.values()), f"{colour} house by {time}"


def test_places_do_not_look_alike() -> None:
    means = {
        (place, time): ImageStat.Stat(draw_scene(scene_of("key", place=place, time=time), random.Random(3))).mean
        for place in PLACES
        for time in TIMES
    }
    for (one, first), (other, second) in itertools.combinations(means.items(), 2):
        assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 4, f"{one} and {other}"


def test_the_first_group_is_left_of_or_above_the_second_by_60_px_and_never_both() -> None:
    """The canonical order: bounding-box centres of 300 scenes. Across the relation they are always nearer."""
    for seed, scene in scenes_with_two_groups(300):
        (first_x, first_y), (second_x, second_y) = (centre(group_box(scene, index, seed)) for index in (0, 1))
        along, across = second_x - first_x, second_y - first_y
        if scene.relation == "above":
            along, across = across, along
        assert along >= 60, f"seed {seed}: {scene} has its groups {along} px apart"
        assert abs(across) <= along - 30, f"seed {seed}: {scene} is as much the other relation"


def test_a_group_that_is_alone_is_in_the_middle_half() -> None:
    for seed in range(60):
        kind, count = KINDS[seed % len(KINDS)], (1, 2, 3, 5)[seed % 4]
        size = SIZES[seed % 2] if count < 5 else "small"
        pose = possible_poses(kind, "snow", "alone", 0)[-1]
        group = Group(kind=kind, colour="blue", size=size, count=count, pose=pose)
        scene = Scene(place="snow", time="day", relation="alone", groups=(group,))
        assert all(SIDE_PX / 4 < middle < SIDE_PX * 3 / 4 for middle in centre(group_box(scene, 0, seed)))


def test_large_things_look_larger_than_small_ones_whatever_the_seed() -> None:
    def width_px(scene: Scene, seed: int) -> int:
        left, _, right, _ = group_box(scene, 0, seed)
        return right - left

    for kind in KINDS:
        small, large = ([width_px(scene_of(kind, size=size), seed) for seed in range(8)] for size in SIZES)
        assert max(small) < min(large) - 3, kind


def test_located_things_are_where_they_are_drawn_and_none_covers_another() -> None:
    for seed, scene in scenes_with_two_groups(60):
        image, things = draw_and_locate(scene, random.Random(seed))
        assert image.tobytes() == draw_scene(scene, random.Random(seed)).tobytes()
        assert [thing.group for thing in things] == [group for group in scene.groups for _ in range(group.count)]
        for index, group in enumerate(scene.groups):
            left, top, right, bottom = group_box(scene, index, seed)
            own = [(thing.x, thing.y) for thing in things if thing.group.kind == group.kind]
            assert all(left <= x <= right and top <= y <= bottom for x, y in own)
            diameter_px = 2 * 0.95 * RADIUS_PX[group.size]
            pairs = itertools.combinations(own, 2)
            assert all(math.dist(one, other) >= diameter_px for one, other in pairs)


def test_what_does_not_hang_has_its_foot_on_the_ground() -> None:
    """The picture without things is drawn with the same seed: at every foot it must show no sky."""
    for seed, scene in scenes_with_two_groups(150):
        image, things = draw_and_locate(scene, random.Random(seed))
        sky = image.getpixel((0, 1)) if scene.place != "room" else None
        for thing in things:
            if thing.group.pose != "hang" and sky is not None:
                beside = 2 if thing.x > SIDE_PX / 2 else SIDE_PX - 3
                foot = min(int(thing.bottom), SIDE_PX - 1)
                assert image.getpixel((beside, foot)) != sky, f"seed {seed}: {thing.group.kind} stands in the sky"


def test_poses_can_be_told_apart() -> None:
    """What lies is turned against what stands, what hangs has a string above it, what floats none of both."""
    for kind in KINDS:
        pictures = {
            pose: draw_scene(scene_of(kind, pose=pose), random.Random(5))
            for pose in possible_poses(kind, "grass", "alone", 0)
        }
        for one, other in itertools.combinations(pictures, 2):
            difference = ImageChops.difference(pictures[one], pictures[other]).convert("L")
            assert sum(difference.point(lambda level: level > 20).histogram()[1:]) >= 60, f"{kind}: {one} and {other}"


def test_a_string_leads_from_what_hangs_to_the_top_of_the_picture() -> None:
    hanging, lying = (scene_of("key", pose=pose, time="day") for pose in ("hang", "lie"))
    for seed in range(5):
        image, (thing,) = draw_and_locate(hanging, random.Random(seed))
        column = [image.getpixel((int(thing.x), y)) for y in range(0, int(thing.top))]
        assert len(set(column)) == 1, "one colour from the top edge to the key"
        without, (thing,) = draw_and_locate(lying, random.Random(seed))
        assert without.getpixel((int(thing.x), 0)) != column[0]


def test_the_two_blues_are_further_apart_than_any_shade() -> None:
    assert math.dist(PALETTE["blue"], PALETTE["light_blue"]) > 100
    for one, other in itertools.combinations(COLOURS, 2):
        assert math.dist(PALETTE[one], PALETTE[other]) > 70, f"{one} and {other}"
