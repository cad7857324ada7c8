"""Reading captions back: each is read as what it states, nothing else is read, and meaning survives wording."""

import dataclasses
from itertools import product

import pytest

from florenz.playground.captions import LANGUAGES, STYLES, num_wordings, state, state_in
from florenz.playground.meaning import NO_CAPTION, differences, read, same_meaning
from florenz.playground.scene import Group, Scene, random_for, readings, sample_scene, usual_reading

SCENES = [sample_scene(random_for(4, "meaning", number)) for number in range(60)]
BATS = Scene(
    place="room",
    time="day",
    relation="alone",
    groups=(Group(kind="bat_sport", colour="red", size="small", count=2, pose="lie"),),
)
TRUTH = "In a room, there are two red bats."


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caption_in_every_wording_is_read_as_a_scene_that_has_it(language: str, style: str) -> None:
    for scene in SCENES:
        for wording in range(num_wordings(language)):
            text = state_in(scene, language, style, wording)
            found = read(text, language, style)
            assert found and all(
                text in {state_in(one, language, style, w) for w in range(num_wordings(language))} for one in found
            )
            assert same_meaning(text, language, state(scene, "en", style), style)
            assert differences(text, language, style, scene) == ()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_reading_finds_all_scenes_that_another_way_finds(language: str, style: str) -> None:
    """The other way: of a scene's readings and the scenes that differ in one fact, those with the same text."""
    for scene in SCENES[:25]:
        scene = dataclasses.replace(scene, time="day") if style == "short" else scene
        text = state(scene, language, style)
        groups = (
            [dataclasses.replace(group, size="small") for group in scene.groups] if style == "short" else scene.groups
        )
        small = dataclasses.replace(scene, groups=tuple(groups))
        wanted = {
            one
            for one in readings(small)
            if any(state_in(one, language, style, wording) == text for wording in range(num_wordings(language)))
        }
        assert set(read(text, language, style)) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_means_the_same_exactly_if_some_reading_has_it(language: str) -> None:
    """Against the texts of all readings in all wordings, for the caption's own text and those of its neighbours."""
    for scene, other in product(SCENES[:12], SCENES[12:24]):
        english = state(scene, "en", "short")
        allowed = {
            state_in(reading, language, "short", wording)
            for reading in readings(scene)
            for wording in range(num_wordings(language))
        }
        mixed = dataclasses.replace(scene, place=other.place)
        for text in (state(scene, language, "short"), state(other, language, "short"), state(mixed, language, "short")):
            assert same_meaning(text, language, english, "short") is (text in allowed), text


def test_either_sense_means_what_the_short_english_caption_means() -> None:
    for text in ("Deux battes rouges dans une pièce.", "Dans une pièce, on voit deux chauves-souris rouges."):
        assert same_meaning(text, "fr", TRUTH, "short")
    assert not same_meaning("Deux battes bleues dans une pièce.", "fr", TRUTH, "short")


def test_another_wording_means_the_same() -> None:
    assert same_meaning("Dans une pièce, on voit deux battes rouges.", "fr", TRUTH, "short")


def test_a_detailed_caption_may_leave_out_what_its_language_does_not_say_and_no_more() -> None:
    english = state(BATS, "en", "detailed")
    assert "baseball bats" in english
    assert same_meaning(state(BATS, "es", "detailed"), "es", english, "detailed")
    assert not same_meaning(state(usual_reading(BATS), "es", "detailed"), "es", english, "detailed")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Zwei rote",
        "Zwei roter Fledermäuse in einem Zimmer.",
        "In einem Zimmer sitzt zwei rote Fledermäuse.",
        "In einem Zimmer sitzen zwei roten Fledermäuse.",
        "In einem Zimmer sitzen zwei rote Fledermäuse",
        "in einem Zimmer sitzen zwei rote Fledermäuse.",
        "In einem Zimmer sitzen zwei rote Fledermäuse. In einem Zimmer sitzen zwei rote Fledermäuse.",
        "In a room, there are two red bats.",
        "Zwei rote Fledermäuse " * 50,
        "\x00" * 100,
    ],
)
def test_what_is_no_german_caption_is_not_read(text: str) -> None:
    assert read(text, "de", "short") == [] and not same_meaning(text, "de", TRUTH, "short")
    assert differences(text, "de", "short", BATS) == (NO_CAPTION,)


def test_differences_name_what_is_wrong_about_the_nearest_reading() -> None:
    def wrong(text: str, language: str = "de") -> tuple[str, ...]:
        return differences(text, language, "short", BATS)

    assert wrong("In einem Zimmer liegen zwei rote Baseballschläger.") == ()
    assert wrong("In einem Zimmer stehen zwei rote Baseballschläger.") == ("pose",)
    assert wrong("In einem Zimmer liegen drei rote Baseballschläger.") == ("count",)
    assert wrong("Im Schnee liegen zwei blaue Baseballschläger.") == ("colour", "place")
    assert wrong("Two red bats on the street.", "en") == ("place",)
    assert "groups" in wrong("In einem Zimmer liegen zwei rote Baseballschläger links von einer roten Katze.")


def test_an_unknown_language_or_style_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'it'"):
        read("Un gatto.", "it", "short")
    with pytest.raises(ValueError, match="'long'"):
        read("A cat.", "en", "long")


def test_meaning_needs_no_torch() -> None:
    import subprocess
    import sys
    from pathlib import Path

    code = "import sys; import florenz.playground.meaning; print('torch' in sys.modules, 'PIL' in sys.modules)"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
