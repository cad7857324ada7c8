"""A tiny decoder learns the texts of a dataset, says which languages it knows, and a Florenz starts from it."""

import json
from pathlib import Path

import pytest
import torch
from shards_dataset import ENGLISH, FRENCH, GERMAN, write_dataset
from transformers import AutoTokenizer, Gemma2ForCausalLM

from florenz.train import decoder as decoder_module
from florenz.train.decoder import main, texts_of
from florenz.train.law import start_languages
from florenz.train.model.loading import build

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "configs" / "decoder.toml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    write_dataset(str(folder))
    return str(folder)


def test_texts_are_those_of_the_training_split_each_once(data: str) -> None:
    assert texts_of(data, ()) == {"de": [GERMAN], "en": [ENGLISH], "fr": [FRENCH]}
    assert list(texts_of(data, ["fr"])) == ["fr"]
    with pytest.raises(ValueError, match=r"no text in it: languages \(LANGS\) are among de, en, fr"):
        texts_of(data, ["it"])


@pytest.fixture(scope="module")
def decoder(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned from two texts, which need not stand in a step thirty times each."""
    folder = tmp_path_factory.mktemp("decoder")
    recipe, out = folder / "decoder.toml", folder / "out"
    assert "batch_size = 64" in RECIPE.read_text()
    recipe.write_text(RECIPE.read_text().replace("batch_size = 64", "batch_size = 4"))
    assert main([str(recipe), f"DATA={data}", f"OUT={out}", "STEPS=120", "WIDTH=64", "LANGS=en,fr"]) == 0
    return out


def test_it_has_learned_what_it_read(decoder: Path) -> None:
    card = json.loads((decoder / "decoder.json").read_text())
    assert card["languages"] == ["en", "fr"] and card["texts"] == {"en": 1, "fr": 1}
    model, tokenizer = Gemma2ForCausalLM.from_pretrained(decoder), AutoTokenizer.from_pretrained(decoder)

    def loss(text: str) -> float:
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.inference_mode():
            return float(model(input_ids=ids, labels=ids).loss)

    assert loss(FRENCH) < 0.5 * loss(GERMAN)


def test_a_florenz_starts_from_it(decoder: Path) -> None:
    model, _ = build("playground-gemma", gemma=str(decoder), num_latents=0)
    weights = Gemma2ForCausalLM.from_pretrained(decoder).model
    assert model.config.decoder_config.hidden_size == 64
    assert torch.equal(model.decoder.layers[0].mlp.up_proj.weight, weights.layers[0].mlp.up_proj.weight)
    assert start_languages({"model": {"gemma": str(decoder)}}) == 2


def test_a_random_decoder_has_the_size_that_is_asked_for() -> None:
    model, _ = build("playground-gemma", decoder_width=192, decoder_layers=2, num_latents=0)
    assert (model.config.decoder_config.hidden_size, len(model.decoder.layers)) == (192, 2)
    with pytest.raises(ValueError, match="decoder_width and decoder_layers are of a Gemma-2"):
        build("playground", decoder_width=192)


def test_bad_input_is_one_line_and_exit_code_2(
    data: str,
    decoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Told before the first step."""
    monkeypatch.setattr(decoder_module, "_fit", None)
    new = f"OUT={tmp_path}/new"
    (tmp_path / "file").touch()
    for words, message in [
        ([f"OUT={decoder}"], "is there already: choose another folder"),
        ([f"OUT={tmp_path}/file/new"], "file/new cannot be made (Not a directory): choose another folder"),
        ([new, "WIDTH=100"], "width (WIDTH) is 100: choose a multiple of 64"),
        ([new, "STEPS=many"], "STEPS must be a whole number"),
        ([new, "LANGS=it"], "no text in it"),
        ([new, "LANG=it"], "unknown variable LANG: did you mean 'LANGS'?"),
    ]:
        assert main([str(RECIPE), f"DATA={data}", *words]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not (tmp_path / "new").exists()
