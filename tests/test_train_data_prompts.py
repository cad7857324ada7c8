"""Prompts and language prefixes: what is asked, and what is refused."""

from typing import Any

import pytest

from florenz.captioners.florence2.tasks import TASK_OF_STYLE
from florenz.languages.codes import NAMES
from florenz.train.data.prompts import PAPER, Prompts, decoder_prefix, encoder_prompt, language_token, prompts_for
from florenz.train.model.loading import LANGUAGES


def test_prompt_says_what_to_do_and_in_which_language() -> None:
    assert encoder_prompt("caption", "de") == "Describe this image in German."
    assert encoder_prompt("caption", "fr", style="detailed") == "Describe this image in detail in French."
    assert encoder_prompt("translation", "zh", "A red car.") == "Translate to Chinese: A red car."


def test_each_task_language_and_style_has_a_prompt_of_its_own() -> None:
    prompts = [encoder_prompt("caption", language, style=style) for language in LANGUAGES for style in TASK_OF_STYLE]
    assert len(set(prompts)) == len(LANGUAGES) * len(TASK_OF_STYLE)


def test_every_language_that_a_dataset_may_name_can_be_asked_for() -> None:
    prompts = {code: encoder_prompt("caption", code) for code in NAMES}
    assert all(name in prompts[code] for code, name in NAMES.items())
    assert len(set(prompts.values())) == len({language_token(code) for code in NAMES}) == len(NAMES)


def test_prefix_of_tokens_stands_before_every_text_and_of_words_before_captions() -> None:
    assert decoder_prefix("caption", "de", "token") == decoder_prefix("translation", "de", "token") == "<|de|>"
    assert decoder_prefix("caption", "de", "words") == "Das Bild zeigt"
    assert decoder_prefix("translation", "de", "words") == ""
    assert len({decoder_prefix("caption", language, "words") for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("caption", "xx"), "unknown language 'xx'"),
        (("sing", "de"), "unknown task 'sing'"),
        (("caption", "de", "A red car."), "no text to translate"),
        (("translation", "de"), "into German needs a text"),
        (("caption", "de", "", "haiku"), "unknown caption style 'haiku'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder_prompt(*arguments)


def test_a_language_without_words_has_no_prefix_of_words() -> None:
    with pytest.raises(ValueError, match="no words to begin a caption in Italian"):
        decoder_prefix("caption", "it", "words")


def test_with_the_language_in_the_prefix_the_encoder_is_told_the_task_alone() -> None:
    prompts = prompts_for("prefix")
    told = {encoder_prompt("caption", language, prompts=prompts) for language in LANGUAGES}
    assert told == {"caption"}
    assert encoder_prompt("caption", "fr", style="detailed", prompts=prompts) == "caption in detail"
    assert encoder_prompt("translation", "fr", "A {red} car.", prompts=prompts) == "A {red} car."
    assert decoder_prefix("translation", "fr", "token", prompts) == "<|fr|>"


def test_with_the_language_in_the_encoder_nothing_is_forced() -> None:
    prompts = prompts_for("encoder")
    assert encoder_prompt("caption", "fr", prompts=prompts) == "Describe this image in French."
    assert decoder_prefix("caption", "fr", "token", prompts) == decoder_prefix("caption", "fr", "words", prompts) == ""


def test_sentences_and_words_of_ones_own() -> None:
    prompts = prompts_for("both", caption="{language}{style}!", translation="{text} ({language})", words={"it": "Ecco"})
    assert encoder_prompt("caption", "it", style="detailed", prompts=prompts) == "Italian in detail!"
    assert encoder_prompt("translation", "it", "A car.", prompts=prompts) == "A car. (Italian)"
    assert decoder_prefix("caption", "it", "words", prompts) == "Ecco"
    assert decoder_prefix("caption", "de", "words", prompts) == "Das Bild zeigt"


def test_the_usual_prompts_are_those_of_the_paper() -> None:
    assert prompts_for("both") == PAPER == Prompts()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_in": "decoder"}, "language_in is 'decoder': choose both, encoder, prefix"),
        (
            {"language_in": "prefix", "caption": "Say it in {language}."},
            "caption names the {language}, and language_in",
        ),
        ({"language_in": "both", "caption": "caption"}, "caption does not name the {language}: add it, or set"),
        ({"language_in": "prefix", "translation": "translate"}, "translation has no {text}"),
        (
            {"language_in": "both", "caption": "{language} {tone}"},
            "caption has the blank {tone}: known are {style}, {lan",
        ),
        ({"language_in": "both", "caption": "{language"}, "caption is '{language': .*a brace is written twice"),
        ({"language_in": "both", "words": {"fr": ""}}, "words: fr begins with nothing"),
    ],
)
def test_prompts_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("{", r"\{").replace("}", r"\}")):
        prompts_for(**options)


def test_the_papers_wording_is_that_of_its_code() -> None:
    """The processor's task prompts and modifiers, and eval.py's prefixes, of spravil/caption-via-translation."""
    paper = prompts_for("both", wording="paper")
    assert encoder_prompt("caption", "de", prompts=paper) == (
        "The target language is German. What does the image describe?"
    )
    assert encoder_prompt("caption", "zh", style="detailed", prompts=paper) == (
        "The target language is simplified Chinese. Describe in detail what is shown in the image."
    )
    assert encoder_prompt("caption", "fr", style="paragraph", prompts=paper) == (
        "The target language is French. Describe with a paragraph what is shown in the image."
    )
    assert encoder_prompt("translation", "ru", "A red car.", prompts=paper) == (
        "The target language is Russian. Translate the following text: A red car."
    )
    words = {code: decoder_prefix("caption", code, "words", paper) for code in LANGUAGES}
    assert words == {
        "en": "The image shows", "de": "Das Bild zeigt", "fr": "La photo montre", "es": "La imagen muestra",
        "ru": "На картинке изображен", "zh": "图为",
    }  # fmt: skip
    assert decoder_prefix("translation", "de", "words", paper) == ""
