"""What is true of every caption in every language; `test_playground_grammar.py` holds captions written by hand."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.scene import (
    AMBIGUOUS_KINDS,
    COLOURS,
    KINDS,
    MAX_COUNT,
    PLACES,
    RELATIONS,
    SIZES,
    TIMES,
    Group,
    Scene,
    noun_of,
    random_for,
    sample_scene,
)

# The nouns with which a language, too, calls two kinds of thing by one word.
SHARED_NOUNS = {"en": set(AMBIGUOUS_KINDS), "fr": {"crane", "mouse"}, "es": {"mouse"}, "ru": {"mouse"}}
ALPHABETS = {"en": "", "de": "äöüÄÖÜß", "fr": "àèéœÀ", "es": "áéíóúñ", "ru": "", "zh": ""}


def all_with_one_group() -> Iterator[Scene]:
    for kind, colour, size, count in product(KINDS, COLOURS, SIZES, range(1, MAX_COUNT + 1)):
        group = Group(kind=kind, colour=colour, size=size, count=count)
        for place, time in product(PLACES, TIMES):
            yield Scene(place=place, time=time, relation="alone", groups=(group,))


def some_with_two_groups(count: int) -> list[Scene]:
    scenes = (sample_scene(random_for(2, "captions", number)) for number in range(2 * count))
    return [scene for scene in scenes if scene.relation != "alone"][:count]


def stated(scene: Scene, language: str, style: str) -> object:
    """What of a scene its caption says: short, neither time nor size; nowhere what one noun leaves open."""
    is_detailed = style == "detailed"
    groups = tuple(
        (
            noun_of(group.kind) if noun_of(group.kind) in SHARED_NOUNS.get(language, ()) else group.kind,
            group.colour,
            group.count,
            is_detailed and group.size,
        )
        for group in scene.groups
    )
    return scene.place, is_detailed and scene.time, scene.relation, groups


def neighbours(scene: Scene) -> Iterator[Scene]:
    """Every scene that differs in one thing; and the one with the groups the other way round."""
    yield from (replace(scene, place=place) for place in PLACES)
    yield from (replace(scene, time=time) for time in TIMES)
    yield from (replace(scene, relation=relation) for relation in RELATIONS if relation != "alone")
    yield replace(scene, groups=scene.groups[::-1])
    for index, group in enumerate(scene.groups):
        changed = [replace(group, kind=kind) for kind in KINDS]
        changed += [replace(group, colour=colour) for colour in COLOURS]
        changed += [replace(group, size=size) for size in SIZES]
        changed += [replace(group, count=count) for count in range(1, MAX_COUNT + 1)]
        for other in changed:
            yield replace(scene, groups=scene.groups[:index] + (other,) + scene.groups[index + 1 :])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_of_one_group_differ_exactly_where_what_they_state_does(language: str, style: str) -> None:
    """All 18,432 scenes with one group."""
    statement_of: dict[str, object] = {}
    statements = set()
    for scene in all_with_one_group():
        statement = stated(scene, language, style)
        statements.add(statement)
        assert statement_of.setdefault(state(scene, language, style), statement) == statement, scene
    assert len(statement_of) == len(statements)  # and one statement has one caption


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_changing_one_thing_changes_the_caption_exactly_if_it_states_it(language: str, style: str) -> None:
    for scene in some_with_two_groups(25):
        caption, statement = state(scene, language, style), stated(scene, language, style)
        for other in neighbours(scene):
            is_same = stated(other, language, style) == statement
            assert (state(other, language, style) == caption) is is_same, (scene, other)


def every_caption_once(language: str) -> Iterator[str]:
    """Both styles of a fifth of the scenes with one group and of 500 with two."""
    for scene in [*list(all_with_one_group())[::5], *some_with_two_groups(500)]:
        yield from (state(scene, language, style) for style in STYLES)


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "zh"])
def test_sentences_are_well_formed(language: str) -> None:
    for caption in every_caption_once(language):
        assert "  " not in caption and "None" not in caption and caption == caption.strip(), caption
        assert caption.endswith(".") and ".." not in caption and " ." not in caption and " ," not in caption, caption
        assert all(sentence[0].isupper() for sentence in caption[:-1].split(". ")), caption


def test_chinese_sentences_are_well_formed() -> None:
    for caption in every_caption_once("zh"):
        assert caption.endswith("。") and "。。" not in caption
        assert all("\u4e00" <= letter <= "\u9fff" or letter in "，。" for letter in caption), caption


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "zh"])
def test_captions_use_the_letters_of_their_language_and_no_lookalikes(language: str) -> None:
    """A Latin "a" in a Russian word looks right and is another word to every model; so does "é" in two code points."""
    for caption in every_caption_once(language):
        assert unicodedata.is_normalized("NFC", caption)
        letters = {letter for letter in caption if letter.isalpha()}
        if language == "ru":
            assert all("а" <= letter.lower() <= "я" or letter in "ёЁ" for letter in letters), caption
        else:
            assert all(letter.isascii() or letter in ALPHABETS[language] for letter in letters), caption
        assert all(letter.isalpha() or letter in " .,'-—" for letter in caption), caption


@pytest.mark.parametrize("style", STYLES)
def test_the_number_of_sentences_is_that_of_the_style(style: str) -> None:
    for scene in [next(all_with_one_group()), *some_with_two_groups(50)]:
        wanted = 1 if style == "short" else 1 + len(scene.groups)
        for language in LANGUAGES:
            assert sum(state(scene, language, style).count(stop) for stop in ".。") == wanted


def test_an_unknown_language_or_style_is_refused_by_name() -> None:
    scene = next(all_with_one_group())
    with pytest.raises(ValueError, match="'it'.*en, de, fr, es, ru, zh"):
        state(scene, "it", "short")
    with pytest.raises(ValueError, match="'long'.*short, detailed"):
        state(scene, "en", "long")
