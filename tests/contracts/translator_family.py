"""What every family of translators must do. A family's test subclasses the suite and gives a fixture `family`."""

import dataclasses
import json
import string
from collections.abc import Mapping
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from florenz.languages.codes import NAMES, SOURCE
from florenz.translators.contract import ChatTemplate, TranslatorFamily, Turns
from florenz.translators.family import SAMPLING, Family
from florenz.translators.settings import TranslatorSettings

REQUEST_FIELDS = {*SAMPLING, "stop", "stop_token_ids", "add_special_tokens"}
TEXTS = ("a red car", 'a sign: "{text}", 100% {off}', "two\nlines, 日本語 and 🚗", "a red car")
# Values that no family has; the keys of one form alone are left out.
CHANGES = {
    "user": "in other words: {text}",
    "turns": {"de": "auf Deutsch: {text}"},
    "names": {"de": "Deutsch"},
    "codes": {"de": "deu"},
    **{"temperature": 0.123, "top_p": 0.123, "top_k": 123, "repetition_penalty": 1.23},
    **{"stop": ("#",), "stop_token_ids": (123,), "cleaning": ("note.1", "note.1")},
}
REMARKS = {
    **{"name": "other", "licence": "other", "source": "other", "models": ("other/model",), "languages": ("de",)},
    "model_languages": ("other/model de",),
}


def small_tokenizer(chat_template: str | None) -> PreTrainedTokenizerFast:
    """With <s> and </s>; its template is rendered by transformers, as a model's own is."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = chat_template
    return fast


def rendered_by(chat_template: str) -> ChatTemplate:
    tokenizer = small_tokenizer(chat_template)

    def render(turns: Turns, options: Mapping[str, Any]) -> str:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, **options))

    return render


class TranslatorFamilyContract:
    @pytest.fixture
    def template(self, family: Family) -> ChatTemplate | None:
        return rendered_by(family.example.chat_template) if family.needs_chat_template else None

    def test_it_is_a_family(self, family: Family) -> None:
        offered: TranslatorFamily = family
        members = [name for name in vars(TranslatorFamily) if not name.startswith("_")]
        assert 3 <= len(members) <= 8 and all(hasattr(offered, name) for name in members)

    def test_the_example_is_rendered_byte_for_byte(self, family: Family, template: ChatTemplate | None) -> None:
        example = family.example
        (prompt,) = family.prompts([example.text], example.language, NAMES, template)
        assert prompt.encode() == example.prompt.encode()

    def test_its_example_says_what_the_template_is_exactly_where_there_is_one(self, family: Family) -> None:
        assert bool(family.example.chat_template) == family.needs_chat_template

    def test_every_text_gets_its_own_prompt_in_order_whatever_stands_in_it(
        self, family: Family, template: ChatTemplate | None
    ) -> None:
        prompts = family.prompts(TEXTS, family.example.language, NAMES, template)
        assert len(prompts) == len(TEXTS) and prompts[0] == prompts[3]
        assert all(prompt.count(text) == 1 for prompt, text in zip(prompts, TEXTS, strict=True))
        assert family.prompts([], family.example.language, NAMES, template) == []

    def test_every_language_that_it_knows_is_asked_for_in_a_prompt_of_its_own(
        self, family: Family, template: ChatTemplate | None
    ) -> None:
        languages = family.languages or [code for code in NAMES if code != SOURCE]
        prompts = {family.prompts([TEXTS[0]], language, NAMES, template)[0] for language in languages}
        assert len(prompts) == len(languages)
        assert not any(family.language_problem(language) for language in languages)

    def test_a_language_that_it_does_not_know_is_refused_in_one_line(self, family: Family) -> None:
        for language in NAMES.keys() - {*family.languages} if family.languages else ():
            line = family.language_problem(language)
            assert f"'{family.name}'" in line and NAMES[language] in line and "\n" not in line
            with pytest.raises(ValueError, match=family.name):
                family.prompts([TEXTS[0]], language, NAMES, None)

    def test_it_asks_for_nothing_that_a_completion_request_does_not_know(self, family: Family) -> None:
        fields = family.request()
        assert fields.keys() <= REQUEST_FIELDS and json.loads(json.dumps(fields)) == fields
        assert None not in fields.values() and [] not in fields.values()

    def test_a_recipe_can_name_it_and_needs_no_more(self, family: Family) -> None:
        sampling = TranslatorSettings(model="org/model", prompt=family.name).sampling()
        assert sampling["prompt_text"] == family.identity() and json.loads(json.dumps(sampling)) == sampling

    def test_cleaning_takes_white_space_and_leaves_a_clean_text_alone(self, family: Family) -> None:
        for answer in (" ein rotes Auto\n", '"ein Auto"', "Note: nichts", ""):
            clean = family.clean(answer, TEXTS[0])
            assert clean == clean.strip() and family.clean(clean, TEXTS[0]) == clean
        assert family.clean(" ein rotes Auto\n", TEXTS[0]) == "ein rotes Auto"

    def test_all_that_is_no_remark_enters_its_identity(self, family: Family) -> None:
        others = [dataclasses.replace(family, **{name: value}).identity() for name, value in CHANGES.items()]
        assert len({family.identity(), *others}) == 1 + len(CHANGES)
        remarked = [dataclasses.replace(family, **{name: value}).identity() for name, value in REMARKS.items()]
        assert {*remarked} == {family.identity()}

    def test_it_says_where_its_form_is_from_and_what_its_licence_is(self, family: Family) -> None:
        assert family.licence.strip() and family.source.strip()
        assert not family.models or "https://" in family.source
        assert not any(char in string.whitespace for model in family.models for char in model)
