"""Chinese: a measure word between number and noun, the place first, no inflection."""

from __future__ import annotations

from florenz.playground.scene import Group, Scene

# Measure word, noun.
_NOUNS = {
    "cat": ("只", "猫"), "fish": ("条", "鱼"), "duck": ("只", "鸭子"),
    "butterfly": ("只", "蝴蝶"), "turtle": ("只", "乌龟"), "car": ("辆", "汽车"),
    "boat": ("艘", "船"), "bus": ("辆", "公交车"), "airplane": ("架", "飞机"),
    "tree": ("棵", "树"), "flower": ("朵", "花"), "mushroom": ("个", "蘑菇"),
    "house": ("座", "房子"), "cup": ("个", "杯子"), "umbrella": ("把", "雨伞"),
    "chair": ("把", "椅子"), "key": ("把", "钥匙"), "book": ("本", "书"),
    "bat_animal": ("只", "蝙蝠"), "bat_sport": ("根", "球棒"), "crane_bird": ("只", "鹤"),
    "crane_machine": ("台", "起重机"), "mouse_animal": ("只", "老鼠"), "mouse_computer": ("个", "鼠标"),
    "bow_ribbon": ("个", "蝴蝶结"), "bow_weapon": ("张", "弓"), "seal_animal": ("只", "海豹"),
    "seal_stamp": ("枚", "印章"), "nut_food": ("颗", "坚果"), "nut_metal": ("个", "螺母"),
    "palm_tree": ("棵", "棕榈树"), "palm_hand": ("只", "手掌"),
}  # fmt: skip
_COLOURS = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色",
    "blue": "蓝色", "purple": "紫色", "white": "白色", "black": "黑色",
}  # fmt: skip
_SIZES = {"small": "小", "large": "大"}
_NUMBERS = {1: "一", 2: "两", 3: "三"}
_PLACES = {
    "grass": "草地上", "sea": "海上", "room": "房间里", "snow": "雪地里", "beach": "沙滩上", "street": "街上",
}  # fmt: skip
_TIMES = {"day": "白天", "night": "夜晚"}


def short(scene: Scene) -> str:
    place, first = _PLACES[scene.place], _phrase(scene.groups[0])
    if scene.relation == "alone":
        return f"{place}有{first}。"
    side = {"left": "左边", "above": "上方"}[scene.relation]
    return f"{place}，{first}在{_phrase(scene.groups[1])}的{side}。"


def detailed(scene: Scene) -> str:
    first = scene.groups[0]
    where = {"alone": "中间", "left": "左边", "above": "上方"}[scene.relation]
    text = f"{_PLACES[scene.place]}是{_TIMES[scene.time]}。{where}有{_phrase(first, with_size=True)}。"
    if scene.relation != "alone":
        side = {"left": "右边", "above": "下方"}[scene.relation]
        text += f"{_NOUNS[first.kind][1]}的{side}有{_phrase(scene.groups[1], with_size=True)}。"
    return text


def _phrase(group: Group, *, with_size: bool = False) -> str:
    """ "两只红色的小猫" """
    measure, noun = _NOUNS[group.kind]
    size = _SIZES[group.size] if with_size else ""
    return f"{_NUMBERS[group.count]}{measure}{_COLOURS[group.colour]}的{size}{noun}"
