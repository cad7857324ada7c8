"""French: gender and number in article and adjectives, colours after the noun and sizes before it, elision ("d'un", "de
l'arbre") and contraction ("du", "des").
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import Group, Scene


class Noun(NamedTuple):
    gender: str  # m, f
    singular: str
    plural: str


_NOUNS = {
    "cat": Noun("m", "chat", "chats"),
    "fish": Noun("m", "poisson", "poissons"),
    "duck": Noun("m", "canard", "canards"),
    "butterfly": Noun("m", "papillon", "papillons"),
    "turtle": Noun("f", "tortue", "tortues"),
    "car": Noun("f", "voiture", "voitures"),
    "boat": Noun("m", "bateau", "bateaux"),
    "bus": Noun("m", "bus", "bus"),
    "airplane": Noun("m", "avion", "avions"),
    "tree": Noun("m", "arbre", "arbres"),
    "flower": Noun("f", "fleur", "fleurs"),
    "mushroom": Noun("m", "champignon", "champignons"),
    "house": Noun("f", "maison", "maisons"),
    "cup": Noun("f", "tasse", "tasses"),
    "umbrella": Noun("m", "parapluie", "parapluies"),
    "chair": Noun("f", "chaise", "chaises"),
    "key": Noun("f", "clé", "clés"),
    "book": Noun("m", "livre", "livres"),
    "bat_animal": Noun("f", "chauve-souris", "chauves-souris"),
    "bat_sport": Noun("f", "batte", "battes"),
    "crane_bird": Noun("f", "grue", "grues"),  # French has one word for both cranes
    "crane_machine": Noun("f", "grue", "grues"),
    "mouse_animal": Noun("f", "souris", "souris"),  # and for both mice
    "mouse_computer": Noun("f", "souris", "souris"),
    "bow_ribbon": Noun("m", "nœud", "nœuds"),
    "bow_weapon": Noun("m", "arc", "arcs"),
    "seal_animal": Noun("m", "phoque", "phoques"),
    "seal_stamp": Noun("m", "tampon", "tampons"),
    "nut_food": Noun("f", "noix", "noix"),
    "nut_metal": Noun("m", "écrou", "écrous"),
    "palm_tree": Noun("m", "palmier", "palmiers"),
    "palm_hand": Noun("f", "paume", "paumes"),
}
# masculine and feminine singular; the plural adds -s; "orange" never changes.
_COLOURS = {
    "red": ("rouge", "rouge"), "yellow": ("jaune", "jaune"), "green": ("vert", "verte"), "blue": ("bleu", "bleue"),
    "purple": ("violet", "violette"), "white": ("blanc", "blanche"), "black": ("noir", "noire"),
}  # fmt: skip
_SIZES = {"small": ("petit", "petite"), "large": ("grand", "grande")}
_NUMBERS = {2: "deux", 3: "trois"}
_PLACES = {
    "grass": "sur l'herbe", "sea": "en mer", "room": "dans une pièce",
    "snow": "dans la neige", "beach": "sur la plage", "street": "dans la rue",
}  # fmt: skip
_TIMES = {"day": "jour", "night": "nuit"}
_VOWELS = "aeiouéèê"


def short(scene: Scene) -> str:
    text = _phrase(scene.groups[0])
    if scene.relation != "alone":
        relation = {"left": "à gauche", "above": "au-dessus"}[scene.relation]
        text = f"{text} {relation} {_of(_phrase(scene.groups[1]))}"
    return _sentence(f"{text} {_PLACES[scene.place]}")


def detailed(scene: Scene) -> str:
    first = scene.groups[0]
    where = {"alone": "au milieu", "left": "à gauche", "above": "en haut"}[scene.relation]
    sentences = [
        f"il fait {_TIMES[scene.time]} {_PLACES[scene.place]}",
        f"{where}, il y a {_phrase(first, with_size=True)}",
    ]
    if scene.relation != "alone":
        side = {"left": "à droite", "above": "au-dessous"}[scene.relation]
        sentences.append(f"{side} {_of_the(first)}, il y a {_phrase(scene.groups[1], with_size=True)}")
    return " ".join(map(_sentence, sentences))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _agree(forms: tuple[str, str], gender: str, count: int) -> str:
    return forms[gender == "f"] + ("s" if count > 1 else "")


def _phrase(group: Group, *, with_size: bool = False) -> str:
    noun = _NOUNS[group.kind]
    article = _NUMBERS.get(group.count, "une" if noun.gender == "f" else "un")
    size = [_agree(_SIZES[group.size], noun.gender, group.count)] if with_size else []
    word = noun.singular if group.count == 1 else noun.plural
    colour = "orange" if group.colour == "orange" else _agree(_COLOURS[group.colour], noun.gender, group.count)
    return " ".join([article, *size, word, colour])


def _of(phrase: str) -> str:
    """ "d'un chat", "de deux chats" """
    return f"d'{phrase}" if phrase[0] in _VOWELS else f"de {phrase}"


def _of_the(group: Group) -> str:
    """ "du chat", "de la clé", "de l'arbre", "des chats" """
    noun = _NOUNS[group.kind]
    if group.count > 1:
        return f"des {noun.plural}"
    if noun.singular[0] in _VOWELS:
        return f"de l'{noun.singular}"
    return f"de la {noun.singular}" if noun.gender == "f" else f"du {noun.singular}"
