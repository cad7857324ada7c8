"""Spanish: gender and number in article and adjectives, which follow the noun (colour, then size), and the contraction
"del".
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import Group, Scene


class Noun(NamedTuple):
    gender: str  # m, f
    singular: str
    plural: str


_NOUNS = {
    "cat": Noun("m", "gato", "gatos"),
    "fish": Noun("m", "pez", "peces"),
    "duck": Noun("m", "pato", "patos"),
    "butterfly": Noun("f", "mariposa", "mariposas"),
    "turtle": Noun("f", "tortuga", "tortugas"),
    "car": Noun("m", "coche", "coches"),
    "boat": Noun("m", "barco", "barcos"),
    "bus": Noun("m", "autobús", "autobuses"),
    "airplane": Noun("m", "avión", "aviones"),
    "tree": Noun("m", "árbol", "árboles"),
    "flower": Noun("f", "flor", "flores"),
    "mushroom": Noun("f", "seta", "setas"),
    "house": Noun("f", "casa", "casas"),
    "cup": Noun("f", "taza", "tazas"),
    "umbrella": Noun("m", "paraguas", "paraguas"),
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
    "seal_animal": Noun("f", "foca", "focas"),
    "seal_stamp": Noun("m", "sello", "sellos"),
    "nut_food": Noun("f", "nuez", "nueces"),
    "nut_metal": Noun("f", "tuerca", "tuercas"),
    "palm_tree": Noun("f", "palmera", "palmeras"),
    "palm_hand": Noun("f", "palma", "palmas"),
}
_COLOURS = {
    "red": ("rojo", "roja"), "orange": ("anaranjado", "anaranjada"), "yellow": ("amarillo", "amarilla"),
    "green": ("verde", "verde"), "blue": ("azul", "azul"), "purple": ("morado", "morada"),
    "white": ("blanco", "blanca"), "black": ("negro", "negra"),
}  # fmt: skip
_SIZES = {"small": ("pequeño", "pequeña"), "large": ("grande", "grande")}
_NUMBERS = {2: "dos", 3: "tres"}
_PLACES = {
    "grass": "sobre la hierba", "sea": "en el mar", "room": "en una habitación",
    "snow": "en la nieve", "beach": "en la playa", "street": "en la calle",
}  # fmt: skip
_TIMES = {"day": "día", "night": "noche"}


def short(scene: Scene) -> str:
    text = _phrase(scene.groups[0])
    if scene.relation != "alone":
        relation = {"left": "a la izquierda de", "above": "encima de"}[scene.relation]
        text = f"{text} {relation} {_phrase(scene.groups[1])}"
    return _sentence(f"{text} {_PLACES[scene.place]}")


def detailed(scene: Scene) -> str:
    first = scene.groups[0]
    where = {"alone": "en el centro", "left": "a la izquierda", "above": "arriba"}[scene.relation]
    sentences = [f"es de {_TIMES[scene.time]} {_PLACES[scene.place]}", f"{where} hay {_phrase(first, with_size=True)}"]
    if scene.relation != "alone":
        side = {"left": "a la derecha", "above": "debajo"}[scene.relation]
        sentences.append(f"{side} {_of_the(first)} hay {_phrase(scene.groups[1], with_size=True)}")
    return " ".join(map(_sentence, sentences))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _agree(forms: tuple[str, str], gender: str, count: int) -> str:
    """ "azul" becomes "azules", "verde" becomes "verdes" """
    form = forms[gender == "f"]
    if count == 1:
        return form
    return form + ("s" if form[-1] in "aeo" else "es")


def _phrase(group: Group, *, with_size: bool = False) -> str:
    noun = _NOUNS[group.kind]
    article = _NUMBERS.get(group.count, "una" if noun.gender == "f" else "un")
    word = noun.singular if group.count == 1 else noun.plural
    size = [_agree(_SIZES[group.size], noun.gender, group.count)] if with_size else []
    return " ".join([article, word, _agree(_COLOURS[group.colour], noun.gender, group.count), *size])


def _of_the(group: Group) -> str:
    """ "del gato", "de la casa", "de los gatos", "de las casas" """
    noun = _NOUNS[group.kind]
    if group.count > 1:
        return f"de {'las' if noun.gender == 'f' else 'los'} {noun.plural}"
    return f"de la {noun.singular}" if noun.gender == "f" else f"del {noun.singular}"
