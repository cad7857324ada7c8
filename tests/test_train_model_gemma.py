"""The Gemma-2 decoder: shut gates are Gemma-2, open ones let the encoder in, and the cache saves its work."""

import pytest
import torch
from model_examples import Asked, gemma_config, miniature, picture, sentence_piece_tokenizer
from transformers import Gemma2ForCausalLM
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from florenz.train.model.florenz import Florenz
from florenz.train.model.gemma import GemmaDecoder


def set_gates(model: Florenz, value: float) -> None:
    for layer in model.decoder.layers:
        torch.nn.init.constant_(layer.gate, value)


def gemma_of(model: Florenz) -> Gemma2ForCausalLM:
    """transformers' own Gemma-2 with the decoder's weights."""
    gemma = Gemma2ForCausalLM(model.config.decoder_config).eval()
    ours = model.decoder.state_dict()
    gemma.model.load_state_dict({name: ours[name] for name in gemma.model.state_dict()})
    return gemma


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_with_shut_gates_logits_are_exactly_gemma_2s(attention: str) -> None:
    model, processor = miniature("gemma")
    gemma = gemma_of(model)
    model.set_attn_implementation(attention)
    gemma.set_attn_implementation(attention)
    set_gates(model, 0.0)
    batch = processor.collate([Asked(picture_CHW=picture(1)), Asked(picture_CHW=picture(2), text="Ein Auto.")])
    ids = batch["decoder_input_ids"]
    assert ids.shape[1] > model.config.decoder_config.sliding_window
    with torch.no_grad():
        expected = gemma(ids, attention_mask=torch.ones_like(ids)).logits
        assert torch.equal(model(**batch).logits, expected)
        set_gates(model, 0.1)
        assert not torch.allclose(model(**batch).logits, expected, atol=1e-3)


def test_gates_start_shut() -> None:
    torch.manual_seed(0)
    decoder = GemmaDecoder(gemma_config(sentence_piece_tokenizer()), encoder_width=8)
    assert [layer.gate.item() for layer in decoder.layers] == [0.0, 0.0]


def test_a_shut_gate_can_open() -> None:
    model, processor = miniature("gemma")
    set_gates(model, 0.0)
    model(**processor.collate([Asked(picture_CHW=picture())])).loss.backward()
    assert all(layer.gate.grad.abs().item() > 0 for layer in model.decoder.layers)


def test_cross_norm_starts_as_that_of_self_attention() -> None:
    decoder = GemmaDecoder(gemma_config(sentence_piece_tokenizer()), encoder_width=8)
    for layer in decoder.layers:
        torch.nn.init.normal_(layer.post_attention_layernorm.weight)
    decoder.start_cross_norms()
    for layer in decoder.layers:
        assert torch.equal(layer.cross_attn_norm.weight, layer.post_attention_layernorm.weight)


def test_keys_and_values_of_the_encoder_are_computed_once_a_text() -> None:
    model, processor = miniature("gemma")
    calls = []
    for layer in model.decoder.layers:
        layer.cross_attn.k_proj.register_forward_hook(lambda *_: calls.append(1))
    model.generate(**processor.ask([Asked(picture_CHW=picture())]), min_new_tokens=6, max_new_tokens=6)
    assert len(calls) == len(model.decoder.layers)


def test_the_sliding_window_does_not_cut_the_encoders_states() -> None:
    model, processor = miniature("gemma")
    question = processor.ask([Asked(picture_CHW=picture())])
    output = model.generate(**question, max_new_tokens=6, return_dict_in_generate=True)
    num_states = output.past_key_values.cross_attention_cache.layers[0].keys.shape[2]
    assert num_states == 5 + question["input_ids"].shape[1] > model.config.decoder_config.sliding_window


def test_padding_of_prompts_gets_no_attention() -> None:
    model, processor = miniature("gemma")
    batch = processor.collate([Asked(), Asked(language="fr", style="detailed")])
    changed = batch | {"input_ids": batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 40)}
    with torch.no_grad():
        assert torch.equal(model(**batch).logits, model(**changed).logits)


def test_forward_by_hand_goes_on_from_a_cache() -> None:
    model, processor = miniature("gemma")
    batch = processor.collate([Asked(picture_CHW=picture())])
    del batch["labels"]
    ids = batch.pop("decoder_input_ids")
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    with torch.no_grad():
        whole = model(**batch, decoder_input_ids=ids).logits
        first = model(**batch, decoder_input_ids=ids[:, :7], past_key_values=cache).logits
        rest = model(**batch, decoder_input_ids=ids[:, 7:], past_key_values=cache).logits
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole, rtol=1e-4, atol=1e-4)
