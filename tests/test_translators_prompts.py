"""Prompts as the model will see them, with a real tokenizer and a real chat template."""

from pathlib import Path
from typing import Any

import pytest
from contracts.translator_family import small_tokenizer
from transformers import AutoTokenizer

from florenz.playground.translator_model import prompt_of
from florenz.translators.family_files import family_named
from florenz.translators.prompts import HARMLESS_TEXT, prompt_family, render_problems
from florenz.translators.settings import TranslatorSettings

NAMES = {"de": "German", "zh": "Chinese"}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}{% if enable_thinking is false %}<no-think>{% endif %}"
)


def save_tokenizer(folder: Path, chat_template: str | None) -> str:
    small_tokenizer(chat_template).save_pretrained(folder)
    return str(folder)


def problems(folder: Path, chat_template: str | None, *languages: str, prompt: str = "chat") -> list[str]:
    settings = TranslatorSettings(model=save_tokenizer(folder, chat_template), prompt=prompt)
    found = render_problems(settings, languages or ("de", "fr"))
    assert all("\n" not in problem for problem in found)
    return found


def test_the_playground_prompt_is_the_text_and_a_language_mark() -> None:
    family = prompt_family("playground")
    assert family.build(["a red car", "a bat"], "de", {}) == ["<s>a red car<|de|>", "<s>a bat<|de|>"]


def test_a_playground_answer_is_only_stripped() -> None:
    assert prompt_family("playground").clean(' "ein Auto"\n', "a car") == '"ein Auto"'


def test_a_chat_prompt_names_the_language_and_ends_where_the_model_goes_on(tmp_path: Path) -> None:
    model = save_tokenizer(tmp_path, TEMPLATE)
    first, second = prompt_family("chat", model=model).build(["a {red} car", "a bat"], "de", NAMES)
    assert first.startswith("<s>[user] Translate") and first.endswith("a {red} car[assistant]<no-think>")
    assert "into German" in first and "[user]" in second and second.endswith("a bat[assistant]<no-think>")


def test_a_language_without_a_name_is_refused_for_chat(tmp_path: Path) -> None:
    family = prompt_family("chat", model=save_tokenizer(tmp_path, TEMPLATE))
    with pytest.raises(ValueError, match="'fr'.*language_names"):
        family.build(["a car"], "fr", NAMES)


def test_a_model_without_a_chat_template_is_refused_with_advice_that_is_right(tmp_path: Path) -> None:
    family = prompt_family("chat", model=save_tokenizer(tmp_path, None))
    with pytest.raises(ValueError, match="no chat template.*an instruct model.*'alma', 'gemmax2'") as caught:
        family.build(["a car"], "de", NAMES)
    assert "playground" not in str(caught.value).replace(str(tmp_path), "")


def test_a_folder_without_a_tokenizer_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tokenizer can't be loaded") as caught:
        prompt_family("chat", model=str(tmp_path)).build(["a car"], "de", NAMES)
    assert "\n" not in str(caught.value)


def test_an_unknown_family_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'nllb'.*chat.*playground"):
        prompt_family("nllb")


def test_the_fingerprint_holds_the_familys_identity() -> None:
    def identity(prompt: str) -> str:
        return str(TranslatorSettings(model="m", prompt=prompt).sampling()["prompt_text"])

    assert identity("playground") == "{text}<|{language}|>"
    assert identity("alma") != identity("gemmax2")


def test_a_template_that_works_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, TEMPLATE) == []


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ raise_exception('give one record,\nnot a text') }}", "TemplateError: give one record, not a text"),
        ("{{ messages[5]['content'] }}", "UndefinedError"),
        ("{{ messages[0]['content'] + 1 }}", "TypeError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ messages | no_such_filter }}", "TemplateAssertionError"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "RecursionError"),
    ],
)
def test_a_template_that_raises_is_one_line_before_the_work(tmp_path: Path, template: str, told: str) -> None:
    (line,) = problems(tmp_path, template)
    assert f"model {str(tmp_path)!r}: its chat template fails for prompt = 'chat' ({told}" in line


@pytest.mark.parametrize(
    "template",
    [
        "{% for part in messages[0]['content'] %}{{ part.text }}{% endfor %}",
        "{{ messages[0]['content'][0]['source_lang_code'] }}",
    ],
)
def test_a_template_that_leaves_the_caption_out_is_told(tmp_path: Path, template: str) -> None:
    """As one that wants a list of records does with a text: it finds none, and says nothing."""
    (line,) = problems(tmp_path, template)
    assert "leaves the caption out" in line and HARMLESS_TEXT not in line


@pytest.mark.parametrize("prompt", ["alma", "seed_x", "playground", "few_shot"])
def test_a_model_in_the_form_of_another_family_is_one_line_with_its_own(prompt: str) -> None:
    settings = TranslatorSettings(model="Tencent/hunyuan-mt-7B", prompt=prompt)
    (problem,) = render_problems(settings, ["de", "fr"])
    assert "write prompt = 'hunyuan_mt'" in problem and f"prompt = {prompt!r}" in problem and "\n" not in problem


