from florenz.playground.captions import state
from florenz.playground.scene import Group, Scene
from florenz.playground.score import Score, score_image

PLAIN = Scene(
    place="beach",
    time="day",
    relation="alone",
    groups=(Group(kind="cat", colour="red", size="small", count=1, pose="sit"),),
)
BAT = Scene(
    place="room",
    time="day",
    relation="alone",
    groups=(Group(kind="bat_sport", colour="red", size="small", count=2, pose="stand"),),
)
SOURCE = "In a room, there are two red bats."


def scored(scene: Scene, caption: str, german: str, language: str = "de") -> Score:
    score = Score()
    source = state(scene, "en", "short")
    translations = {("short", language): (source, german)}
    score_image(score, scene, {"short": caption}, translations, styles=("short",), languages=(language,))
    return score


def test_the_right_caption_and_translation_count() -> None:
    score = scored(PLAIN, state(PLAIN, "en", "short"), state(PLAIN, "de", "short"))
    assert score.share("caption") == 1.0
    assert score.share("translation, unambiguous") == 1.0 and score.asked["translation, unambiguous", "de"] == 1


def test_a_wrong_caption_is_wrong_and_its_translation_is_not_asked_about() -> None:
    score = scored(PLAIN, "A red dog on the beach.", state(PLAIN, "de", "short"))
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
    score = scored(BAT, SOURCE, "In einem Zimmer sitzen zwei rote Fledermäuse.")
    assert score.share("translation of a right caption") == 1.0
    assert score.share("translation, ambiguous, fits image") == 0.0
    standing = scored(BAT, SOURCE, "In einem Zimmer stehen zwei rote Baseballschläger.")
    assert standing.share("translation, ambiguous, fits image") == 1.0
    lying = scored(BAT, SOURCE, "In einem Zimmer liegen zwei rote Baseballschläger.")
    assert lying.share("translation of a right caption") == 1.0
    assert lying.share("translation, ambiguous, fits image") == 0.0


def test_ambiguous_is_what_the_language_has_to_say_and_english_hides() -> None:
    """Spanish has one word for both mice and doesn't say how they lie: nothing is open. German has two."""
    mouse = Group(kind="mouse_computer", colour="green", size="small", count=1, pose="lie")
    scene = Scene(place="beach", time="day", relation="alone", groups=(mouse,))
    for language, what in (("es", "unambiguous"), ("de", "ambiguous")):
        score = scored(scene, state(scene, "en", "short"), state(scene, language, "short"), language)
        assert score.asked[f"translation, {what}", language] == 1


def test_another_wording_has_the_same_meaning_and_is_not_the_rule() -> None:
    score = scored(BAT, SOURCE, "Zwei rote Fledermäuse sitzen in einem Zimmer.")
    assert score.share("translation of a right caption") == 0.0
    assert score.share("translation, same meaning") == 1.0


def test_a_detailed_caption_leaves_nothing_open() -> None:
    score = Score()
    source, german = (
        state(BAT, "en", "detailed"),
        state(BAT, "de", "detailed").replace("Baseballschläger", "Fledermäuse"),
    )
    score_image(
        score,
        BAT,
        {"detailed": source},
        {("detailed", "de"): (source, german)},
        styles=("detailed",),
        languages=("de",),
    )
    assert score.share("translation, unambiguous") == 0.0 and score.share("translation, same meaning") == 0.0


def test_lines_show_right_and_asked() -> None:
    score = scored(PLAIN, state(PLAIN, "en", "short"), "falsch")
    assert any("de" in line and "0 of     1" in line for line in score.lines())
