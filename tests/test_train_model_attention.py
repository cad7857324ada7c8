"""Gemma-2's soft cap is in the model as it is built; attention in blocks is the eager one with less memory."""

import pytest
import torch
from model_examples import Asked, miniature, picture
from transformers import Gemma2ForCausalLM

from florenz.train.model.attention import attend_as
from florenz.train.model.florenz import Florenz


def sharp(decoder: str = "gemma") -> tuple[Florenz, dict[str, torch.Tensor]]:
    """A model whose attention scores are far beyond the cap of 50, and a batch."""
    model, processor = miniature(decoder)
    if decoder == "gemma":
        with torch.no_grad():
            for layer in model.decoder.layers:
                layer.self_attn.q_proj.weight *= 40
                layer.cross_attn.q_proj.weight *= 40
    return model, processor.collate([Asked(picture_CHW=picture(1)), Asked(picture_CHW=picture(2), text="Ein Auto.")])


def logits_with(model: Florenz, batch: dict[str, torch.Tensor], attention: str) -> torch.Tensor:
    attend_as(model, attention, 32)
    with torch.no_grad():
        logits: torch.Tensor = model(**batch).logits
    return logits


def test_the_soft_cap_is_there_unless_sdpa_is_asked_for() -> None:
    model, batch = sharp()
    as_built = logits_with(model, batch, "auto")
    assert torch.equal(as_built, logits_with(model, batch, "eager"))
    assert (as_built - logits_with(model, batch, "sdpa")).abs().max() > 0.1  # what the cap is worth here


def test_with_shut_gates_it_is_eager_gemma_2() -> None:
    model, batch = sharp()
    for layer in model.decoder.layers:
        torch.nn.init.zeros_(layer.gate)
    gemma = Gemma2ForCausalLM(model.config.decoder_config).eval()
    ours = model.decoder.state_dict()
    gemma.model.load_state_dict({name: ours[name] for name in gemma.model.state_dict()})
    gemma.set_attn_implementation("eager")
    ids = batch["decoder_input_ids"]
    with torch.no_grad():
        wanted = gemma(ids, attention_mask=torch.ones_like(ids)).logits
        torch.testing.assert_close(model(**batch).logits, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("queries", [3, 32])
@pytest.mark.parametrize("decoder", ["gemma", "florence"])
def test_blocks_are_eager_attention_forward_and_backward(
    decoder: str, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("florenz.train.model.attention.QUERIES_AT_ONCE", queries)
    model, batch = sharp(decoder)
    grown = {}
    for attention in ("eager", "blocks"):
        attend_as(model, attention, 32)
        model.zero_grad()
        output = model(**batch)
        output.loss.backward()
        gradients = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
        grown[attention] = output.logits.detach(), gradients
    torch.testing.assert_close(grown["blocks"][0], grown["eager"][0], rtol=1e-4, atol=1e-4)
    assert grown["blocks"][1].keys() == grown["eager"][1].keys()
    for name, gradient in grown["eager"][1].items():
        torch.testing.assert_close(
            grown["blocks"][1][name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max() + 1)
        )


def test_long_inputs_of_gemma_go_in_blocks_and_short_ones_do_not() -> None:
    model, _ = sharp()
    attend_as(model, "auto", 224)
    assert model.decoder.config._attn_implementation == "eager"
    attend_as(model, "auto", 768)
    assert model.decoder.config._attn_implementation == "blocks"
    florence, _ = sharp("florence")
    attend_as(florence, "auto", 768)
    assert florence.decoder.config._attn_implementation == "sdpa"
