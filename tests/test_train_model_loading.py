"""Building from weights as the hub has them, in miniature: what is copied, what is new, what is refused."""

import shutil
from pathlib import Path

import pytest
import torch
from model_examples import (
    Asked,
    byte_level_tokenizer,
    miniature,
    picture,
    save_florence,
    save_gemma,
    sentence_piece_tokenizer,
)
from transformers import Florence2ForConditionalGeneration

from florenz.train.model.family import SIZES
from florenz.train.model.loading import build, load
from florenz.train.model.parts import parts_of
from florenz.train.model.vocabulary import mean_rows


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders as florence=, gemma= and tokenizer= of `build` want them."""
    folder = tmp_path_factory.mktemp("hub")
    save_florence(folder / "florence")
    save_gemma(folder / "gemma")
    return {"florence": str(folder / "florence"), "gemma": str(folder / "gemma"), "tokenizer": str(folder / "gemma")}


def without_gemma(hub: dict[str, str]) -> dict[str, str]:
    return {name: path for name, path in hub.items() if name != "gemma"}


@pytest.mark.parametrize("size", ["1.0b", "3.5b"])
def test_encoder_is_that_of_the_weights(size: str, hub: dict[str, str]) -> None:
    model, _ = build(size, **hub)
    source = Florence2ForConditionalGeneration.from_pretrained(hub["florence"])
    theirs = {
        **{f"vision_tower.{name}": tensor for name, tensor in source.model.vision_tower.state_dict().items()},
        **{f"multi_modal_projector.{n}": t for n, t in source.model.multi_modal_projector.state_dict().items()},
        **{f"text_encoder.{n}": t for n, t in source.model.language_model.encoder.state_dict().items()},
    }
    ours = model.encoder.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_florence_decoder_is_that_of_the_weights_but_for_its_vocabulary(hub: dict[str, str]) -> None:
    model, _ = build("1.0b", **without_gemma(hub))
    source = Florence2ForConditionalGeneration.from_pretrained(hub["florence"])
    theirs = source.model.language_model.decoder.state_dict()
    ours = model.decoder.state_dict()
    rows = theirs.pop("embed_tokens.weight")
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    expected = mean_rows(rows, byte_level_tokenizer(), sentence_piece_tokenizer())
    assert torch.equal(ours["embed_tokens.weight"], expected)
    assert model.lm_head.weight is model.decoder.embed_tokens.weight


def test_gemma_decoder_is_that_of_the_weights_with_shut_gates(hub: dict[str, str]) -> None:
    from transformers import Gemma2ForCausalLM

    model, processor = build("3.5b", **hub)
    gemma = Gemma2ForCausalLM.from_pretrained(hub["gemma"], attn_implementation="eager").eval()  # sdpa has no soft cap
    batch = processor.collate([Asked(picture_CHW=picture())])
    with torch.no_grad():
        assert torch.equal(model.eval()(**batch).logits, gemma(batch["decoder_input_ids"]).logits)
    for layer in model.decoder.layers:
        assert torch.equal(layer.cross_attn_norm.weight, layer.post_attention_layernorm.weight)


def test_language_tokens_get_rows_behind_gemmas_own(hub: dict[str, str]) -> None:
    plain, _ = build("3.5b", **hub)
    model, processor = build("3.5b", **hub, prefix="token", languages=["de", "fr"])
    own = len(plain.decoder.embed_tokens.weight)
    assert len(processor.decoder_tokenizer) == len(model.decoder.embed_tokens.weight) == own + 2
    assert torch.equal(model.decoder.embed_tokens.weight[:own], plain.decoder.embed_tokens.weight)


def test_texts_start_and_end_with_the_decoders_own_tokens(hub: dict[str, str]) -> None:
    for size in ("1.0b", "3.5b"):
        model, processor = build(size, **hub)
        tokenizer = processor.decoder_tokenizer
        for config in (model.config, model.generation_config):
            assert config.decoder_start_token_id == tokenizer.bos_token_id
            assert (config.eos_token_id, config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)


def test_weights_keep_the_precision_that_is_asked_for_but_rotary_frequencies_theirs(hub: dict[str, str]) -> None:
    model, _ = build("3.5b", **hub, dtype=torch.bfloat16, num_latents=2)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.decoder.rotary_emb.inv_freq.dtype == torch.float32


def test_options_override_what_the_size_says(hub: dict[str, str]) -> None:
    model, processor = build("1.0b", **hub, num_latents=3, image_px=64, prefix="token")
    assert (model.config.num_latents, processor.image_px, processor.settings.prefix) == (3, 64, "token")


@pytest.mark.parametrize("size", ["playground", "playground-gemma"])
def test_playground_reads_and_writes_all_its_languages(size: str) -> None:
    torch.manual_seed(0)
    model, processor = build(size)
    texts = {"en": "A bat.", "de": "Eine Fledermaus.", "fr": "Une chauve-souris.", "es": "Un murciélago.",
             "ru": "Летучая мышь.", "zh": "一只蝙蝠。"}  # fmt: skip
    pixels = torch.zeros(3, 96, 96, dtype=torch.uint8)
    batch = processor.collate([Asked(language=code, text=text, picture_CHW=pixels) for code, text in texts.items()])
    assert processor.num_truncated(batch) == 0
    assert processor.encoder_tokenizer.unk_token_id not in batch["input_ids"]
    assert processor.answers(batch["decoder_input_ids"]) == list(texts.values())
    loss = model(**batch).loss
    loss.backward()
    assert loss.isfinite()
    assert model.training


def test_same_seed_same_model() -> None:
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(build("playground-gemma")[0].state_dict())
    assert all(torch.equal(models[0][name], tensor) for name, tensor in models[1].items())


def test_names_of_the_paper_sizes_are_hub_names() -> None:
    for name in ("0.4b", "1.0b", "3.5b", "11.2b"):
        for source in (SIZES[name].florence, SIZES[name].gemma, SIZES[name].tokenizer):
            assert source is None or (source.count("/") == 1 and not source.startswith("/"))


def test_absent_weights_are_one_line(hub: dict[str, str], tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing")
    for option in ("florence", "gemma", "tokenizer"):
        with pytest.raises(ValueError, match=f"can be loaded from '{nothing}'") as caught:
            build("3.5b", **(hub | {option: nothing}))
        assert "\n" not in str(caught.value)


def test_half_of_the_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model, processor = miniature("gemma")
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    dropped = sorted(weights)[0]
    del weights[dropped]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=f"not a whole Florenz: missing_keys {dropped}"):
        load(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="no Florenz can be loaded"):
        load(str(tmp_path))


def test_a_tokenizer_of_another_gemma_is_refused(hub: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(hub["gemma"], tmp_path / "larger")
    tokenizer = sentence_piece_tokenizer()
    tokenizer.add_tokens([f"word{number}" for number in range(5)])
    tokenizer.save_pretrained(tmp_path / "larger")
    with pytest.raises(ValueError, match="don't belong together"):
        build("3.5b", **(hub | {"tokenizer": str(tmp_path / "larger")}))


def test_random_parts_start_anew_and_others_from_the_weights() -> None:
    torch.manual_seed(0)
    plain, _ = build("playground")
    torch.manual_seed(0)
    changed, _ = build("playground", random_parts=["vision", "decoder"])
    fresh = parts_of(changed)
    for part, parameters in parts_of(plain).items():
        matrices = [(one, other) for (_, one), (_, other) in zip(parameters, fresh[part], strict=True) if one.ndim > 1]
        if part == "latents" or not matrices:
            continue
        assert all(torch.equal(one, other) != (part in ("vision", "decoder")) for one, other in matrices), part
