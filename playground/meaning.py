"""Reads a caption back into the scenes that it describes, and says whether it means what the English caption means.

A text can be right without being the caption that the grammar would have written: in another of the language's
wordings, or about another sense, shade or placement that the short English caption leaves open ("two red bats" are
animals or clubs; the picture shows which). So the *exact meaning* of a text is right if one of the scenes that it
describes has the true English caption. The exact text is a stricter question, chrF a softer one.

A text is read strictly: it must be word for word a caption that some scene has in some wording of its language, with
every case, gender and number right. Needs neither torch nor the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from florenz.playground.captions import GRAMMARS, STYLES, num_wordings, state, state_in
from florenz.playground.scene import (
    COLOURS,
    COUNTS,
    KINDS,
    SIZES,
    Group,
    Scene,
    noun_of,
    possible_poses,
)

NO_CAPTION = "no caption"


def same_meaning(text: str, language: str, english: str, style: str) -> bool:
    """Whether `text` describes a scene whose English caption in that style is `english`."""
    return any(state(scene, "en", style) == english for scene in read(text, language, style))


def says_the_same(english: str, language: str, text: str) -> bool:
    """`same_meaning` in the style of the English caption, which tells by itself which one it is."""
    return any(same_meaning(text, language, english, style) for style in STYLES)


def differences(text: str, language: str, style: str, truth: Scene) -> tuple[str, ...]:
    """What the text gets wrong about the picture, among place, time, relation, number of groups, kind, colour, size,
    count and pose; () if it says nothing wrong, (NO_CAPTION,) if it is no caption of the language.

    Of several readings the nearest to the truth counts. What the style doesn't say is not wrong.
    """
    found = [_differences(scene, truth, style) for scene in read(text, language, style)]
    return min(found, key=len) if found else (NO_CAPTION,)


def read(text: str, language: str, style: str) -> list[Scene]:
    """Every scene that has `text` as its caption, in any wording; [] if none has.

    Short captions don't say the time and the size: their scenes are by day, and of small things.

    Raises:
        ValueError: the playground has no such language or style.
    """
    if style not in STYLES or language not in GRAMMARS:
        state_in(_ANY, language, style, 0)  # says what is wrong
    mentions = _mentions(text, language, style)
    if not 1 <= len(mentions) <= 2:
        return []
    return [
        scene
        for scene in _candidates(text, language, style, mentions)
        if any(state_in(scene, language, style, wording) == text for wording in range(num_wordings(language)))
    ]


@dataclass(frozen=True)
class Mention:
    """What a noun phrase can mean."""

    groups: tuple[Group, ...]


def _candidates(text: str, language: str, style: str, mentions: Sequence[Mention]) -> Iterator[Scene]:
    grammar, lower = GRAMMARS[language], text.lower()
    places = [place for place, words in grammar.PLACES.items() if words.lower() in lower]
    times = (
        [time for time, words in grammar.TIMES.items() if words.lower() in lower] if style == "detailed" else ["day"]
    )
    orders = [tuple(mentions)] if len(mentions) == 1 else [tuple(mentions), tuple(mentions[::-1])]
    relations = ["alone"] if len(mentions) == 1 else ["left", "above"]
    for place, time, order, relation in product(places, times, orders, relations):
        options = [
            [
                replace(group, pose=pose)
                for group in mention.groups
                for pose in possible_poses(group.kind, place, relation, index)
            ]
            for index, mention in enumerate(order)
        ]
        for groups in product(*options):
            if len({noun_of(group.kind) for group in groups}) == len(groups):
                yield Scene(place=place, time=time, relation=relation, groups=groups)


def _mentions(text: str, language: str, style: str) -> list[Mention]:
    """The noun phrases with a number, from left to right, each as long as possible."""
    known, lower, start, found = _known_phrases(language, style), text.lower(), 0, []
    while start < len(lower):
        for phrase, mention in known.get(lower[start : start + _KEY_CHARS], ()):
            if lower.startswith(phrase, start) and not _is_inside_word(lower, start, start + len(phrase), language):
                found.append(mention)
                start += len(phrase)
                break
        else:
            start += 1
    return found


_KEY_CHARS = 4


def _is_inside_word(text: str, start: int, end: int, language: str) -> bool:
    if language == "zh":
        return False
    return text[start - 1 : start].isalpha() or text[end : end + 1].isalpha()


@cache
def _known_phrases(language: str, style: str) -> dict[str, list[tuple[str, Mention]]]:
    """First letters -> phrases that begin with them and what they can mean, the longest first."""
    meanings: dict[str, list[Group]] = {}
    sizes = SIZES if style == "detailed" else ("small",)
    for kind, colour, count, size in product(KINDS, COLOURS, COUNTS, sizes):
        if count > 3 and size == "large":
            continue
        group = Group(kind=kind, colour=colour, size=size, count=count, pose="")
        for phrase in GRAMMARS[language].phrases(group, style):
            meanings.setdefault(phrase.lower(), []).append(group)
    by_key: dict[str, list[tuple[str, Mention]]] = {}
    for phrase in sorted(meanings, key=len, reverse=True):
        by_key.setdefault(phrase[:_KEY_CHARS], []).append((phrase, Mention(tuple(meanings[phrase]))))
    return by_key


def _differences(said: Scene, truth: Scene, style: str) -> tuple[str, ...]:
    """Names of the facts that differ; hidden ones too, since the picture shows them."""
    wrong = {name for name in ("place", "relation") if getattr(said, name) != getattr(truth, name)}
    if style == "detailed" and said.time != truth.time:
        wrong.add("time")
    if len(said.groups) != len(truth.groups):
        return tuple(sorted(wrong | {"groups"}))
    facts = ("kind", "colour", "count", "pose", "size") if style == "detailed" else ("kind", "colour", "count", "pose")
    for one, other in zip(said.groups, truth.groups, strict=True):
        wrong |= {fact for fact in facts if getattr(one, fact) != getattr(other, fact)}
    return tuple(sorted(wrong))


_ANY = Scene(
    place="grass",
    time="day",
    relation="alone",
    groups=(Group(kind="cat", colour="red", size="small", count=1, pose="sit"),),
)
