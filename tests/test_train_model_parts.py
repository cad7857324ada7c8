"""Parts: every parameter in one, and only what is named trains."""

import pytest
import torch
from model_examples import Asked, miniature, picture
from torch import nn

from florenz.train.model.parts import PARTS, parts_of, set_modes, train_only

BOTH = pytest.mark.parametrize("decoder", ["florence", "gemma"])


@BOTH
def test_every_parameter_is_in_exactly_one_part(decoder: str) -> None:
    model, _ = miniature(decoder, num_latents=2)
    names = [name for parameters in parts_of(model).values() for name, _ in parameters]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert set(parts_of(model)) == set(PARTS)


@BOTH
def test_no_part_is_empty_but_gates_and_latents_where_there_are_none(decoder: str) -> None:
    model, _ = miniature(decoder)
    empty = {part for part, parameters in parts_of(model).items() if not parameters}
    assert empty == ({"latents", "gates"} if decoder == "florence" else {"latents"})


def test_cross_attention_has_its_own_norm_and_the_decoder_the_others() -> None:
    for decoder, norm in (("florence", "encoder_attn_layer_norm"), ("gemma", "cross_attn_norm")):
        parts = parts_of(miniature(decoder)[0])
        assert any(norm in name for name, _ in parts["cross_attention"])
        assert all("norm" in name or "attn" in name for name, _ in parts["cross_attention"])
        assert any("norm" in name for name, _ in parts["decoder"])
        assert not any("attn" in name and "self" not in name for name, _ in parts["decoder"])


@BOTH
def test_only_the_named_parts_change_in_training(decoder: str) -> None:
    model, processor = miniature(decoder)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    train_only(model, ["text_encoder", "cross_attention"])
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(**processor.collate([Asked(picture_CHW=picture())])).loss.backward()
    optimizer.step()
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    parts = parts_of(model)
    trained = {name for part in ("text_encoder", "cross_attention") for name, _ in parts[part]}
    assert changed <= trained
    for part in ("text_encoder", "cross_attention"):
        assert changed & {name for name, _ in parts[part]}


def test_a_second_stage_unfreezes_what_the_first_froze() -> None:
    model, _ = miniature("florence")
    train_only(model, ["decoder"])
    train_only(model, PARTS)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_names_survive_compiling_and_distributed_training() -> None:
    model, _ = miniature("florence")
    wrapped = torch.nn.ModuleDict({"module": torch.compile(model)})
    assert sum(len(parameters) for parameters in parts_of(wrapped).values()) == len(list(model.parameters()))


def test_unknown_and_empty_parts_are_refused() -> None:
    model, _ = miniature("florence")
    with pytest.raises(ValueError, match="no part is called 'encoder': parts are vision, "):
        train_only(model, ["encoder"])
    with pytest.raises(ValueError, match="nothing to train in .gates."):
        train_only(model, ["gates"])


def test_what_is_frozen_is_not_in_training_mode() -> None:
    """Its dropout would answer the same picture in another way each time."""
    model, _ = miniature("florence")
    model.train()
    train_only(model, ["decoder_embeddings", "cross_attention"])
    set_modes(model)
    assert not any(module.training for module in model.encoder.modules())
    layer = model.decoder.layers[0]
    assert layer.training and layer.encoder_attn.training and not layer.self_attn.training and model.lm_head.training


def test_a_dropout_goes_with_the_module_that_it_stands_in() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.dropout = nn.Linear(2, 2), nn.Dropout(0.5)

    model = nn.ModuleList([Block(), Block()])
    model[0].requires_grad_(False)
    set_modes(model)
    assert [block.dropout.training for block in model] == [False, True]
