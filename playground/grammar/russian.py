"""Russian: four cases, gender, animacy, and the government of numerals.

- Nominative for what is there, genitive after "слева от", instrumental after "над" and "под", accusative after "видим",
  which is the genitive of living things ("видим двух журавлей", "видим два крана") and the nominative of others.
- After два and три the noun takes a genitive singular, its adjective a genitive plural ("два красных автобуса"), or,
  with a feminine noun, a nominative plural ("две красные кошки"); after пять both are in the genitive plural.
- There is no word for "blue": синий is dark, голубой is light.
"""

from __future__ import annotations

from typing import NamedTuple

from florenz.playground.scene import ANIMALS, Group, Scene

# On grass and snow it is seen ("На траве мы видим двух ..."); on the beach and the street it is there ("На улице стоят
# два ..."); in a room and in the sea the thing comes first.
NUM_WORDINGS = 3
_WORDING_OF_PLACE = {"beach": 0, "street": 0, "grass": 1, "snow": 1, "room": 2, "sea": 2}


class Noun(NamedTuple):
    gender: str  # m, f, n
    nominative: str
    genitive: str
    instrumental: str
    genitive_plural: str
    instrumental_plural: str
    counted: str = ""  # after два, три; the genitive singular where empty
    accusative: str = ""  # of one; made from the others where empty
    bare_plural: tuple[str, str] = ("", "")  # genitive and instrumental without a number, where they differ


