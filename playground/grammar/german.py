"""German: gender, and two cases: nominative for what is there, dative for what it stands beside ("links von einem roten
Hut").
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import Group, Scene


class Noun(NamedTuple):
    gender: str  # m, f, n
    singular: str  # nominative and dative alike
    plural: str
    dative_plural: str


_NOUNS = {
    "cat": Noun("f", "Katze", "Katzen", "Katzen"),
    "fish": Noun("m", "Fisch", "Fische", "Fischen"),
    "duck": Noun("f", "Ente", "Enten", "Enten"),
    "butterfly": Noun("m", "Schmetterling", "Schmetterlinge", "Schmetterlingen"),
    "turtle": Noun("f", "Schildkröte", "Schildkröten", "Schildkröten"),
    "car": Noun("n", "Auto", "Autos", "Autos"),
    "boat": Noun("n", "Boot", "Boote", "Booten"),
    "bus": Noun("m", "Bus", "Busse", "Bussen"),
    "airplane": Noun("n", "Flugzeug", "Flugzeuge", "Flugzeugen"),
    "tree": Noun("m", "Baum", "Bäume", "Bäumen"),
    "flower": Noun("f", "Blume", "Blumen", "Blumen"),
    "mushroom": Noun("m", "Pilz", "Pilze", "Pilzen"),
    "house": Noun("n", "Haus", "Häuser", "Häusern"),
    "cup": Noun("f", "Tasse", "Tassen", "Tassen"),
    "umbrella": Noun("m", "Regenschirm", "Regenschirme", "Regenschirmen"),
    "chair": Noun("m", "Stuhl", "Stühle", "Stühlen"),
    "key": Noun("m", "Schlüssel", "Schlüssel", "Schlüsseln"),
    "book": Noun("n", "Buch", "Bücher", "Büchern"),
    "bat_animal": Noun("f", "Fledermaus", "Fledermäuse", "Fledermäusen"),
    "bat_sport": Noun("m", "Schläger", "Schläger", "Schlägern"),
    "crane_bird": Noun("m", "Kranich", "Kraniche", "Kranichen"),
    "crane_machine": Noun("m", "Kran", "Kräne", "Kränen"),
    "mouse_animal": Noun("f", "Maus", "Mäuse", "Mäusen"),
    "mouse_computer": Noun("f", "Computermaus", "Computermäuse", "Computermäusen"),
    "bow_ribbon": Noun("f", "Schleife", "Schleifen", "Schleifen"),
    "bow_weapon": Noun("m", "Bogen", "Bögen", "Bögen"),
    "seal_animal": Noun("f", "Robbe", "Robben", "Robben"),
    "seal_stamp": Noun("m", "Stempel", "Stempel", "Stempeln"),
    "nut_food": Noun("f", "Nuss", "Nüsse", "Nüssen"),
    "nut_metal": Noun("f", "Schraubenmutter", "Schraubenmuttern", "Schraubenmuttern"),
    "palm_tree": Noun("f", "Palme", "Palmen", "Palmen"),
    "palm_hand": Noun("f", "Handfläche", "Handflächen", "Handflächen"),
}
_COLOURS = {
    "red": "rot", "orange": "orangefarben", "yellow": "gelb", "green": "grün",
    "blue": "blau", "purple": "violett", "white": "weiß", "black": "schwarz",
}  # fmt: skip
_SIZES = {"small": "klein", "large": "groß"}
_NUMBERS = {2: "zwei", 3: "drei"}
_PLACES = {
    "grass": "auf dem Gras", "sea": "auf dem Meer", "room": "in einem Zimmer",
    "snow": "im Schnee", "beach": "am Strand", "street": "auf der Straße",
}  # fmt: skip
_TIMES = {"day": "Tag", "night": "Nacht"}
_ARTICLES = {
    ("m", "nominative"): "ein", ("f", "nominative"): "eine", ("n", "nominative"): "ein",
    ("m", "dative"): "einem", ("f", "dative"): "einer", ("n", "dative"): "einem",
}  # fmt: skip
# Endings of an adjective after "ein" (mixed declension); in the plural it follows a bare number (strong declension).
_ENDINGS = {("m", "nominative"): "er", ("f", "nominative"): "e", ("n", "nominative"): "es"}
_PLURAL_ENDINGS = {"nominative": "e", "dative": "en"}


def short(scene: Scene) -> str:
    text = _phrase(scene.groups[0], "nominative")
    if scene.relation != "alone":
        relation = {"left": "links von", "above": "über"}[scene.relation]
        text = f"{text} {relation} {_phrase(scene.groups[1], 'dative')}"
    return _sentence(f"{text} {_PLACES[scene.place]}")


def detailed(scene: Scene) -> str:
    first = scene.groups[0]
    where = {"alone": "in der Mitte", "left": "links", "above": "oben"}[scene.relation]
    sentences = [f"es ist {_TIMES[scene.time]} {_PLACES[scene.place]}", f"{where} {_is(first)}"]
    if scene.relation != "alone":
        sentences.append(f"{_beside(scene.relation, first)} {_is(scene.groups[1])}")
    return " ".join(map(_sentence, sentences))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _is(group: Group) -> str:
    return f"{'ist' if group.count == 1 else 'sind'} {_phrase(group, 'nominative', with_size=True)}"


def _phrase(group: Group, case: str, *, with_size: bool = False) -> str:
    noun = _NOUNS[group.kind]
    stems = ([_SIZES[group.size]] if with_size else []) + [_COLOURS[group.colour]]
    if group.count == 1:
        article, ending, word = _ARTICLES[noun.gender, case], _ENDINGS.get((noun.gender, case), "en"), noun.singular
    else:
        article, ending = _NUMBERS[group.count], _PLURAL_ENDINGS[case]
        word = noun.plural if case == "nominative" else noun.dative_plural
    return " ".join([article, *(stem + ending for stem in stems), word])


def _beside(relation: str, group: Group) -> str:
    """ "rechts vom Hut", "unter den Katzen" """
    noun = _NOUNS[group.kind]
    if group.count > 1:
        article, word = "den", noun.dative_plural
    else:
        article, word = ("der" if noun.gender == "f" else "dem"), noun.singular
    if relation == "above":
        return f"unter {article} {word}"
    return f"rechts vom {word}" if article == "dem" else f"rechts von {article} {word}"
