"""French: gender and number in article and adjectives, colours after the noun and sizes before it, elision ("d'un", "de
l'arc") and contraction ("du", "des"). Placement is not said; which umbrella and which owl it is, is.
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import ANIMALS, Group, Scene, word_of

# What begins with an animal is seen: "Dans la rue, on voit un chat noir."
NUM_WORDINGS = 2


class Noun(NamedTuple):
    gender: str  # m, f
    singular: str
    plural: str


_NOUNS = {
    "cat": Noun("m", "chat", "chats"),
    "snail": Noun("m", "escargot", "escargots"),
    "duck": Noun("m", "canard", "canards"),
    "butterfly": Noun("m", "papillon", "papillons"),
    "turtle": Noun("f", "tortue", "tortues"),
    "car": Noun("f", "voiture", "voitures"),
    "boat": Noun("m", "bateau", "bateaux"),
    "bus": Noun("m", "bus", "bus"),
    "airplane": Noun("m", "avion", "avions"),
    "cactus": Noun("m", "cactus", "cactus"),
    "flower": Noun("f", "fleur", "fleurs"),
    "mushroom": Noun("m", "champignon", "champignons"),
    "house": Noun("f", "maison", "maisons"),
    "cup": Noun("f", "tasse", "tasses"),
    "apple": Noun("f", "pomme", "pommes"),
    "chair": Noun("f", "chaise", "chaises"),
    "key": Noun("f", "clé", "clés"),
    "book": Noun("m", "livre", "livres"),
    "bat_animal": Noun("f", "chauve-souris", "chauves-souris"),
    "bat_sport": Noun("f", "batte", "battes"),
    "crane_bird": Noun("f", "grue", "grues"),  # French has one word for both cranes
    "crane_machine": Noun("f", "grue", "grues"),
    "mouse_animal": Noun("f", "souris", "souris"),  # for both mice
    "mouse_computer": Noun("f", "souris", "souris"),
    "bow_ribbon": Noun("m", "nœud de ruban", "nœuds de ruban"),
    "bow_weapon": Noun("m", "arc", "arcs"),
    "nut_food": Noun("f", "noix", "noix"),
    "nut_metal": Noun("m", "écrou", "écrous"),
    "letter_mail": Noun("f", "lettre", "lettres"),  # and for both letters
    "letter_sign": Noun("f", "lettre", "lettres"),
    "fan_electric": Noun("m", "ventilateur", "ventilateurs"),
    "fan_hand": Noun("m", "éventail", "éventails"),
    "umbrella_rain": Noun("m", "parapluie", "parapluies"),
    "umbrella_sun": Noun("m", "parasol", "parasols"),
    "owl_barn": Noun("f", "chouette", "chouettes"),
    "owl_horned": Noun("m", "hibou", "hiboux"),  # with an aspirated h: "du hibou"
}
# Large is "gros" for what is round or alive, "grand" for the rest.
_ROUND = {"apple", "mushroom", "nut_food", "nut_metal"}
# masculine and feminine singular; the plural adds -s; "orange" never changes.
_COLOURS = {
    "red": ("rouge", "rouge"), "yellow": ("jaune", "jaune"), "green": ("vert", "verte"), "blue": ("bleu", "bleue"),
    "purple": ("violet", "violette"), "white": ("blanc", "blanche"), "black": ("noir", "noire"),
}  # fmt: skip
_SIZES = {"small": ("petit", "petite"), "large": ("grand", "grande"), "round": ("gros", "grosse")}
_NUMBERS = {2: "deux", 3: "trois", 5: "cinq"}
PLACES = {
    "grass": "sur l'herbe", "sea": "dans la mer", "room": "dans une pièce",
    "snow": "dans la neige", "beach": "sur la plage", "street": "dans la rue",
}  # fmt: skip
TIMES = {"day": "il fait jour", "night": "il fait nuit"}
_VOWELS = "aeiouéèê"


def wording(scene: Scene) -> int:
    return int(scene.groups[0].kind in ANIMALS)


def short(scene: Scene, wording: int) -> str:
    text, place = _phrase(scene.groups[0]), PLACES[scene.place]
    if scene.relation != "alone":
        relation = {"left": "à gauche", "above": "au-dessus"}[scene.relation]
        text = f"{text} {relation} {_of(_phrase(scene.groups[1]))}"
    return _sentence(f"{place}, on voit {text}" if wording == 1 else f"{text} {place}")


def detailed(scene: Scene, wording: int) -> str:
    first = scene.groups[0]
    where = {"alone": "au milieu", "left": "à gauche", "above": "en haut"}[scene.relation]
    setting = [TIMES[scene.time], f"nous sommes {PLACES[scene.place]}"]
    sentences = [*(reversed(setting) if wording == 1 else setting), f"{where}, il y a {_phrase(first, is_full=True)}"]
    if scene.relation != "alone":
        side = {"left": "à droite", "above": "au-dessous"}[scene.relation]
        sentences.append(f"{side} {_of_the(first)}, il y a {_phrase(scene.groups[1], is_full=True)}")
    return " ".join(map(_sentence, sentences))


def phrases(group: Group, style: str) -> set[str]:
    """How the group is named, with its number, wherever it stands in a caption of the style."""
    return {_phrase(group, is_full=style == "detailed")}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _phrase(group: Group, *, is_full: bool = False) -> str:
    """ "deux chats noirs"; in full "deux gros chats noirs" """
    noun = _NOUNS[group.kind]
    article = _NUMBERS.get(group.count, "une" if noun.gender == "f" else "un")
    word = noun.singular if group.count == 1 else noun.plural
    size = [_size(group, noun)] if is_full else []
    return " ".join([article, *size, word, _colour(group, noun, is_full)])


def _size(group: Group, noun: Noun) -> str:
    is_round = group.size == "large" and (group.kind in ANIMALS or group.kind in _ROUND)
    form = _SIZES["round" if is_round else group.size][noun.gender == "f"]
    return form if group.count == 1 or form[-1] == "s" else form + "s"


def _colour(group: Group, noun: Noun, is_full: bool) -> str:
    if is_full and word_of(group.colour) == "blue":  # a colour of two words never changes
        return "bleu foncé" if group.colour == "blue" else "bleu clair"
    if group.colour == "orange":
        return "orange"
    return _COLOURS[word_of(group.colour)][noun.gender == "f"] + ("s" if group.count > 1 else "")


def _of(phrase: str) -> str:
    """ "d'un chat", "de deux chats" """
    return f"d'{phrase}" if phrase[0] in _VOWELS else f"de {phrase}"


def _of_the(group: Group) -> str:
    """ "du chat", "de la clé", "de l'arc", "des chats" """
    noun = _NOUNS[group.kind]
    if group.count > 1:
        return f"des {noun.plural}"
    if noun.singular[0] in _VOWELS:
        return f"de l'{noun.singular}"
    return f"de la {noun.singular}" if noun.gender == "f" else f"du {noun.singular}"
