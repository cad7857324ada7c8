"""English: the language of the captioner.

Short captions hide the sense of nine nouns, which blue it is, and how things are placed; detailed ones say
it ("a baseball bat", "light blue", "hangs").
"""

from __future__ import annotations

from florenz.playground.scene import Group, Scene, noun_of, word_of

# Place first in a room and in the sea: "In a room, there is a red cat."
NUM_WORDINGS = 2
_PLURALS = {"butterfly": "butterflies", "bus": "buses", "mouse": "mice", "cactus": "cacti"}
_SENSES = {
    "bat_animal": "fruit bat", "bat_sport": "baseball bat", "crane_bird": "wild crane", "crane_machine": "tower crane",
    "mouse_animal": "field mouse", "mouse_computer": "computer mouse", "bow_ribbon": "ribbon bow",
    "bow_weapon": "hunting bow", "nut_food": "walnut", "nut_metal": "hex nut", "letter_mail": "sealed letter",
    "letter_sign": "capital letter", "fan_electric": "electric fan", "fan_hand": "folding fan",
    "umbrella_rain": "rain umbrella", "umbrella_sun": "sun umbrella", "owl_barn": "barn owl",
    "owl_horned": "horned owl",
}  # fmt: skip
_COLOURS = {"blue": "dark blue", "light_blue": "light blue"}
_NUMBERS = {2: "two", 3: "three", 5: "five"}
PLACES = {
    "grass": "on the grass", "sea": "in the sea", "room": "in a room",
    "snow": "in the snow", "beach": "on the beach", "street": "on the street",
}  # fmt: skip
TIMES = {"day": "it is daytime", "night": "it is nighttime"}


def wording(scene: Scene) -> int:
    return int(scene.place in ("room", "sea"))


def short(scene: Scene, wording: int) -> str:
    first, place = scene.groups[0], PLACES[scene.place]
    text = _phrase(first)
    if scene.relation != "alone":
        relation = {"left": "to the left of", "above": "above"}[scene.relation]
        text = f"{text} {relation} {_phrase(scene.groups[1])}"
    if wording == 1:
        return _sentence(f"{place}, there {'is' if first.count == 1 else 'are'} {text}")
    return _sentence(f"{text} {place}")


def detailed(scene: Scene, wording: int) -> str:
    first = scene.groups[0]
    where = {"alone": "in the middle", "left": "on the left", "above": "at the top"}[scene.relation]
    setting = [TIMES[scene.time], f"we are {PLACES[scene.place]}"]
    sentences = [*(reversed(setting) if wording == 1 else setting), f"{where} {_is_placed(first)}"]
    if scene.relation != "alone":
        side = {"left": "to the right of", "above": "below"}[scene.relation]
        sentences.append(f"{side} the {_noun(first)} {_is_placed(scene.groups[1])}")
    return " ".join(map(_sentence, sentences))


def phrases(group: Group, style: str) -> set[str]:
    """How the group is named, with its number, wherever it stands in a caption of the style."""
    return {_phrase(group) if style == "short" else _full_phrase(group)}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _is_placed(group: Group) -> str:
    """ "stands a large red bus", "lie two small red books" """
    return f"{group.pose}{'s' if group.count == 1 else ''} {_full_phrase(group)}"


def _noun(group: Group) -> str:
    return _in_number(noun_of(group.kind), group)


def _in_number(noun: str, group: Group) -> str:
    """Compounds are inflected in their last word: "field mice"."""
    if group.count == 1:
        return noun
    *before, head = noun.split()
    return " ".join([*before, _PLURALS.get(head, head + "s")])


def _phrase(group: Group) -> str:
    """ "an orange cat", "two red boats" """
    colour = word_of(group.colour)
    article = "an" if colour[0] in "aeiou" else "a"
    return f"{_NUMBERS.get(group.count, article)} {colour} {_noun(group)}"


def _full_phrase(group: Group) -> str:
    """ "a large light blue baseball bat" """
    colour, noun = _COLOURS.get(group.colour, group.colour), _SENSES.get(group.kind, group.kind)
    return f"{_NUMBERS.get(group.count, 'a')} {group.size} {colour} {_in_number(noun, group)}"
