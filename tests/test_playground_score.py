from florenz.playground.captions import state
from florenz.playground.scene import Group, Scene
from florenz.playground.score import Score, readings, score_image

PLAIN = Scene(
    place="sea", time="day", relation="alone", groups=(Group(kind="cat", colour="red", size="small", count=1),)
)
BAT = Scene(
    place="room", time="day", relation="alone", groups=(Group(kind="bat_sport", colour="red", size="small", count=2),)
)


def scored(scene: Scene, caption: str, german: str) -> Score:
    score = Score()
    source = state(scene, "en", "short")
    translations = {("short", "de"): (source, german)}
    score_image(score, scene, {"short": caption}, translations, styles=("short",), languages=("de",))
    return score


def test_the_right_caption_and_translation_count() -> None:
    score = scored(PLAIN, state(PLAIN, "en", "short"), state(PLAIN, "de", "short"))
    assert score.share("caption") == 1.0
    assert score.share("translation, unambiguous") == 1.0


def test_a_wrong_caption_is_wrong_and_its_translation_is_not_asked_about() -> None:
    score = scored(PLAIN, "A red dog at sea.", state(PLAIN, "de", "short"))
    assert score.share("caption") == 0.0
    assert not any(what.startswith("translation") for what, _ in score.asked)


def test_a_missing_translation_is_wrong() -> None:
    score = Score()
    score_image(score, PLAIN, {"short": state(PLAIN, "en", "short")}, {}, styles=("short",), languages=("de",))
    assert score.share("translation of a right caption") == 0.0


def test_a_translation_of_another_text_is_wrong_even_if_it_fits() -> None:
    score = Score()
    translations = {("short", "de"): ("Something else.", state(PLAIN, "de", "short"))}
    captions = {"short": state(PLAIN, "en", "short")}
    score_image(score, PLAIN, captions, translations, styles=("short",), languages=("de",))
    assert score.share("translation of a right caption") == 0.0


def test_an_ambiguous_word_may_be_read_either_way_but_only_one_fits_the_image() -> None:
    animal = "Zwei rote Fledermäuse in einem Zimmer."
    score = scored(BAT, "Two red bats in a room.", animal)
    assert score.share("translation of a right caption") == 1.0
    assert score.share("translation, ambiguous, fits image") == 0.0
    assert scored(BAT, "Two red bats in a room.", "Zwei rote Schläger in einem Zimmer.").share(
        "translation, ambiguous, fits image"
    )


def test_readings_are_all_scenes_with_the_same_english_caption() -> None:
    assert readings(PLAIN) == [PLAIN]
    assert {scene.groups[0].kind for scene in readings(BAT)} == {"bat_animal", "bat_sport"}
    assert {state(scene, "en", "detailed") for scene in readings(BAT)} == {state(BAT, "en", "detailed")}


def test_lines_show_right_and_asked() -> None:
    score = scored(PLAIN, state(PLAIN, "en", "short"), "falsch")
    assert any("de" in line and "0 of     1" in line for line in score.lines())
