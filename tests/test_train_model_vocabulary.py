"""New rows are means of old ones, whatever the tokenizers' families."""

import pytest
import torch
from model_examples import LANGUAGES, byte_level_tokenizer, sentence_piece_tokenizer
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from florenz.train.data.processor import add_language_tokens
from florenz.train.model.vocabulary import added_rows, bytes_of_vocabulary, mean_rows, spellings

OLD, NEW = byte_level_tokenizer(), sentence_piece_tokenizer()
ROWS = torch.randn(len(OLD), 6, generator=torch.Generator().manual_seed(0))


def old_ids(text: str) -> list[int]:
    ids: list[int] = OLD(text, add_special_tokens=False)["input_ids"]
    return ids


def row_of(token: str) -> torch.Tensor:
    return mean_rows(ROWS, OLD, NEW)[NEW.convert_tokens_to_ids(token)]


@pytest.mark.parametrize(("token", "text"), [("Das", "Das"), ("▁Bild", " Bild"), ("▁", " "), ("<0x41>", "A")])
def test_row_of_a_word_is_the_mean_over_the_old_spelling_of_its_text(token: str, text: str) -> None:
    torch.testing.assert_close(row_of(token), ROWS[old_ids(text)].mean(0))


def test_row_of_a_piece_of_a_character_is_that_of_its_byte() -> None:
    # "é" is C3 A9; a byte-level vocabulary writes these bytes as "Ã" and "©".
    torch.testing.assert_close(row_of("<0xC3>"), ROWS[OLD.get_vocab()["Ã"]])
    torch.testing.assert_close(row_of("<0xA9>"), ROWS[OLD.get_vocab()["©"]])


def test_special_tokens_take_the_row_of_their_role() -> None:
    for token, old in (("<bos>", "<s>"), ("<eos>", "</s>"), ("<pad>", "<pad>"), ("<unk>", "<unk>")):
        torch.testing.assert_close(row_of(token), ROWS[OLD.convert_tokens_to_ids(old)])


def test_language_tokens_are_spelled_by_their_names() -> None:
    tokenizer = sentence_piece_tokenizer()
    add_language_tokens(tokenizer, LANGUAGES)
    rows = mean_rows(ROWS, OLD, tokenizer)
    torch.testing.assert_close(rows[tokenizer.convert_tokens_to_ids("<|de|>")], ROWS[old_ids("<|de|>")].mean(0))


def test_from_byte_level_to_byte_level_and_back_from_sentence_piece() -> None:
    rows = mean_rows(ROWS, OLD, OLD)
    whole = [index for index, spelled in enumerate(spellings(OLD, OLD)) if spelled == [index]]
    assert len(whole) > 0.95 * len(OLD)  # all but the few that no text is cut into
    torch.testing.assert_close(rows[whole], ROWS[whole])
    assert all(spellings(NEW, OLD))


def test_no_token_is_without_a_spelling() -> None:
    assert all(spellings(OLD, NEW))
    assert mean_rows(ROWS, OLD, NEW).isfinite().all()


def test_bytes_of_a_texts_tokens_are_the_texts_bytes() -> None:
    text = "Das Bild zeigt é 沙 🙂"
    for tokenizer in (OLD, NEW):
        vocabulary = bytes_of_vocabulary(tokenizer)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert b"".join(vocabulary[index] for index in ids) == text.encode()


def test_tokens_added_to_a_models_own_vocabulary_are_means_of_its_own_rows() -> None:
    tokenizer = sentence_piece_tokenizer()
    own = len(tokenizer)
    rows = torch.randn(own, 4)
    add_language_tokens(tokenizer, ["de", "fr"])
    letters = tokenizer.convert_tokens_to_ids(["<0x3C>", "<0x7C>", "d", "e", "<0x7C>", "<0x3E>"])
    torch.testing.assert_close(added_rows(rows, tokenizer, own)[0], rows[letters].mean(0))


def test_means_keep_the_precision_of_the_rows() -> None:
    assert mean_rows(ROWS.bfloat16(), OLD, NEW).dtype == torch.bfloat16


def test_a_vocabulary_that_lacks_bytes_is_refused() -> None:
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, "<unk>")))
    with pytest.raises(ValueError, match="no token for 256 of 256 bytes"):
        spellings(words, NEW)
