"""Russian: three cases (nominative; genitive after "слева от"; instrumental after "над" and "под"), gender, and the
government of numerals: after два and три the noun takes a genitive singular, its adjective a genitive plural ("два
красных кота"), or, with a feminine noun, a nominative plural ("две красные кошки").
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import Group, Scene


class Noun(NamedTuple):
    gender: str  # m, f, n
    nominative: str
    genitive: str
    instrumental: str
    genitive_plural: str
    instrumental_plural: str
    counted: str = ""  # after два, три; the genitive singular where empty


_NOUNS = {
    "cat": Noun("f", "кошка", "кошки", "кошкой", "кошек", "кошками"),
    "fish": Noun("f", "рыба", "рыбы", "рыбой", "рыб", "рыбами"),
    "duck": Noun("f", "утка", "утки", "уткой", "уток", "утками"),
    "butterfly": Noun("f", "бабочка", "бабочки", "бабочкой", "бабочек", "бабочками"),
    "turtle": Noun("f", "черепаха", "черепахи", "черепахой", "черепах", "черепахами"),
    "car": Noun("f", "машина", "машины", "машиной", "машин", "машинами"),
    "boat": Noun("f", "лодка", "лодки", "лодкой", "лодок", "лодками"),
    "bus": Noun("m", "автобус", "автобуса", "автобусом", "автобусов", "автобусами"),
    "airplane": Noun("m", "самолёт", "самолёта", "самолётом", "самолётов", "самолётами"),
    "tree": Noun("n", "дерево", "дерева", "деревом", "деревьев", "деревьями"),
    "flower": Noun("m", "цветок", "цветка", "цветком", "цветков", "цветками"),
    "mushroom": Noun("m", "гриб", "гриба", "грибом", "грибов", "грибами"),
    "house": Noun("m", "дом", "дома", "домом", "домов", "домами"),
    "cup": Noun("f", "чашка", "чашки", "чашкой", "чашек", "чашками"),
    "umbrella": Noun("m", "зонт", "зонта", "зонтом", "зонтов", "зонтами"),
    "chair": Noun("m", "стул", "стула", "стулом", "стульев", "стульями"),
    "key": Noun("m", "ключ", "ключа", "ключом", "ключей", "ключами"),
    "book": Noun("f", "книга", "книги", "книгой", "книг", "книгами"),
    "bat_animal": Noun(
        "f", "летучая мышь", "летучей мыши", "летучей мышью", "летучих мышей", "летучими мышами", "летучие мыши"
    ),
    "bat_sport": Noun("f", "бита", "биты", "битой", "бит", "битами"),
    "crane_bird": Noun("m", "журавль", "журавля", "журавлём", "журавлей", "журавлями"),
    "crane_machine": Noun("m", "кран", "крана", "краном", "кранов", "кранами"),
    "mouse_animal": Noun("f", "мышь", "мыши", "мышью", "мышей", "мышами"),  # Russian has one word for both mice
    "mouse_computer": Noun("f", "мышь", "мыши", "мышью", "мышей", "мышами"),
    "bow_ribbon": Noun("m", "бант", "банта", "бантом", "бантов", "бантами"),
    "bow_weapon": Noun("m", "лук", "лука", "луком", "луков", "луками"),
    "seal_animal": Noun("m", "тюлень", "тюленя", "тюленем", "тюленей", "тюленями"),
    "seal_stamp": Noun("f", "печать", "печати", "печатью", "печатей", "печатями"),
    "nut_food": Noun("m", "орех", "ореха", "орехом", "орехов", "орехами"),
    "nut_metal": Noun("f", "гайка", "гайки", "гайкой", "гаек", "гайками"),
    "palm_tree": Noun("f", "пальма", "пальмы", "пальмой", "пальм", "пальмами"),
    "palm_hand": Noun("f", "ладонь", "ладони", "ладонью", "ладоней", "ладонями"),
}
# Stem and declension: hard (красный), after к (маленький), stressed ending (большой), soft (синий).
_COLOURS = {
    "red": ("красн", "hard"), "orange": ("оранжев", "hard"), "yellow": ("жёлт", "hard"), "green": ("зелён", "hard"),
    "blue": ("син", "soft"), "purple": ("фиолетов", "hard"), "white": ("бел", "hard"), "black": ("чёрн", "hard"),
}  # fmt: skip
_SIZES = {"small": ("маленьк", "after_k"), "large": ("больш", "stressed")}
# Nominative m, f, n; genitive m/n, f; instrumental m/n, f; plural nominative, genitive, instrumental.
_ENDING_ROWS = {
    "hard": "ый ая ое ого ой ым ой ые ых ыми",
    "after_k": "ий ая ое ого ой им ой ие их ими",
    "stressed": "ой ая ое ого ой им ой ие их ими",
    "soft": "ий яя ее его ей им ей ие их ими",
}
_ENDING_COLUMNS = (
    "nominative m", "nominative f", "nominative n", "genitive mn", "genitive f", "instrumental mn", "instrumental f",
    "nominative plural", "genitive plural", "instrumental plural",
)  # fmt: skip
_ENDINGS = {name: dict(zip(_ENDING_COLUMNS, row.split(), strict=True)) for name, row in _ENDING_ROWS.items()}
_NUMBERS = {
    2: {"nominative": "два", "genitive": "двух", "instrumental": "двумя"},
    3: {"nominative": "три", "genitive": "трёх", "instrumental": "тремя"},
}
_PLACES = {
    "grass": "на траве", "sea": "в море", "room": "в комнате",
    "snow": "на снегу", "beach": "на пляже", "street": "на улице",
}  # fmt: skip
_TIMES = {"day": "день", "night": "ночь"}


def short(scene: Scene) -> str:
    text = _phrase(scene.groups[0], "nominative")
    if scene.relation == "left":
        text = f"{text} слева от {_phrase(scene.groups[1], 'genitive')}"
    if scene.relation == "above":
        text = f"{text} над {_phrase(scene.groups[1], 'instrumental')}"
    return _sentence(f"{text} {_PLACES[scene.place]}")


def detailed(scene: Scene) -> str:
    first = scene.groups[0]
    where = {"alone": "в центре", "left": "слева", "above": "вверху"}[scene.relation]
    sentences = [
        f"{_PLACES[scene.place]} {_TIMES[scene.time]}",
        f"{where} — {_phrase(first, 'nominative', with_size=True)}",
    ]
    if scene.relation != "alone":
        case = {"left": "genitive", "above": "instrumental"}[scene.relation]
        side = {"left": "справа от", "above": "под"}[scene.relation]
        second = _phrase(scene.groups[1], "nominative", with_size=True)
        sentences.append(f"{side} {_noun(first, case)} — {second}")
    return " ".join(map(_sentence, sentences))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _noun(group: Group, case: str) -> str:
    """The bare noun, genitive or instrumental, in the group's number."""
    noun = _NOUNS[group.kind]
    if group.count == 1:
        return noun.genitive if case == "genitive" else noun.instrumental
    return noun.genitive_plural if case == "genitive" else noun.instrumental_plural


def _phrase(group: Group, case: str, *, with_size: bool = False) -> str:
    noun = _NOUNS[group.kind]
    if group.count == 1:
        return _single(group, noun, case, with_size)
    number, word, column = _NUMBERS[group.count][case], _noun(group, case), f"{case} plural"
    if case == "nominative":
        word = noun.counted or noun.genitive
        if noun.gender == "f":
            number = "две" if group.count == 2 else number
        else:
            column = "genitive plural"
    return " ".join([number, *_adjectives(group, column, with_size), word])


def _single(group: Group, noun: Noun, case: str, with_size: bool) -> str:
    gender = noun.gender if case == "nominative" or noun.gender == "f" else "mn"
    word = noun.nominative if case == "nominative" else _noun(group, case)
    return " ".join([*_adjectives(group, f"{case} {gender}", with_size), word])


def _adjectives(group: Group, column: str, with_size: bool) -> list[str]:
    stems = ([_SIZES[group.size]] if with_size else []) + [_COLOURS[group.colour]]
    return [stem + _ENDINGS[declension][column] for stem, declension in stems]