def test_a_model_of_a_family_may_be_asked_through_its_chat_template_and_unknown_ones_in_any_form() -> None:
    hosted = TranslatorSettings(model="tencent/Hunyuan-MT-7B", prompt="chat", api="chat")
    assert render_problems(hosted, ["de"]) == []
    assert render_problems(TranslatorSettings(model="me/my-own-alma", prompt="alma"), ["de"]) == []


@pytest.mark.parametrize(
    ("bos", "told"),
    [
        ('"<|begin|>"', "begin with '<|begin|>', and those of prompt = 'playground' begin with '<s>'"),
        ('{"content": "<bos>", "special": true}', "begin with '<bos>'"),
        ("null", "begin with nothing"),
        ('"<s>"', ""),
        ('{"content": "<s>"}', ""),
    ],
)
def test_a_model_that_knows_no_such_beginning_is_none_of_a_raw_family_s(tmp_path: Path, bos: str, told: str) -> None:
    """As whoever takes the playground's recipe and changes the model alone."""
    (tmp_path / "tokenizer_config.json").write_text(f'{{"bos_token": {bos}}}')
    found = render_problems(TranslatorSettings(model=str(tmp_path), prompt="playground"), ["de", "fr"])
    assert [told in line and "\n" not in line for line in found] == [True] * bool(told)
    own = TranslatorSettings(
        model=str(tmp_path), prompt="mine", family='{"form": "raw", "bos": "<x>", "user": "{text}"}'
    )
    assert render_problems(own, ["de"]) == [], "whoever writes it down means it"


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000, '{"bos_token": 1'])
def test_where_nothing_says_how_its_prompts_begin_nothing_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(content)
    assert render_problems(TranslatorSettings(model=str(tmp_path), prompt="playground"), ["de"]) == []


def test_a_fault_of_one_language_names_it(tmp_path: Path) -> None:
    template = "{% if 'French' in messages[0]['content'] %}{{ 1 // 0 }}{% endif %}{{ messages[0]['content'] }}"
    (line,) = problems(tmp_path, template, "de", "fr", "es")
    assert "ZeroDivisionError" in line and line.endswith("(asked for fr)")


def test_a_language_that_the_family_lacks_is_told_without_a_tokenizer(tmp_path: Path) -> None:
    settings = TranslatorSettings(model=str(tmp_path), prompt="alma")
    (line,) = render_problems(settings, ("de", "ca"))
    assert "'alma' knows cs, de, is, ru, zh and not ca (Catalan)" in line


def test_a_language_of_another_model_of_the_family_is_told_with_that_model() -> None:
    settings = TranslatorSettings(model="Haoranxu/x-alma-13b-group1", prompt="x_alma", api="chat")
    assert render_problems(settings, ("de", "nl")) == []
    (line,) = render_problems(settings, ("de", "zh"))
    assert "not zh (Chinese): leave it out, or take haoranxu/X-ALMA-13B-Group6 for it" in line
    own = TranslatorSettings(model="me/my-own-x-alma", prompt="x_alma", api="chat")
    assert render_problems(own, ("de", "zh")) == []


def test_the_groups_of_x_alma_are_all_its_languages_each_in_one() -> None:
    family = family_named("x_alma")
    groups = [one.split() for one in family.model_languages]
    assert sorted(code for _, *codes in groups for code in codes) == sorted(family.languages)
    assert tuple(model for model, *_ in groups) == family.models


def test_a_model_out_of_reach_is_told_once(tmp_path: Path) -> None:
    (line,) = render_problems(TranslatorSettings(model=str(tmp_path)), ("de", "fr", "es"))
    assert "tokenizer can't be loaded" in line


@pytest.mark.parametrize("is_here", [True, False])
def test_a_tokenizer_that_was_downloaded_is_not_sought_on_the_hub(
    is_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, transformers asked two minutes for what it has, in every run."""
    asked: list[bool] = []

    def from_pretrained(name: str, *, local_files_only: bool, **options: Any) -> Any:
        asked.append(local_files_only)
        if local_files_only and not is_here:
            raise OSError("not here")
        return small_tokenizer(TEMPLATE)

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", from_pretrained)
    assert render_problems(TranslatorSettings(model=f"org/downloaded-{is_here}"), ["de"]) == []
    assert asked == ([True] if is_here else [True, False])


def test_the_served_playground_prompt_is_tokenized_as_it_was_in_training() -> None:
    """The client has the server add no special tokens; training had the tokenizer add them."""
    tokenizer = AutoTokenizer.from_pretrained(Path(__file__).resolve().parents[1] / "playground/models/translator")
    served = prompt_family("playground").build(["A red cat at sea."], "de", {})[0]
    trained = prompt_of("A red cat at sea.", "de")
    assert tokenizer(served, add_special_tokens=False).input_ids == tokenizer(trained).input_ids
