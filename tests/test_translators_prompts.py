"""Prompts as the model will see them, with a real tokenizer and a real chat template."""

from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from florenz.playground.translator_model import prompt_of
from florenz.translators.prompts import prompt_family
from florenz.translators.settings import TranslatorSettings

NAMES = {"de": "German", "zh": "Chinese"}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}{% if enable_thinking is false %}<no-think>{% endif %}"
)


def save_tokenizer(folder: Path, chat_template: str | None) -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = chat_template
    fast.save_pretrained(folder)
    return str(folder)


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


def test_a_model_without_a_chat_template_is_refused_with_the_fix(tmp_path: Path) -> None:
    family = prompt_family("chat", model=save_tokenizer(tmp_path, None))
    with pytest.raises(ValueError, match="no chat template.*playground"):
        family.build(["a car"], "de", NAMES)


def test_a_folder_without_a_tokenizer_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tokenizer can't be loaded") as caught:
        prompt_family("chat", model=str(tmp_path)).build(["a car"], "de", NAMES)
    assert "\n" not in str(caught.value)


def test_an_unknown_family_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'nllb'.*'chat'.*'playground'"):
        prompt_family("nllb")


def test_the_fingerprint_holds_what_changes_the_text_and_nothing_else() -> None:
    plain = TranslatorSettings(model="m", prompt="playground")
    patient = replace(plain, max_retries=99, prompts_per_request=7, max_in_flight=9, startup_timeout_s=1)
    assert patient.sampling() == plain.sampling()
    changed = [
        replace(plain, prompt="chat"),
        replace(plain, max_tokens=9),
        replace(plain, temperature=1.0),
        replace(plain, top_p=0.5),
        replace(plain, repetition_penalty=1.1),
        replace(plain, seed=1),
        replace(plain, dtype="float32"),
    ]
    assert all(settings.sampling() != plain.sampling() for settings in changed)


def test_wrong_settings_are_all_named_at_once() -> None:
    with pytest.raises(ValueError, match="max_tokens = 0.*max_in_flight = 0.*temperature = -1"):
        TranslatorSettings(model="m", max_tokens=0, max_in_flight=0, temperature=-1)
    with pytest.raises(ValueError, match="max_model_len = 256: must exceed max_tokens = 256"):
        TranslatorSettings(model="m", max_model_len=256)


def test_the_served_playground_prompt_is_tokenized_as_it_was_in_training() -> None:
    """The client has the server add no special tokens; training had the tokenizer add them."""
    tokenizer = AutoTokenizer.from_pretrained(Path(__file__).resolve().parents[1] / "playground/models/translator")
    served = prompt_family("playground").build(["A red cat at sea."], "de", {})[0]
    trained = prompt_of("A red cat at sea.", "de")
    assert tokenizer(served, add_special_tokens=False).input_ids == tokenizer(trained).input_ids
