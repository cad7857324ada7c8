"""The sizes: as large as their names say, counted without memory for them."""

import pytest
import torch
from transformers import AutoTokenizer

from florenz.train.data.processor import add_language_tokens
from florenz.train.model.family import SIZES, size_named
from florenz.train.model.florenz import Florenz
from florenz.train.model.parts import PARTS, train_only
from florenz.train.model.sizes import config_of, num_parameters


@pytest.mark.parametrize("name", ["0.4b", "1.0b", "3.5b", "11.2b"])
def test_sizes_of_the_paper_have_the_parameters_of_their_names(name: str) -> None:
    assert f"{num_parameters(name) / 1e9:.1f}b" == name


@pytest.mark.parametrize("name", ["playground", "playground-gemma"])
def test_sizes_of_the_playground_fit_one_core(name: str) -> None:
    assert 3e6 < num_parameters(name) < 4.5e6


def test_counting_takes_no_memory() -> None:
    with torch.device("meta"):
        model = Florenz(config_of("11.2b"))
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert model.lm_head.weight is model.decoder.embed_tokens.weight  # counted once


def test_vocabulary_of_the_playground_is_the_translators_and_english() -> None:
    tokenizer = AutoTokenizer.from_pretrained(SIZES["playground"].tokenizer)
    add_language_tokens(tokenizer, ["en", "de", "fr", "es", "ru", "zh"])
    assert config_of("playground").vocab_size == len(tokenizer)


def test_frozen_and_trained_parts_are_those_of_the_paper() -> None:
    for size in SIZES.values():
        assert set(size.trained_parts) < set(PARTS)
        assert "vision" not in size.trained_parts
    assert all("projector" not in SIZES[name].trained_parts for name in ("0.4b", "1.0b", "3.5b", "11.2b"))
    assert "decoder" in SIZES["1.0b"].trained_parts
    assert "decoder" not in SIZES["11.2b"].trained_parts
    assert {"cross_attention", "gates", "decoder_embeddings"} < set(SIZES["11.2b"].trained_parts)


def test_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="no size is called '2b': sizes are playground, "):
        size_named("2b")


@pytest.mark.parametrize(("name", "billions"), [("3.5b", 1.10), ("11.2b", 2.53)])
def test_what_the_paper_trains_is_as_large_as_it_says(name: str, billions: float) -> None:
    with torch.device("meta"):
        model = Florenz(config_of(name))
    train_only(model, SIZES[name].trained_parts)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert trained / 1e9 == pytest.approx(billions, abs=0.006)
