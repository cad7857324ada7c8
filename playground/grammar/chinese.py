"""Chinese: a measure word between number and noun, the place first, no inflection."""

from __future__ import annotations

from florenz.playground.scene import Group, Scene, word_of

# Where the last group is of several things, it ends the sentence ("下方是三只黑色的蝴蝶"); else the first one does.
NUM_WORDINGS = 2
# Measure word, noun.
_NOUNS = {
    "cat": ("只", "猫"), "snail": ("只", "蜗牛"), "duck": ("只", "鸭子"),
    "butterfly": ("只", "蝴蝶"), "turtle": ("只", "乌龟"), "car": ("辆", "汽车"),
    "boat": ("艘", "船"), "bus": ("辆", "公交车"), "airplane": ("架", "飞机"),
    "cactus": ("棵", "仙人掌"), "flower": ("朵", "花"), "mushroom": ("个", "蘑菇"),
    "house": ("座", "房子"), "cup": ("个", "杯子"), "apple": ("个", "苹果"),
    "chair": ("把", "椅子"), "key": ("把", "钥匙"), "book": ("本", "书"),
    "bat_animal": ("只", "蝙蝠"), "bat_sport": ("根", "球棒"), "crane_bird": ("只", "鹤"),
    "crane_machine": ("台", "起重机"), "mouse_animal": ("只", "老鼠"), "mouse_computer": ("个", "鼠标"),
    "bow_ribbon": ("个", "蝴蝶结"), "bow_weapon": ("张", "弓"), "nut_food": ("颗", "核桃"),
    "nut_metal": ("个", "螺母"), "letter_mail": ("封", "信"), "letter_sign": ("个", "字母"),
    "fan_electric": ("台", "电风扇"), "fan_hand": ("把", "折扇"), "umbrella_rain": ("把", "雨伞"),
    "umbrella_sun": ("把", "遮阳伞"), "owl_barn": ("只", "猫头鹰"), "owl_horned": ("只", "猫头鹰"),  # one word for owls
}  # fmt: skip
_COLOURS = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "blue": "深蓝色", "light_blue": "浅蓝色",
    "purple": "紫色", "white": "白色", "black": "黑色",
}  # fmt: skip
_SIZES = {"small": "很小的", "large": "很大的"}
_NUMBERS = {1: "一", 2: "两", 3: "三", 5: "五"}
PLACES = {
    "grass": "草地上", "sea": "海里", "room": "房间里", "snow": "雪地里", "beach": "沙滩上", "street": "街上",
}  # fmt: skip
TIMES = {"day": "现在是白天", "night": "现在是夜晚"}


def wording(scene: Scene) -> int:
    return int(scene.groups[-1].count > 1)


def short(scene: Scene, wording: int) -> str:
    place, first = PLACES[scene.place], _phrase(scene.groups[0])
    if scene.relation == "alone":
        return f"有{first}在{place}。" if wording == 1 else f"{place}有{first}。"
    second = _phrase(scene.groups[1])
    if wording == 1:
        return f"{place}有{first}，{ {'left': '右边', 'above': '下方'}[scene.relation] }是{second}。"
    return f"{place}，{second}{ {'left': '左边', 'above': '上方'}[scene.relation] }有{first}。"


def detailed(scene: Scene, wording: int) -> str:
    first = scene.groups[0]
    where = {"alone": "中间", "left": "左边", "above": "上方"}[scene.relation]
    setting = [TIMES[scene.time], f"我们在{PLACES[scene.place]}"]
    sentences = [*(reversed(setting) if wording == 1 else setting), f"{where}有{_phrase(first, is_full=True)}"]
    if scene.relation != "alone":
        side = {"left": "右边", "above": "下方"}[scene.relation]
        sentences.append(f"{_NOUNS[first.kind][1]}的{side}有{_phrase(scene.groups[1], is_full=True)}")
    return "".join(f"{sentence}。" for sentence in sentences)


def phrases(group: Group, style: str) -> set[str]:
    """How the group is named, with its number, wherever it stands in a caption of the style."""
    return {_phrase(group, is_full=style == "detailed")}


def _phrase(group: Group, *, is_full: bool = False) -> str:
    """ "两只红色的猫"; in full "两只很小的红色的猫" """
    measure, noun = _NOUNS[group.kind]
    if is_full:
        return f"{_NUMBERS[group.count]}{measure}{_SIZES[group.size]}{_COLOURS[group.colour]}的{noun}"
    colour = "蓝色" if word_of(group.colour) == "blue" else _COLOURS[group.colour]
    return f"{_NUMBERS[group.count]}{measure}{colour}的{noun}"
