"""English: the language of the captioner."""

from __future__ import annotations

from florenz.playground.scene import Group, Scene, noun_of

_PLURALS = {
    "fish": "fish", "butterfly": "butterflies", "bus": "buses", "mouse": "mice",
}  # fmt: skip
_NUMBERS = {2: "two", 3: "three"}
_PLACES = {
    "grass": "on the grass", "sea": "at sea", "room": "in a room",
    "snow": "in the snow", "beach": "on the beach", "street": "on the street",
}  # fmt: skip
_TIMES = {"day": "daytime", "night": "nighttime"}


def short(scene: Scene) -> str:
    first = _phrase(scene.groups[0])
    if scene.relation != "alone":
        relation = {"left": "to the left of", "above": "above"}[scene.relation]
        first = f"{first} {relation} {_phrase(scene.groups[1])}"
    return _sentence(f"{first} {_PLACES[scene.place]}")


def detailed(scene: Scene) -> str:
    first = scene.groups[0]
    where = {"alone": "in the middle", "left": "on the left", "above": "at the top"}[scene.relation]
    sentences = [f"it is {_TIMES[scene.time]} {_PLACES[scene.place]}", f"{where} {_there_is(first)}"]
    if scene.relation != "alone":
        side = {"left": "to the right of", "above": "below"}[scene.relation]
        sentences.append(f"{side} the {_noun(first)} {_there_is(scene.groups[1])}")
    return " ".join(map(_sentence, sentences))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _there_is(group: Group) -> str:
    return f"there {'is' if group.count == 1 else 'are'} {_phrase(group, with_size=True)}"


def _noun(group: Group) -> str:
    noun = noun_of(group.kind)
    return noun if group.count == 1 else _PLURALS.get(noun, noun + "s")


def _phrase(group: Group, *, with_size: bool = False) -> str:
    """ "an orange cat", "two small red boats" """
    words = [group.size] if with_size else []
    words += [group.colour, _noun(group)]
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([_NUMBERS.get(group.count, article), *words])
