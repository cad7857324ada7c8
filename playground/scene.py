"""What a playground picture shows, as a value; scenes are drawn from a seed and are the same on every machine.

A scene is one group of things, or two groups in a relation, in a place, by day or by night. The order of the groups is
part of the truth: the first group is the left one or the upper one, so that one picture shows exactly one scene ("A
left of B" and "B right of A" would be the same picture). Two groups never share an English noun, so that "the bat"
always says which.

A short English caption hides some of what the picture shows: which of two senses a noun has, which of two blues, and
how a thing is placed (it stands, lies, sits, hangs or floats). Other languages have to say these things; the detailed
caption says them in English too. `usual_reading` is what a reader without the picture would take for granted.

How many there are: 36 kinds x 9 colours x 7 sizes and counts = 2,268 groups, before their poses; two groups in 2
relations, 6 places and 2 times of day give more than 200 million different scenes (`count_scenes`).
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from itertools import product

PLACES = ("grass", "sea", "room", "snow", "beach", "street")
TIMES = ("day", "night")
RELATIONS = ("alone", "left", "above")
COLOURS = ("red", "orange", "yellow", "green", "blue", "light_blue", "purple", "white", "black")
SIZES = ("small", "large")
COUNTS = (1, 2, 3, 5)
POSES = ("stand", "lie", "sit", "hang", "float")

# Kinds whose English noun has one meaning in this world.
PLAIN_KINDS = (
    "cat", "snail", "duck", "butterfly", "turtle", "car", "boat", "bus", "airplane", "cactus", "flower", "mushroom",
    "house", "cup", "apple", "chair", "key", "book",
)  # fmt: skip
# Pairs of kinds that share one English noun: only the picture settles which one is meant. The first is the usual sense,
# the one that a translator which sees no picture has learned.
AMBIGUOUS_KINDS = {
    "bat": ("bat_animal", "bat_sport"),
    "crane": ("crane_bird", "crane_machine"),
    "mouse": ("mouse_animal", "mouse_computer"),
    "bow": ("bow_ribbon", "bow_weapon"),
    "nut": ("nut_food", "nut_metal"),
    "letter": ("letter_mail", "letter_sign"),
    "fan": ("fan_electric", "fan_hand"),
    "umbrella": ("umbrella_rain", "umbrella_sun"),
    "owl": ("owl_barn", "owl_horned"),
}
KINDS = PLAIN_KINDS + tuple(kind for senses in AMBIGUOUS_KINDS.values() for kind in senses)
# An ambiguous noun is half as likely as its two senses would make it: about half of the scenes have none.
_KIND_WEIGHTS = [1.0] * len(PLAIN_KINDS) + [0.5] * (len(KINDS) - len(PLAIN_KINDS))
ANIMALS = frozenset(
    ("cat", "snail", "duck", "butterfly", "turtle", "bat_animal", "crane_bird", "mouse_animal", "owl_barn",
     "owl_horned")
)  # fmt: skip
# How things of a kind can be placed on the ground or by a string, the usual way first. Kinds left out stand.
_POSES = {
    "cat": ("sit",), "snail": ("sit",), "duck": ("stand",), "butterfly": ("sit",), "turtle": ("sit",),
    "boat": ("lie",), "airplane": ("stand", "hang"), "cup": ("stand", "lie", "hang"), "apple": ("lie", "hang"),
    "chair": ("stand", "lie"), "key": ("lie", "hang"), "book": ("lie", "stand"),
    "bat_animal": ("sit",), "bat_sport": ("lie", "stand"), "mouse_animal": ("sit",), "mouse_computer": ("lie",),
    "bow_ribbon": ("lie", "hang"), "bow_weapon": ("lie", "hang"), "nut_food": ("lie",), "nut_metal": ("lie", "hang"),
    "letter_mail": ("lie", "hang"), "letter_sign": ("stand", "lie"), "fan_electric": ("stand", "lie"),
    "fan_hand": ("lie", "hang"), "umbrella_rain": ("stand", "lie", "hang"), "umbrella_sun": ("stand", "lie"),
    "owl_barn": ("sit",), "owl_horned": ("sit",),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Group:
    """One, two, three or five equal things; five are always small, so that they fit."""

    kind: str
    colour: str
    size: str
    count: int
    pose: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One group (`relation` is "alone") or two; the first is left of, or above, the second. What is above hangs."""

    place: str
    time: str
    relation: str
    groups: tuple[Group, ...]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the short English caption has a noun with two meanings."""
        return any(group.kind not in PLAIN_KINDS for group in self.groups)


def noun_of(kind: str) -> str:
    """The English noun: "bat" for "bat_animal" and "bat_sport"."""
    return kind.split("_")[0]


def word_of(colour: str) -> str:
    """The short English caption's word: "blue" for both blues."""
    return colour.removeprefix("light_")