_NOUNS = {
    "cat": Noun("f", "кошка", "кошки", "кошкой", "кошек", "кошками"),
    "snail": Noun("f", "улитка", "улитки", "улиткой", "улиток", "улитками"),
    "duck": Noun("f", "утка", "утки", "уткой", "уток", "утками"),
    "butterfly": Noun("f", "бабочка", "бабочки", "бабочкой", "бабочек", "бабочками"),
    "turtle": Noun("f", "черепаха", "черепахи", "черепахой", "черепах", "черепахами"),
    "car": Noun("f", "машина", "машины", "машиной", "машин", "машинами"),
    "boat": Noun("f", "лодка", "лодки", "лодкой", "лодок", "лодками"),
    "bus": Noun("m", "автобус", "автобуса", "автобусом", "автобусов", "автобусами"),
    "airplane": Noun("m", "самолёт", "самолёта", "самолётом", "самолётов", "самолётами"),
    "cactus": Noun("m", "кактус", "кактуса", "кактусом", "кактусов", "кактусами"),
    "flower": Noun(
        "m", "цветок", "цветка", "цветком", "цветков", "цветками", bare_plural=("цветов", "цветами")
    ),
    "mushroom": Noun("m", "мухомор", "мухомора", "мухомором", "мухоморов", "мухоморами"),  # белый гриб is a species
    "house": Noun("m", "дом", "дома", "домом", "домов", "домами"),
    "cup": Noun("f", "чашка", "чашки", "чашкой", "чашек", "чашками"),
    "apple": Noun("n", "яблоко", "яблока", "яблоком", "яблок", "яблоками"),
    "chair": Noun("m", "стул", "стула", "стулом", "стульев", "стульями"),
    "key": Noun("m", "ключ", "ключа", "ключом", "ключей", "ключами"),
    "book": Noun("f", "книга", "книги", "книгой", "книг", "книгами"),
    "bat_animal": Noun(
        "f", "летучая мышь", "летучей мыши", "летучей мышью", "летучих мышей", "летучими мышами",
        counted="летучие мыши", accusative="летучую мышь",
    ),
    "bat_sport": Noun("f", "бита", "биты", "битой", "бит", "битами"),
    "crane_bird": Noun("m", "журавль", "журавля", "журавлём", "журавлей", "журавлями"),
    "crane_machine": Noun(
        "m", "подъёмный кран", "подъёмного крана", "подъёмным краном", "подъёмных кранов", "подъёмными кранами",
        counted="подъёмных крана",
    ),
    # One word for both mice, but only one of them is alive: "видим двух мышей", "видим две мыши".
    "mouse_animal": Noun("f", "мышь", "мыши", "мышью", "мышей", "мышами"),
    "mouse_computer": Noun("f", "мышь", "мыши", "мышью", "мышей", "мышами"),
    "bow_ribbon": Noun("m", "бант", "банта", "бантом", "бантов", "бантами"),
    "bow_weapon": Noun(
        "m", "лук для стрельбы", "лука для стрельбы", "луком для стрельбы", "луков для стрельбы", "луками для стрельбы"
    ),
    "nut_food": Noun("m", "орех", "ореха", "орехом", "орехов", "орехами"),
    "nut_metal": Noun("f", "гайка", "гайки", "гайкой", "гаек", "гайками"),
    "letter_mail": Noun("n", "письмо", "письма", "письмом", "писем", "письмами"),
    "letter_sign": Noun("f", "буква", "буквы", "буквой", "букв", "буквами"),
    "fan_electric": Noun("m", "вентилятор", "вентилятора", "вентилятором", "вентиляторов", "вентиляторами"),
    "fan_hand": Noun("m", "веер", "веера", "веером", "вееров", "веерами"),
    "umbrella_rain": Noun("m", "зонт", "зонта", "зонтом", "зонтов", "зонтами"),  # one word for both umbrellas
    "umbrella_sun": Noun("m", "зонт", "зонта", "зонтом", "зонтов", "зонтами"),
    "owl_barn": Noun("f", "сова", "совы", "совой", "сов", "совами"),
    "owl_horned": Noun("m", "филин", "филина", "филином", "филинов", "филинами"),
}  # fmt: skip
# Stem and declension: hard (красный), after к (маленький), stressed ending (большой, голубой), soft (синий).
_COLOURS = {
    "red": ("красн", "hard"), "orange": ("оранжев", "hard"), "yellow": ("жёлт", "hard"), "green": ("зелён", "hard"),
    "blue": ("син", "soft"), "light_blue": ("голуб", "stressed_hard"), "purple": ("фиолетов", "hard"),
    "white": ("бел", "hard"), "black": ("чёрн", "hard"),
}  # fmt: skip
_SIZES = {"small": ("маленьк", "after_k"), "large": ("больш", "stressed")}
# Nominative m, f, n; genitive m/n, f; instrumental m/n, f; accusative f; plural nominative, genitive, instrumental.
_ENDING_ROWS = {
    "hard": "ый ая ое ого ой ым ой ую ые ых ыми",
    "after_k": "ий ая ое ого ой им ой ую ие их ими",
    "stressed": "ой ая ое ого ой им ой ую ие их ими",
    "stressed_hard": "ой ая ое ого ой ым ой ую ые ых ыми",
    "soft": "ий яя ее его ей им ей юю ие их ими",
}
_ENDING_COLUMNS = (
    "nominative m", "nominative f", "nominative n", "genitive mn", "genitive f", "instrumental mn", "instrumental f",
    "accusative f", "nominative plural", "genitive plural", "instrumental plural",
)  # fmt: skip
_ENDINGS = {name: dict(zip(_ENDING_COLUMNS, row.split(), strict=True)) for name, row in _ENDING_ROWS.items()}
_NUMBERS = {
    2: {"nominative": "два", "genitive": "двух", "instrumental": "двумя"},
    3: {"nominative": "три", "genitive": "трёх", "instrumental": "тремя"},
    5: {"nominative": "пять", "genitive": "пяти", "instrumental": "пятью"},
}
PLACES = {
    "grass": "на траве", "sea": "в море", "room": "в комнате",
    "snow": "на снегу", "beach": "на пляже", "street": "на улице",
}  # fmt: skip
TIMES = {"day": "сейчас день", "night": "сейчас ночь"}
_VERBS = {  # of one, of several
    "stand": ("стоит", "стоят"), "lie": ("лежит", "лежат"), "sit": ("сидит", "сидят"), "hang": ("висит", "висят"),
    "float": ("плавает", "плавают"),
}  # fmt: skip


def wording(scene: Scene) -> int:
    return _WORDING_OF_PLACE[scene.place]


