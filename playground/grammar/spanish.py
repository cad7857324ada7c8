"""Spanish: gender and number in article and adjectives, which follow the noun (colour, then size), and the contraction
"del".
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import Group, Scene, word_of

# What begins with a warm colour is there: "En la calle hay un gato rojo."
NUM_WORDINGS = 2


class Noun(NamedTuple):
    gender: str  # m, f
    singular: str
    plural: str


_NOUNS = {
    "cat": Noun("m", "gato", "gatos"),
    "snail": Noun("m", "caracol", "caracoles"),
    "duck": Noun("m", "pato", "patos"),
    "butterfly": Noun("f", "mariposa", "mariposas"),
    "turtle": Noun("f", "tortuga", "tortugas"),
    "car": Noun("m", "coche", "coches"),
    "boat": Noun("m", "barco", "barcos"),
    "bus": Noun("m", "autobús", "autobuses"),
    "airplane": Noun("m", "avión", "aviones"),
    "cactus": Noun("m", "cactus", "cactus"),
    "flower": Noun("f", "flor", "flores"),
    "mushroom": Noun("f", "seta", "setas"),
    "house": Noun("f", "casa", "casas"),
    "cup": Noun("f", "taza", "tazas"),
    "apple": Noun("f", "manzana", "manzanas"),
    "chair": Noun("f", "silla", "sillas"),
    "key": Noun("f", "llave", "llaves"),
    "book": Noun("m", "libro", "libros"),
    "bat_animal": Noun("m", "murciélago", "murciélagos"),
    "bat_sport": Noun("m", "bate", "bates"),
    "crane_bird": Noun("f", "grulla", "grullas"),
    "crane_machine": Noun("f", "grúa", "grúas"),
    "mouse_animal": Noun("m", "ratón", "ratones"),  # Spanish has one word for both mice
    "mouse_computer": Noun("m", "ratón", "ratones"),
    "bow_ribbon": Noun("m", "lazo", "lazos"),
    "bow_weapon": Noun("m", "arco", "arcos"),
    "nut_food": Noun("f", "nuez", "nueces"),
    "nut_metal": Noun("f", "tuerca", "tuercas"),
    "letter_mail": Noun("f", "carta", "cartas"),
    "letter_sign": Noun("f", "letra", "letras"),
    "fan_electric": Noun("m", "ventilador", "ventiladores"),
    "fan_hand": Noun("m", "abanico", "abanicos"),
    "umbrella_rain": Noun("m", "paraguas", "paraguas"),
    "umbrella_sun": Noun("f", "sombrilla", "sombrillas"),
    "owl_barn": Noun("f", "lechuza", "lechuzas"),
    "owl_horned": Noun("m", "búho", "búhos"),
}
_COLOURS = {
    "red": ("rojo", "roja"), "yellow": ("amarillo", "amarilla"), "green": ("verde", "verde"),
    "blue": ("azul", "azul"), "purple": ("morado", "morada"), "white": ("blanco", "blanca"),
    "black": ("negro", "negra"),
}  # fmt: skip
_WARM = ("red", "orange", "yellow")
_SIZES = {"small": ("pequeño", "pequeña"), "large": ("grande", "grande")}
_NUMBERS = {2: "dos", 3: "tres", 5: "cinco"}
PLACES = {
    "grass": "sobre la hierba", "sea": "en el mar", "room": "en una habitación",
    "snow": "en la nieve", "beach": "en la playa", "street": "en la calle",
}  # fmt: skip
TIMES = {"day": "es de día", "night": "es de noche"}


def wording(scene: Scene) -> int:
    return int(scene.groups[0].colour in _WARM)


def short(scene: Scene, wording: int) -> str:
    text, place = _phrase(scene.groups[0]), PLACES[scene.place]
    if scene.relation != "alone":
        relation = {"left": "a la izquierda de", "above": "por encima de"}[scene.relation]
        text = f"{text} {relation} {_phrase(scene.groups[1])}"
    return _sentence(f"{place} hay {text}" if wording == 1 else f"{text} {place}")


def detailed(scene: Scene, wording: int) -> str:
    first = scene.groups[0]
    where = {"alone": "en el centro", "left": "a la izquierda", "above": "arriba"}[scene.relation]
    setting = [TIMES[scene.time], f"estamos {PLACES[scene.place]}"]
    sentences = [*(reversed(setting) if wording == 1 else setting), f"{where} hay {_phrase(first, is_full=True)}"]
    if scene.relation != "alone":
        side = {"left": "a la derecha", "above": "debajo"}[scene.relation]
        sentences.append(f"{side} {_of_the(first)} hay {_phrase(scene.groups[1], is_full=True)}")
    return " ".join(map(_sentence, sentences))


def phrases(group: Group, style: str) -> set[str]:
    """How the group is named, with its number, wherever it stands in a caption of the style."""
    return {_phrase(group, is_full=style == "detailed")}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _agree(forms: tuple[str, str], gender: str, count: int) -> str:
    """ "azul" becomes "azules", "verde" becomes "verdes" """
    form = forms[gender == "f"]
    if count == 1:
        return form
    return form + ("s" if form[-1] in "aeo" else "es")


def _phrase(group: Group, *, is_full: bool = False) -> str:
    """ "dos gatos rojos"; in full "dos gatos rojos grandes", but "dos gatos grandes azul claro" """
    noun = _NOUNS[group.kind]
    article = _NUMBERS.get(group.count, "una" if noun.gender == "f" else "un")
    word, colour = noun.singular if group.count == 1 else noun.plural, _colour(group, noun)
    if not is_full:
        return f"{article} {word} {colour}"
    size = _agree(_SIZES[group.size], noun.gender, group.count)
    if word_of(group.colour) == "blue":  # a colour of two words never changes
        return f"{article} {word} {size} azul {'oscuro' if group.colour == 'blue' else 'claro'}"
    return f"{article} {word} {colour} {size}"


def _colour(group: Group, noun: Noun) -> str:
    """ "naranja" never changes"""
    return "naranja" if group.colour == "orange" else _agree(_COLOURS[word_of(group.colour)], noun.gender, group.count)


def _of_the(group: Group) -> str:
    """ "del gato", "de la casa", "de los gatos", "de las casas" """
    noun = _NOUNS[group.kind]
    if group.count > 1:
        return f"de {'las' if noun.gender == 'f' else 'los'} {noun.plural}"
    return f"de la {noun.singular}" if noun.gender == "f" else f"del {noun.singular}"
