"""Prompts and language prefixes: what is asked, and what is refused."""

import pytest

from florenz.captioners.florence2.tasks import TASK_OF_STYLE
from florenz.languages.codes import NAMES
from florenz.train.data.prompts import decoder_prefix, encoder_prompt, language_token
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
