"""German: gender, and two cases: nominative for what is there, dative for what it stands beside ("links von einem roten
Bus"). A German says of everything whether it stands, lies, sits, hangs or floats, and so must look at the picture.
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import Group, Scene, word_of

# One thing begins the sentence; of several, the place does ("Auf der Straße stehen zwei ...").
NUM_WORDINGS = 2


class Noun(NamedTuple):
    gender: str  # m, f, n
    singular: str
    plural: str
    dative_plural: str
    dative: str = ""  # the nominative where empty


_NOUNS = {
    "cat": Noun("f", "Katze", "Katzen", "Katzen"),
    "snail": Noun("f", "Schnecke", "Schnecken", "Schnecken"),
    "duck": Noun("f", "Ente", "Enten", "Enten"),
    "butterfly": Noun("m", "Schmetterling", "Schmetterlinge", "Schmetterlingen"),
    "turtle": Noun("f", "Schildkröte", "Schildkröten", "Schildkröten"),
    "car": Noun("n", "Auto", "Autos", "Autos"),
    "boat": Noun("n", "Boot", "Boote", "Booten"),
    "bus": Noun("m", "Bus", "Busse", "Bussen"),
    "airplane": Noun("n", "Flugzeug", "Flugzeuge", "Flugzeugen"),
    "cactus": Noun("m", "Kaktus", "Kakteen", "Kakteen"),
    "flower": Noun("f", "Blume", "Blumen", "Blumen"),
    "mushroom": Noun("m", "Pilz", "Pilze", "Pilzen"),
    "house": Noun("n", "Haus", "Häuser", "Häusern"),
    "cup": Noun("f", "Tasse", "Tassen", "Tassen"),
    "apple": Noun("m", "Apfel", "Äpfel", "Äpfeln"),
    "chair": Noun("m", "Stuhl", "Stühle", "Stühlen"),
    "key": Noun("m", "Schlüssel", "Schlüssel", "Schlüsseln"),
    "book": Noun("n", "Buch", "Bücher", "Büchern"),
    "bat_animal": Noun("f", "Fledermaus", "Fledermäuse", "Fledermäusen"),
    "bat_sport": Noun("m", "Baseballschläger", "Baseballschläger", "Baseballschlägern"),
    "crane_bird": Noun("m", "Kranich", "Kraniche", "Kranichen"),
    "crane_machine": Noun("m", "Kran", "Kräne", "Kränen"),
    "mouse_animal": Noun("f", "Maus", "Mäuse", "Mäusen"),
    "mouse_computer": Noun("f", "Computermaus", "Computermäuse", "Computermäusen"),
    "bow_ribbon": Noun("f", "Schleife", "Schleifen", "Schleifen"),
    "bow_weapon": Noun("m", "Bogen", "Bögen", "Bögen"),
    "nut_food": Noun("f", "Walnuss", "Walnüsse", "Walnüssen"),
    "nut_metal": Noun("f", "Schraubenmutter", "Schraubenmuttern", "Schraubenmuttern"),
    "letter_mail": Noun("m", "Brief", "Briefe", "Briefen"),
    "letter_sign": Noun("m", "Buchstabe", "Buchstaben", "Buchstaben", "Buchstaben"),
    "fan_electric": Noun("m", "Ventilator", "Ventilatoren", "Ventilatoren"),
    "fan_hand": Noun("m", "Fächer", "Fächer", "Fächern"),
    "umbrella_rain": Noun("m", "Regenschirm", "Regenschirme", "Regenschirmen"),
    "umbrella_sun": Noun("m", "Sonnenschirm", "Sonnenschirme", "Sonnenschirmen"),
    "owl_barn": Noun("f", "Eule", "Eulen", "Eulen"),
    "owl_horned": Noun("m", "Uhu", "Uhus", "Uhus"),
}
_COLOURS = {
    "red": "rot", "orange": "orangefarben", "yellow": "gelb", "green": "grün", "blue": "dunkelblau",
    "light_blue": "hellblau", "purple": "violett", "white": "weiß", "black": "schwarz",
}  # fmt: skip
_SIZES = {"small": "klein", "large": "groß"}
_NUMBERS = {2: "zwei", 3: "drei", 5: "fünf"}
PLACES = {
    "grass": "auf der Wiese", "sea": "im Meer", "room": "in einem Zimmer",
    "snow": "im Schnee", "beach": "am Strand", "street": "auf der Straße",
}  # fmt: skip
TIMES = {"day": "es ist Tag", "night": "es ist Nacht"}
_VERBS = {  # of one, of several
    "stand": ("steht", "stehen"), "lie": ("liegt", "liegen"), "sit": ("sitzt", "sitzen"), "hang": ("hängt", "hängen"),
    "float": ("schwimmt", "schwimmen"),
}  # fmt: skip
_ARTICLES = {
    ("m", "nominative"): "ein", ("f", "nominative"): "eine", ("n", "nominative"): "ein",
    ("m", "dative"): "einem", ("f", "dative"): "einer", ("n", "dative"): "einem",
}  # fmt: skip
# Endings of an adjective after "ein" (mixed declension); in the plural it follows a bare number (strong declension).
_ENDINGS = {("m", "nominative"): "er", ("f", "nominative"): "e", ("n", "nominative"): "es"}
_PLURAL_ENDINGS = {"nominative": "e", "dative": "en"}


def wording(scene: Scene) -> int:
    return int(scene.groups[0].count > 1)


def short(scene: Scene, wording: int) -> str:
    first, place = scene.groups[0], PLACES[scene.place]
    what, beside = _phrase(first, "nominative"), ""
    if scene.relation != "alone":
        relation = {"left": "links von", "above": "über"}[scene.relation]
        beside = f" {relation} {_phrase(scene.groups[1], 'dative')}"
    if wording == 1:
        return _sentence(f"{place} {_verb(first)} {what}{beside}")
    return _sentence(f"{what} {_verb(first)}{beside} {place}")


def detailed(scene: Scene, wording: int) -> str:
    first = scene.groups[0]
    where = {"alone": "in der Mitte", "left": "links", "above": "oben"}[scene.relation]
    setting = [TIMES[scene.time], f"wir sind {PLACES[scene.place]}"]
    sentences = [*(reversed(setting) if wording == 1 else setting), f"{where} {_is_placed(first)}"]
    if scene.relation != "alone":
        sentences.append(f"{_beside(scene.relation, first)} {_is_placed(scene.groups[1])}")
    return " ".join(map(_sentence, sentences))


def phrases(group: Group, style: str) -> set[str]:
    """How the group is named, with its number, wherever it stands in a caption of the style."""
    return {_phrase(group, case, is_full=style == "detailed") for case in ("nominative", "dative")}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _verb(group: Group) -> str:
    return _VERBS[group.pose][group.count > 1]


def _is_placed(group: Group) -> str:
    return f"{_verb(group)} {_phrase(group, 'nominative', is_full=True)}"


def _phrase(group: Group, case: str, *, is_full: bool = False) -> str:
    """ "einem roten Bus"; in full "einem großen hellblauen Bus" """
    noun = _NOUNS[group.kind]
    stems = [_SIZES[group.size], _COLOURS[group.colour]] if is_full else [_short_colour(group.colour)]
    if group.count == 1:
        article, ending = _ARTICLES[noun.gender, case], _ENDINGS.get((noun.gender, case), "en")
        word = noun.singular if case == "nominative" else noun.dative or noun.singular
    else:
        article, ending = _NUMBERS[group.count], _PLURAL_ENDINGS[case]
        word = noun.plural if case == "nominative" else noun.dative_plural
    return " ".join([article, *(stem + ending for stem in stems), word])


def _short_colour(colour: str) -> str:
    return "blau" if word_of(colour) == "blue" else _COLOURS[colour]


def _beside(relation: str, group: Group) -> str:
    """ "rechts vom Bus", "unter den Katzen" """
    noun = _NOUNS[group.kind]
    if group.count > 1:
        article, word = "den", noun.dative_plural
    else:
        article, word = ("der" if noun.gender == "f" else "dem"), noun.dative or noun.singular
    if relation == "above":
        return f"unter {article} {word}"
    return f"rechts vom {word}" if article == "dem" else f"rechts von {article} {word}"