def short(scene: Scene, wording: int) -> str:
    first, place, beside = scene.groups[0], PLACES[scene.place], ""
    if scene.relation == "left":
        beside = f" слева от {_phrase(scene.groups[1], 'genitive')}"
    if scene.relation == "above":
        beside = f" над {_phrase(scene.groups[1], 'instrumental')}"
    if wording == 1:
        return _sentence(f"{place} мы видим {_phrase(first, 'accusative')}{beside}")
    if wording == 2:
        return _sentence(f"{_phrase(first, 'nominative')} {_verb(first, is_first=False)} {place}{beside}")
    return _sentence(f"{place} {_verb(first, is_first=True)} {_phrase(first, 'nominative')}{beside}")


def detailed(scene: Scene, wording: int) -> str:
    first = scene.groups[0]
    where = {"alone": "в центре", "left": "слева", "above": "вверху"}[scene.relation]
    setting = [TIMES[scene.time], f"мы {PLACES[scene.place]}"]
    sentences = [*(reversed(setting) if wording == 1 else setting), f"{where} {_is_placed(first)}"]
    if scene.relation != "alone":
        case = {"left": "genitive", "above": "instrumental"}[scene.relation]
        side = {"left": "справа от", "above": "под"}[scene.relation]
        sentences.append(f"{side} {_bare_noun(first, case)} {_is_placed(scene.groups[1])}")
    return " ".join(map(_sentence, sentences))


def phrases(group: Group, style: str) -> set[str]:
    """How the group is named, with its number, wherever it stands in a caption of the style."""
    cases = ("nominative", "genitive", "instrumental", "accusative")
    return {_phrase(group, case, with_size=style == "detailed") for case in cases}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _verb(group: Group, *, is_first: bool) -> str:
    """Before its subject, five take the singular: "лежит пять книг", but "пять книг лежат"."""
    return _VERBS[group.pose][group.count > 1 and not (is_first and group.count == 5)]


def _is_placed(group: Group) -> str:
    return f"{_verb(group, is_first=True)} {_phrase(group, 'nominative', with_size=True)}"


def _phrase(group: Group, case: str, *, with_size: bool = False) -> str:
    noun = _NOUNS[group.kind]
    if group.count == 1:
        return _single(group, noun, case, with_size)
    if case == "accusative":  # five are counted alike whether they live or not
        case = "genitive" if group.kind in ANIMALS and group.count < 5 else "nominative"
    number, column = _NUMBERS[group.count][case], f"{case} plural"
    word = noun.instrumental_plural if case == "instrumental" else noun.genitive_plural
    if case == "nominative":
        column = "genitive plural"
        if group.count < 5:
            word = noun.counted or noun.genitive
            if noun.gender == "f":
                number, column = "две" if group.count == 2 else number, "nominative plural"
    return " ".join([number, *_adjectives(group, column, with_size), word])


def _single(group: Group, noun: Noun, case: str, with_size: bool) -> str:
    word = _noun(group, noun, case)
    if case == "accusative" and noun.gender != "f":
        case = "genitive" if group.kind in ANIMALS else "nominative"
    gender = noun.gender if case == "nominative" or noun.gender == "f" else "mn"
    return " ".join([*_adjectives(group, f"{case} {gender}", with_size), word])


def _noun(group: Group, noun: Noun, case: str) -> str:
    """Of one thing."""
    if case != "accusative":
        return {"nominative": noun.nominative, "genitive": noun.genitive, "instrumental": noun.instrumental}[case]
    if noun.accusative:
        return noun.accusative
    if noun.gender == "f":
        return noun.nominative.removesuffix("а") + "у" if noun.nominative[-1] == "а" else noun.nominative
    return noun.genitive if group.kind in ANIMALS else noun.nominative


def _bare_noun(group: Group, case: str) -> str:
    """Without number and adjective, genitive or instrumental: "от цветов", "под домом"."""
    noun, column = _NOUNS[group.kind], int(case == "instrumental")
    if group.count == 1:
        return (noun.genitive, noun.instrumental)[column]
    return noun.bare_plural[column] or (noun.genitive_plural, noun.instrumental_plural)[column]


def _adjectives(group: Group, column: str, with_size: bool) -> list[str]:
    stems = ([_SIZES[group.size]] if with_size else []) + [_COLOURS[group.colour]]
    return [stem + _ENDINGS[declension][column] for stem, declension in stems]
