"""The processor: what becomes of texts, prompts, prefixes and pictures, and back."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_examples import Asked, edit_settings, miniature, picture

from florenz.train.data.processor import Processor
from florenz.train.data.prompts import encoder_prompt, prompts_for
from florenz.train.model.florenz import IGNORED


def processor_with(prefix: str = "token", **changes: Any) -> Processor:
    return edit_settings(miniature("florence", prefix=prefix)[1], **changes)


PROCESSOR = processor_with()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=3))
def test_any_text_comes_back_whole(texts: list[str]) -> None:
    batch = PROCESSOR.collate([Asked(text=text) for text in texts])
    ids = batch["labels"].masked_fill(batch["labels"] == IGNORED, PROCESSOR.decoder_tokenizer.pad_token_id)
    if PROCESSOR.num_truncated(batch) == 0:
        assert PROCESSOR.answers(ids) == [text.replace("▁", " ").strip() for text in texts]


def test_labels_are_the_inputs_moved_by_one_and_end_with_the_end() -> None:
    tokenizer = PROCESSOR.decoder_tokenizer
    batch = PROCESSOR.collate([Asked(text="Das Bild"), Asked(text="Ein rotes Auto.")])
    for inputs, labels in zip(batch["decoder_input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        kept = [label for label in labels if label != IGNORED]
        assert inputs[0] == tokenizer.bos_token_id and kept[-1] == tokenizer.eos_token_id
        assert inputs[1 : len(kept)] == kept[:-1]
        assert set(inputs[len(kept) :]) <= {tokenizer.pad_token_id}


def test_language_token_is_learned_in_training_and_left_out_of_scores() -> None:
    german = PROCESSOR.decoder_tokenizer.convert_tokens_to_ids("<|de|>")
    learned, scored = PROCESSOR.collate([Asked()]), PROCESSOR.collate([Asked()], learn_prefix=False)
    assert learned["decoder_input_ids"][0, 1] == learned["labels"][0, 0] == german
    assert scored["labels"][0, 0] == IGNORED
    assert torch.equal(scored["labels"][0, 1:], learned["labels"][0, 1:])
    assert torch.equal(scored["decoder_input_ids"], learned["decoder_input_ids"])


def test_training_knows_nothing_of_a_prefix_of_words() -> None:
    processor = processor_with("words")
    batch = processor.collate([Asked(text="Ein Auto.")])
    assert processor.answers(batch["labels"]) == ["Ein Auto."]


def test_questions_are_padded_on_the_left_under_a_mask() -> None:
    processor = processor_with("words")
    questions = [Asked(), Asked(task="translation", language="fr", source_text="A car."), Asked(language="en")]
    asked = processor.ask(questions)
    tokenizer = processor.decoder_tokenizer
    texts = ["Das Bild zeigt", "", "The image shows"]
    for ids, mask, text in zip(asked["decoder_input_ids"], asked["decoder_attention_mask"], texts, strict=True):
        own = ids[mask.bool()].tolist()
        assert own[0] == tokenizer.bos_token_id and tokenizer.decode(own[1:]) == text
        assert mask.tolist() == sorted(mask.tolist())
        assert set(ids[~mask.bool()].tolist()) <= {tokenizer.pad_token_id}


def test_without_prefix_the_decoder_is_given_only_its_start() -> None:
    asked = PROCESSOR.ask([Asked(), Asked(language="fr")], with_prefix=False)
    assert asked["decoder_input_ids"].tolist() == [[PROCESSOR.decoder_tokenizer.bos_token_id]] * 2


def test_training_and_generation_ask_in_the_same_words() -> None:
    examples = [Asked(picture_CHW=picture(1)), Asked(language="fr", style="detailed", picture_CHW=picture(2))]
    trained, asked = PROCESSOR.collate(examples), PROCESSOR.ask(examples)
    for name in ("input_ids", "attention_mask", "pixel_values"):
        assert torch.equal(trained[name], asked[name])
    assert torch.equal(trained["decoder_input_ids"][:, :2], asked["decoder_input_ids"])


def test_prompts_are_whole_sentences_between_start_and_end() -> None:
    examples = [Asked(), Asked(language="fr", style="detailed")]
    batch = PROCESSOR.collate(examples)
    tokenizer = PROCESSOR.encoder_tokenizer
    for ids, mask, asked in zip(batch["input_ids"], batch["attention_mask"], examples, strict=True):
        own = ids[mask.bool()].tolist()
        assert (own[0], own[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
        assert tokenizer.decode(own[1:-1]) == encoder_prompt("caption", asked.language, style=asked.style)


def test_what_is_too_long_is_cut_without_an_end_and_counted() -> None:
    processor = processor_with(max_text_tokens=8, max_prompt_tokens=70)
    short, long_text = Asked(text="Das"), Asked(text="Das Bild zeigt ein Auto.")
    long_prompt = Asked(task="translation", source_text="A red car. " * 20, text="Das")
    batch = processor.collate([short, long_text, long_prompt])
    assert batch["labels"].shape == (3, 8) and batch["input_ids"].shape == (3, 70)
    assert processor.num_truncated(batch) == 2
    assert processor.decoder_tokenizer.eos_token_id not in batch["labels"][1]
    assert [processor.num_truncated(processor.collate([one])) for one in (short, long_text, long_prompt)] == [0, 1, 1]


def test_a_text_of_exactly_the_longest_length_is_whole() -> None:
    text = "Das Bild zeigt"
    num_labels = PROCESSOR.collate([Asked(text=text)])["labels"].shape[1]
    whole, cut = processor_with(max_text_tokens=num_labels), processor_with(max_text_tokens=num_labels - 1)
    assert whole.num_truncated(whole.collate([Asked(text=text)])) == 0
    assert cut.num_truncated(cut.collate([Asked(text=text)])) == 1


def test_pictures_stay_bytes() -> None:
    pictures = [picture(1), picture(2)]
    batch = PROCESSOR.collate([Asked(picture_CHW=one) for one in pictures])
    assert batch["pixel_values"].dtype == torch.uint8
    assert torch.equal(batch["pixel_values"], torch.stack(pictures))
    assert "pixel_values" not in PROCESSOR.collate([Asked()])


def test_half_a_batch_with_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 examples in a batch have pictures"):
        PROCESSOR.collate([Asked(picture_CHW=picture()), Asked()])


def test_a_language_without_a_token_is_refused() -> None:
    for use in (PROCESSOR.collate, PROCESSOR.ask):
        with pytest.raises(ValueError, match=r"no token for language 'it', it has <\|en\|>"):
            use([Asked(language="it")])


def test_collate_travels_to_worker_processes() -> None:
    theirs = pickle.loads(pickle.dumps(PROCESSOR.collate))  # noqa: S301
    assert torch.equal(theirs([Asked()])["labels"], PROCESSOR.collate([Asked()])["labels"])


@pytest.mark.parametrize("prefix", ["token", "words"])
def test_processor_comes_back_from_a_folder(tmp_path: Path, prefix: str) -> None:
    processor = processor_with(prefix)
    processor.save_pretrained(tmp_path)
    loaded = Processor.from_pretrained(tmp_path)
    assert loaded.settings == processor.settings
    for use in ("collate", "ask"):
        ours, theirs = (getattr(one, use)([Asked(), Asked(language="fr")]) for one in (processor, loaded))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert loaded.answers(theirs["decoder_input_ids"]) == processor.answers(ours["decoder_input_ids"])


def test_a_folder_without_or_with_damaged_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no checkpoint of Florenz"):
        Processor.from_pretrained(tmp_path)
    PROCESSOR.save_pretrained(tmp_path)
    for damage in (
        "{",
        '{"image_px": 32}',
        '{"image_px": 32, "prefix": "x", "max_prompt_tokens": 1, "max_text_tokens": 1}',
    ):
        (tmp_path / "florenz_processor.json").write_text(damage)
        with pytest.raises(ValueError, match="florenz_processor.json"):
            Processor.from_pretrained(tmp_path)


def test_prompts_and_styles_travel_with_the_model(tmp_path: Path) -> None:
    processor = processor_with(prompts=prompts_for("prefix", caption="picture{style}"), styles=("short",))
    processor.save_pretrained(tmp_path)
    loaded = Processor.from_pretrained(tmp_path)
    assert loaded.settings == processor.settings
    prompt = loaded.ask([Asked()])["input_ids"][0].tolist()
    assert loaded.encoder_tokenizer.decode(prompt[1:-1]) == "picture"


def test_a_model_saved_before_prompts_were_written_down_is_asked_as_before(tmp_path: Path) -> None:
    PROCESSOR.save_pretrained(tmp_path)
    path = tmp_path / "florenz_processor.json"
    old = {name: json.loads(path.read_text())[name] for name in ("image_px", "prefix", "max_prompt_tokens")}
    path.write_text(json.dumps({**old, "max_text_tokens": 60}))
    loaded = Processor.from_pretrained(tmp_path)
    batch = loaded.collate([Asked()])
    assert loaded.encoder_tokenizer.decode(batch["input_ids"][0].tolist()[1:-1]) == "Describe this image in German."
    assert torch.equal(batch["labels"], PROCESSOR.collate([Asked()])["labels"])
    assert loaded.settings.styles == ()


def test_a_style_that_was_not_trained_on_is_refused() -> None:
    processor = processor_with(styles=("short",))
    for use in (processor.collate, processor.ask):
        use([Asked()])
        with pytest.raises(ValueError, match="trained on the style short alone, not on detailed"):
            use([Asked(), Asked(style="detailed")])


def test_where_the_encoder_alone_names_the_language_no_token_stands_before_texts() -> None:
    processor = processor_with(prompts=prompts_for("encoder"))
    bos = processor.decoder_tokenizer.bos_token_id
    assert processor.ask([Asked()])["decoder_input_ids"].tolist() == [[bos]]
    texts = processor.decoder_tokenizer.batch_decode(processor.collate([Asked()])["decoder_input_ids"])
    assert "<|de|>" not in texts[0]


def test_a_prefix_that_is_not_learned_is_given_and_no_label() -> None:
    settings = PROCESSOR.settings
    given = processor_with(prompts=replace(settings.prompts, learn_prefix=False)).collate([Asked()])
    scored = PROCESSOR.collate([Asked()], learn_prefix=False)
    assert all(torch.equal(given[name], scored[name]) for name in scored)


def test_words_cannot_name_the_language_alone() -> None:
    with pytest.raises(ValueError, match="no translation would be told its language"):
        processor_with("words", prompts=prompts_for("prefix"))


def test_forced_words_are_taken_off_before_scoring_and_nothing_else_is() -> None:
    _, words = miniature("florence", prefix="words")
    asked = Asked(language="de")
    assert words.without_forced_words(asked, "Das Bild zeigt ein rotes Auto.") == "Ein rotes Auto."
    assert words.without_forced_words(asked, "ein Auto.") == "Ein Auto."
    translation = Asked(task="translation", language="de", source_text="A car.")
    assert words.without_forced_words(translation, "ein Auto.") == "ein Auto."
    _, tokens = miniature("florence")
    assert tokens.without_forced_words(asked, "das Bild zeigt ein Auto.") == "das Bild zeigt ein Auto."
