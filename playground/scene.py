"""What a playground picture shows, as a value; scenes are drawn from a seed and are the same on every machine.

A scene is one group of things, or two groups in a relation, in a place, by day or by night. The order of the groups is
part of the truth: the first group is the left one or the upper one, so that one picture has exactly one caption ("A
left of B" and "B right of A" would be the same picture). Two groups never share an English noun, so that "the bat"
always says which.

How many there are: 32 kinds x 8 colours x 2 sizes x 3 counts = 1,536 groups; two groups in 2 relations, 6 places and 2
times of day give more than 50 million different scenes (`count_scenes`), before the layout varies anything.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

PLACES = ("grass", "sea", "room", "snow", "beach", "street")
TIMES = ("day", "night")
RELATIONS = ("alone", "left", "above")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
SIZES = ("small", "large")
MAX_COUNT = 3

# Kinds whose English noun has one meaning in this world.
PLAIN_KINDS = (
    "cat", "fish", "duck", "butterfly", "turtle", "car", "boat", "bus", "airplane", "tree", "flower", "mushroom",
    "house", "cup", "umbrella", "chair", "key", "book",
)  # fmt: skip
# Pairs of kinds that share one English noun: only the picture settles which one is meant. The first is the usual sense,
# the one that a translator which sees no picture has learned.
AMBIGUOUS_KINDS = {
    "bat": ("bat_animal", "bat_sport"),
    "crane": ("crane_bird", "crane_machine"),
    "mouse": ("mouse_animal", "mouse_computer"),
    "bow": ("bow_ribbon", "bow_weapon"),
    "seal": ("seal_animal", "seal_stamp"),
    "nut": ("nut_food", "nut_metal"),
    "palm": ("palm_tree", "palm_hand"),
}
KINDS = PLAIN_KINDS + tuple(kind for senses in AMBIGUOUS_KINDS.values() for kind in senses)
# An ambiguous noun is half as likely as its two senses would make it: about half of the scenes have none.
_KIND_WEIGHTS = [1.0] * len(PLAIN_KINDS) + [0.5] * (len(KINDS) - len(PLAIN_KINDS))


@dataclass(frozen=True, kw_only=True)
class Group:
    """One to three equal things."""

    kind: str
    colour: str
    size: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One group (`relation` is "alone") or two; the first is left of, or above, the second."""

    place: str
    time: str
    relation: str
    groups: tuple[Group, ...]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the English caption has a noun with two meanings."""
        return any(group.kind not in PLAIN_KINDS for group in self.groups)


def noun_of(kind: str) -> str:
    """The English noun: "bat" for "bat_animal" and "bat_sport"."""
    return kind.split("_")[0]


def usual_reading(scene: Scene) -> Scene:
    """The scene that the English caption suggests to a reader without the picture: every ambiguous noun in its usual
    sense.
    """
    groups = []
    for group in scene.groups:
        kind = AMBIGUOUS_KINDS[noun_of(group.kind)][0] if group.kind not in PLAIN_KINDS else group.kind
        groups.append(Group(kind=kind, colour=group.colour, size=group.size, count=group.count))
    return Scene(place=scene.place, time=scene.time, relation=scene.relation, groups=tuple(groups))


def random_for(seed: int, *names: object) -> random.Random:
    """A generator that depends on nothing but its arguments (Python's own `hash` is salted per process)."""
    digest = hashlib.sha256(":".join(map(str, (seed, *names))).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def sample_scene(rng: random.Random) -> Scene:
    """One scene; three in ten have one group, the others are evenly left of / above."""
    relation = rng.choices(RELATIONS, weights=(0.3, 0.35, 0.35))[0]
    groups: list[Group] = []
    while len(groups) < (1 if relation == "alone" else 2):
        kind = rng.choices(KINDS, weights=_KIND_WEIGHTS)[0]
        if any(noun_of(kind) == noun_of(group.kind) for group in groups):
            continue
        groups.append(
            Group(kind=kind, colour=rng.choice(COLOURS), size=rng.choice(SIZES), count=rng.randint(1, MAX_COUNT))
        )
    return Scene(place=rng.choice(PLACES), time=rng.choice(TIMES), relation=relation, groups=tuple(groups))


def is_unseen(what: Scene | str) -> bool:
    """Whether a scene (or a caption) is kept out of training: one in twenty, by a hash of nothing but itself."""
    return hashlib.sha256((what if isinstance(what, str) else repr(what)).encode()).digest()[0] % 20 == 0


def count_scenes() -> int:
    """How many different scenes there are (layout and shades not counted)."""
    looks = len(COLOURS) * len(SIZES) * MAX_COUNT
    ordered_pairs = sum(noun_of(a) != noun_of(b) for a in KINDS for b in KINDS)
    settings = len(PLACES) * len(TIMES)
    return settings * (len(KINDS) * looks + 2 * ordered_pairs * looks**2)