def possible_poses(kind: str, place: str, relation: str, index: int) -> tuple[str, ...]:
    """How a thing of that kind can be placed there, the usual way first."""
    if relation == "above" and index == 0:
        return ("hang",)
    poses = _POSES.get(kind, ("stand",))
    return tuple(pose for pose in ("float", *poses) if pose in ("float", "hang")) if place == "sea" else poses


def usual_reading(scene: Scene) -> Scene:
    """The scene that the short English caption suggests to a reader without the picture: every ambiguous noun in its
    usual sense, the darker blue, everything placed as it usually is.
    """
    groups = []
    for index, group in enumerate(scene.groups):
        kind = senses_of(group.kind)[0]
        pose = possible_poses(kind, scene.place, scene.relation, index)[0]
        groups.append(replace(group, kind=kind, colour=word_of(group.colour), pose=pose))
    return replace(scene, groups=tuple(groups))


def readings(scene: Scene) -> list[Scene]:
    """Every scene that the short English caption of `scene` describes as well, `scene` among them."""
    options = [
        [
            replace(group, kind=kind, colour=colour, pose=pose)
            for kind in senses_of(group.kind)
            for colour in (("blue", "light_blue") if word_of(group.colour) == "blue" else (group.colour,))
            for pose in possible_poses(kind, scene.place, scene.relation, index)
        ]
        for index, group in enumerate(scene.groups)
    ]
    return [replace(scene, groups=groups) for groups in product(*options)]


def senses_of(kind: str) -> tuple[str, ...]:
    """The kinds with the same English noun, the usual one first."""
    return AMBIGUOUS_KINDS.get(noun_of(kind), (kind,))


def random_for(seed: int, *names: object) -> random.Random:
    """A generator that depends on nothing but its arguments (Python's own `hash` is salted per process)."""
    digest = hashlib.sha256(":".join(map(str, (seed, *names))).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def sample_scene(rng: random.Random) -> Scene:
    """One scene; three in ten have one group, the others are evenly left of / above. A quarter has each count."""
    relation = rng.choices(RELATIONS, weights=(0.3, 0.35, 0.35))[0]
    place, time = rng.choice(PLACES), rng.choice(TIMES)
    groups: list[Group] = []
    while len(groups) < (1 if relation == "alone" else 2):
        kind = rng.choices(KINDS, weights=_KIND_WEIGHTS)[0]
        if any(noun_of(kind) == noun_of(group.kind) for group in groups):
            continue
        count = rng.choice(COUNTS)
        size = rng.choice(SIZES) if count <= 3 else "small"
        pose = rng.choice(possible_poses(kind, place, relation, len(groups)))
        groups.append(Group(kind=kind, colour=rng.choice(COLOURS), size=size, count=count, pose=pose))
    return Scene(place=place, time=time, relation=relation, groups=tuple(groups))


def is_unseen(what: Scene | str) -> bool:
    """Whether a scene (or a caption) is kept out of training: one in twenty, by a hash of nothing but itself."""
    return hashlib.sha256((what if isinstance(what, str) else repr(what)).encode()).digest()[0] % 20 == 0


def concepts_of(scene: Scene) -> list[str]:
    """What the picture shows, for recipes that withhold concepts: nouns, colours and both together, as the short
    English caption says them, sorted ("bat", "blue", "blue bat").
    """
    concepts = set()
    for group in scene.groups:
        noun, colour = noun_of(group.kind), word_of(group.colour)
        concepts |= {noun, colour, f"{colour} {noun}"}
    return sorted(concepts)


def shows_withheld(scene: Scene, withheld: frozenset[str]) -> bool:
    """Whether the picture shows one of the concepts, each written as `concepts_of` writes it."""
    return not withheld.isdisjoint(concepts_of(scene))


def all_concepts() -> set[str]:
    """Every concept that a scene of this world can show."""
    nouns, colours = {noun_of(kind) for kind in KINDS}, {word_of(colour) for colour in COLOURS}
    return nouns | colours | {f"{colour} {noun}" for colour in colours for noun in nouns}


def count_scenes() -> int:
    """How many different scenes there are (layout and shades not counted)."""
    looks = len(COLOURS) * (len(SIZES) * (len(COUNTS) - 1) + 1)
    total = 0
    for place, relation in product(PLACES, RELATIONS):
        first, second = (
            {kind: looks * len(possible_poses(kind, place, relation, index)) for kind in KINDS} for index in (0, 1)
        )
        if relation == "alone":
            total += sum(first.values())
        else:
            total += sum(first[a] * second[b] for a in KINDS for b in KINDS if noun_of(a) != noun_of(b))
    return len(TIMES) * total
