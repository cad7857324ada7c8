"""What a family's keys mean, and which of them don't go together."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from florenz.languages.codes import NAMES
from florenz.recipes.fingerprints import remark
from florenz.translators.contract import Turns
from florenz.translators.family import Example, Family
from florenz.translators.family_files import family_named

ORDINARY = Family(
    form="raw",
    user="{source_language} to {language} <{code}>: {text}",
    licence="MIT",
    source="a paper",
    example=Example(text="a", language="de", prompt="English to German <de>: a"),
    name="ordinary",
)


def prompt(family: Family, language: str = "de") -> str:
    (made,) = family.prompts(["a car"], language, NAMES)
    return made


def test_a_language_is_called_by_its_english_name_and_its_code_unless_the_family_says_otherwise() -> None:
    assert prompt(ORDINARY) == "English to German <de>: a car"
    other = replace(ORDINARY, names={"de": "Deutsch", "en": "Englisch"}, codes={"de": "deu"})
    assert prompt(other) == "Englisch to Deutsch <deu>: a car"
    assert prompt(other, "fr") == "Englisch to French <fr>: a car"


def test_a_language_may_have_a_turn_of_its_own() -> None:
    family = replace(ORDINARY, turns={"zh": "翻译成中文：{text}"})
    assert prompt(family, "zh") == "翻译成中文：a car" and prompt(family).startswith("English to German")


def test_hunyuan_is_asked_in_chinese_for_chinese() -> None:
    def render(turns: Turns, options: Any) -> str:
        return turns[0]["content"]

    (made,) = family_named("hunyuan_mt").prompts(["a car"], "zh", NAMES, render)
    assert made == "把下面的文本翻译成中文，不要额外解释。\n\na car"


def test_a_system_turn_stands_before_the_users_and_names_the_language_too() -> None:
    asked: list[Turns] = []

    def render(turns: Turns, options: Any) -> str:
        asked.append(turns)
        return f"{options}"

    family = replace(
        ORDINARY, form="template", system="You write {language}.", template={"add_generation_prompt": True}
    )
    assert family.prompts(["a", "b"], "de", NAMES, render) == ["{'add_generation_prompt': True}"] * 2
    assert asked[1] == [
        {"role": "system", "content": "You write German."},
        {"role": "user", "content": "English to German <de>: b"},
    ]


def test_a_template_that_takes_no_text_gets_a_list_of_one_record() -> None:
    asked: list[Turns] = []

    def render(turns: Turns, options: Any) -> str:
        asked.append(turns)
        return ""

    family_named("translate_gemma").prompts(['a "car" {x}'], "zh", NAMES, render)
    record = {"type": "text", "source_lang_code": "en", "target_lang_code": "zh-Hans", "text": 'a "car" {x}'}
    assert asked == [[{"role": "user", "content": [record]}]]


def test_braces_in_a_turn_are_written_twice() -> None:
    assert prompt(replace(ORDINARY, user="{{x}} {text}")) == "{x} a car"


def test_a_name_is_asked_for_only_where_a_turn_says_it() -> None:
    assert replace(ORDINARY, user="<{code}> {text}").prompts(["a"], "de", {}) == ["<de> a"]
    with pytest.raises(ValueError, match="'en'.*language_names"):
        ORDINARY.prompts(["a"], "de", {"de": "German"})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"form": "row"}, "form is 'row': choose template or raw"),
        ({"user": "translate"}, "user has no {text}"),
        ({"user": "{text} {langage}"}, "'langage': did you mean 'language'?"),
        ({"user": "{text.__class__}"}, "user, in braces, has 'text.__class__'"),
        ({"user": "{text:.20}"}, "user has {text} with more in its braces, which could cut a text: write {text}"),
        ({"user": "{text} {language!x}"}, "user has {language} with more in its braces"),
        ({"user": "{text"}, "write braces that mean themselves twice"),
        ({"turns": {"zh": "translate"}}, "user has no {text}"),
        ({"turns": {"zz": "{text}"}}, "turns has 'zz'"),
        ({"names": {"cz": "Czech"}}, "names has 'cz': did you mean 'cs' (Czech)?"),
        ({"codes": {"xx": "yy"}}, "codes has 'xx'"),
        ({"languages": ("de", "jp")}, "languages has 'jp': did you mean 'ja' (Japanese)?"),
        ({"model_languages": ("org/m de jp",)}, "model_languages has 'jp': did you mean 'ja' (Japanese)?"),
        ({"cleaning": ("qotes.1",)}, "cleaning has 'qotes.1': did you mean 'quotes.1'?"),
        ({"temperature": -1.0}, "temperature is -1.0: choose 0 or more"),
        ({"top_k": 0}, "top_k is 0: choose more than 0"),
        ({"stop": ("\n", "")}, "stop has an empty text"),
        ({"licence": " "}, "licence is empty"),
        ({"source": ""}, "source is empty: cite"),
        ({"form": "template", "system": "{text}"}, "system, in braces, has 'text'"),
        ({"system": "Be brief."}, "system, [template] and [record] are for form = 'template'"),
        ({"template": {"add_generation_prompt": True}}, "system, [template] and [record] are for form = 'template'"),
        ({"record": {"text": "{text}"}}, "system, [template] and [record] are for form = 'template'"),
        ({"form": "template", "record": {"type": "text"}}, "record has no {text}"),
        ({"form": "template", "record": {"text": "{txt}"}}, "record.text, in braces, has 'txt'"),
        ({"form": "template", "bos": "<s>"}, "are for form = 'raw'"),
        ({"bos": "<s>", "add_special_tokens": True}, "two BOS"),
        ({"example": Example(text="a", language="xx", prompt="")}, "example.language has 'xx'"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError) as caught:
        replace(ORDINARY, **changes)
    (told,) = str(caught.value).splitlines()
    assert line in told


def test_families_that_were_code_before_they_were_files_keep_their_identity() -> None:
    """These words stand in the fingerprints of answers that were paid for. They must never change."""
    assert family_named("playground").identity() == "{text}<|{language}|>"
    assert family_named("chat").identity() == (
        "Translate this image caption from English into {language}. Answer with the {language} translation alone: "
        "no introduction, no notes, no quotation marks.\n\n{text} [cleaning 1]"
    )


def test_a_changed_file_is_another_family() -> None:
    chat = family_named("chat")
    without_thinking = {"add_generation_prompt": True}
    changed = [replace(chat, user="{text}!"), replace(chat, template=without_thinking), replace(chat, cleaning=())]
    assert len({chat.identity(), *(family.identity() for family in changed)}) == 4
    raw = family_named("playground")
    assert replace(raw, bos="").identity() != raw.identity()
    assert replace(raw, bos="", add_special_tokens=True).identity() != replace(raw, bos="").identity()


@dataclass(frozen=True, kw_only=True)
class LaterFamily(Family):
    min_p: float = 0.0
    homepage: str = remark("")


@pytest.mark.parametrize("name", ["chat", "playground", "alma"])
def test_a_key_that_is_added_later_enters_the_identity_by_itself_where_it_is_set(name: str) -> None:
    today = family_named(name)
    later = LaterFamily(**vars(today))
    assert later.identity() == today.identity() == replace(later, homepage="https://example.org").identity()
    assert replace(later, min_p=0.1).identity() != today.identity()
